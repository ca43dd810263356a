package stream

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"time"

	"bailiff/ingest"
)

const (
	// maxFields is how many fields journald lets an entry have.
	maxFields = 1024
	// maxValue is how much of one value is kept.
	maxValue = ingest.MaxMessage
)

// block is one entry of the journal export format (systemd.io,
// JOURNAL_EXPORT_FORMATS): lines NAME=value, or NAME alone followed by the
// length in eight bytes and the value, up to an empty line.
type block struct {
	text   []byte
	fields []field
	name   []byte // of a field whose value is being read
}

// field is where the name and the value lie in text.
type field struct {
	name, value, end int
	cut              bool // there was more of the value
}

// Field returns the value of a field of the journal, unless the entry has it twice
// or it was cut: who could add one, or fill one up, would choose what is read.
func (b *block) Field(name string) (value []byte, ok bool) {
	for _, f := range b.fields {
		if string(b.text[f.name:f.value]) != name {
			continue
		}
		if ok || f.cut {
			return nil, false
		}
		value, ok = b.text[f.value:f.end:f.end], true
	}
	return value, ok
}

// find returns the first value of a field.
func (b *block) find(name string) (value []byte, cut, ok bool) {
	for _, f := range b.fields {
		if string(b.text[f.name:f.value]) == name {
			return b.text[f.value:f.end:f.end], f.cut, true
		}
	}
	return nil, false, false
}

func (b *block) add(name, value []byte, cut bool) {
	if len(b.fields) == maxFields {
		return
	}
	if len(value) > maxValue {
		value, cut = value[:maxValue], true
	}
	f := field{name: len(b.text), cut: cut}
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
	message, cut, ok := s.block.find("MESSAGE")
	if !complete || !ok {
		s.malformed.export++
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
	if us, err := strconv.ParseInt(string(s.get("__REALTIME_TIMESTAMP")), 10, 64); err == nil && s.opts.Stamps != NoStamps {
		if t := time.UnixMicro(us); t.Before(e.Received) {
			e.Time = t
		}
	}
	e.Truncated, e.Dialect = cut, ingest.Journal
	length, lost := ingest.Stripped(s.get("SYSLOG_RAW"), message)
	e.Truncated = e.Truncated || lost
	e.SetMessage(message)
	e.Length = max(e.Length, length)
	return true
}

func (s *Scanner) get(name string) []byte {
	v, _, _ := s.block.find(name)
	return v
}

// readBlock collects the fields up to the empty line, or the end of the stream.
func (s *Scanner) readBlock(line []byte) (complete bool) {
	var cut bool
	for more := true; more && len(line) > 0; {
		if name, value, ok := bytes.Cut(line, []byte("=")); ok {
			s.block.add(name, value, cut)
		} else if !s.readBinary(line) {
			return false
		}
		if line, cut, more = s.in.next(); more {
			s.line++
		}
	}
	return true
}

// readBinary reads the value of a field whose name stood alone on a line.
func (s *Scanner) readBinary(name []byte) bool {
	s.block.name = append(s.block.name[:0], name...)
	size := s.in.take(8)
	if len(size) < 8 {
		return false
	}
	left := binary.LittleEndian.Uint64(size)
	for first := true; first || left > 0; first = false {
		value := s.in.take(int(min(left, bufferSize)))
		if len(value) == 0 && left > 0 {
			return false
		}
		s.line += bytes.Count(value, []byte("\n"))
		left -= uint64(len(value))
		if first {
			s.block.add(s.block.name, value, left > 0)
		}
	}
	if end := s.in.take(1); len(end) == 0 || end[0] != '\n' {
		return false
	}
	s.line++
	return true
}

// number returns the decimal number b, or -1.
func number(b []byte) int {
	n, err := strconv.ParseUint(string(b), 10, 31)
	if err != nil {
		return -1
	}
	return int(n)
}
