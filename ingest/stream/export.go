package stream

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"time"

	"bailiff/ingest"
)

// maxBlock bounds what is kept of one journal entry; further fields are passed
// over.
const maxBlock = 64 << 10

// block is one entry of the journal export format (systemd.io,
// JOURNAL_EXPORT_FORMATS): lines NAME=value, or NAME alone followed by the
// length in eight bytes and the value, up to an empty line.
type block struct {
	text   []byte
	fields []field
}

// field is where the name and the value lie in text.
type field struct{ name, value, end int }

// Field returns the first value of a field of the journal.
func (b *block) Field(name string) (value []byte, ok bool) {
	for _, f := range b.fields {
		if string(b.text[f.name:f.value]) == name {
			return b.text[f.value:f.end:f.end], true
		}
	}
	return nil, false
}

func (b *block) add(name, value []byte) {
	if len(b.text)+len(name)+len(value) > maxBlock {
		return
	}
	f := field{name: len(b.text)}
	b.text = append(b.text, name...)
	f.value = len(b.text)
	b.text = append(b.text, value...)
	f.end = len(b.text)
	b.fields = append(b.fields, f)
}

// export reads the entry whose first line is first. It returns false, and has
// counted, if it has no message or ends in the middle.
func (s *Scanner) export(first []byte, e *ingest.Entry) bool {
	s.block.text, s.block.fields = s.block.text[:0], s.block.fields[:0]
	complete := s.readBlock(first)
	message, ok := s.block.Field("MESSAGE")
	if !complete || !ok {
		s.malformed++
		return false
	}
	e.Host = s.get("_HOSTNAME")
	e.Identifier = s.get("SYSLOG_IDENTIFIER")
	if len(e.Identifier) == 0 {
		e.Identifier = s.identifier
	}
	e.ProcID = s.get("SYSLOG_PID")
	e.Unit = s.get("_SYSTEMD_UNIT")
	e.UID, e.PID = number(s.get("_UID")), number(s.get("_PID"))
	e.Fields = &s.block
	if us, err := strconv.ParseInt(string(s.get("__REALTIME_TIMESTAMP")), 10, 64); err == nil {
		if t := time.UnixMicro(us); t.Before(e.Received) {
			e.Time = t
		}
	}
	e.SetMessage(message)
	return true
}

func (s *Scanner) get(name string) []byte {
	v, _ := s.block.Field(name)
	return v
}

// readBlock collects the fields up to the empty line, or the end of the stream.
func (s *Scanner) readBlock(line []byte) bool {
	for {
		name, value, ok := bytes.Cut(line, []byte("="))
		if ok {
			s.block.add(name, value)
		} else if !s.readBinary(line) {
			return false
		}
		var more bool
		if line, _, more = s.in.next(); !more {
			return true
		}
		s.line++
		if len(line) == 0 {
			return true
		}
	}
}

// readBinary reads the value of a field whose name stood alone on a line.
func (s *Scanner) readBinary(name []byte) bool {
	name = append(s.block.text[len(s.block.text):], name...)
	size := s.in.take(8)
	if len(size) < 8 {
		return false
	}
	n := binary.LittleEndian.Uint64(size)
	for kept := false; ; kept = true {
		value := s.in.take(int(min(n, maxBlock)))
		if !kept {
			s.block.add(name, value)
		}
		s.line += bytes.Count(value, []byte("\n"))
		n -= uint64(len(value))
		if n == 0 {
			break
		}
		if len(value) == 0 {
			return false
		}
	}
	end := s.in.take(1)
	s.line++
	return len(end) == 1 && end[0] == '\n'
}

// number returns the decimal number b, or -1.
func number(b []byte) int {
	n, err := strconv.ParseUint(string(b), 10, 31)
	if err != nil {
		return -1
	}
	return int(n)
}
