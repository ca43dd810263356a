package syslog

import (
	"bytes"

	"bailiff/ingest"
	"bailiff/ingest/sender"
)

// number reads digits; what does not fit is no number.
func number(s sender.Scheme, digits []byte) sender.Number {
	if len(digits) == 0 || len(digits) > len("4294967295") {
		return sender.Number{}
	}
	n := uint64(0)
	for _, c := range digits {
		if !isDigit(c) {
			return sender.Number{}
		}
		n = n*10 + uint64(c-'0')
	}
	if n > 1<<32-1 {
		return sender.Number{}
	}
	return sender.Number{Scheme: s, N: uint32(n)}
}

// audioCodes reads "[S=643] …". It stands where others have a tag, so that it is
// no text of a program that has one.
func audioCodes(e *ingest.Entry) sender.Number {
	if len(e.Identifier) > 0 || e.Repeat > 1 {
		return sender.Number{}
	}
	digits, ok := bytes.CutPrefix(e.Message, []byte("[S="))
	if !ok {
		return sender.Number{}
	}
	if digits, _, ok = bytes.Cut(digits, []byte("]")); !ok {
		return sender.Number{}
	}
	return number(sender.AudioCodesCount, digits)
}

// number reads the sequenceId of RFC 5424 section 7.3.1.
func (s *structured) number(e *ingest.Entry) sender.Number {
	if e.Fields == nil || !bytes.Contains(s.text, []byte("[meta ")) {
		return sender.Number{}
	}
	digits, _ := s.Field("meta.sequenceId")
	n := number(sender.SequenceID, digits)
	if n.N == 0 || n.N > 1<<31-1 {
		return sender.Number{}
	}
	return n
}
