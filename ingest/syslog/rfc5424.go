package syslog

import (
	"bytes"

	"github.com/influxdata/go-syslog/v3/rfc5424"

	"bailiff/ingest"
)

// rfc5424 splits b, the text behind the priority, by RFC 5424 section 6. It
// reports false, and has set nothing, if b does not begin with a version and a
// stamp.
//
// The header is split here rather than by go-syslog because that allocates for
// every line and refuses what does occur: nanoseconds, missing structured data,
// and bytes that are not UTF-8, at which it cuts the message. A fuzz test holds
// the two to the same answer wherever go-syslog has one, and resolving the escapes
// of structured data is its work alone (see structured).
func (p *Parser) rfc5424(b []byte, h *Header, e *ingest.Entry) (msg []byte, ok bool) {
	i := 0
	for i < len(b) && i < 3 && isDigit(b[i]) {
		i++
	}
	if i == 0 || b[0] == '0' || i == len(b) || b[i] != ' ' {
		return nil, false
	}
	b = b[i+1:]
	s, n := parseISO(b, 'T')
	if n == 0 && len(b) > 0 && b[0] == '-' {
		n = 1
	}
	if n == 0 || n < len(b) && b[n] != ' ' {
		return nil, false
	}
	h.Stamp = s
	b = b[min(n+1, len(b)):]
	e.Host, b = word(b)
	e.Identifier, b = word(b)
	e.ProcID, b = word(b)
	_, b = word(b) // MSGID

	switch n = structuredLen(b); {
	case n > 0:
		p.sd = structured{text: b[:n]}
		e.Fields = &p.sd
		b = b[n:]
	case len(b) > 0 && b[0] == '-' && (len(b) == 1 || b[1] == ' '):
		b = b[1:]
	}
	return b, true
}

// word takes one field and the space behind it; a lone dash stands for nothing.
func word(b []byte) (w, rest []byte) {
	w, rest, _ = bytes.Cut(b, []byte(" "))
	if len(w) == 1 && w[0] == '-' {
		w = nil
	}
	return w, rest
}

// structuredLen returns the length of the structured data that b begins with,
// or 0 if what is there is not wholly of that form (RFC 5424 section 6.3).
func structuredLen(b []byte) int {
	i := 0
	for i < len(b) && b[i] == '[' {
		n := elementLen(b[i:])
		if n == 0 {
			return 0
		}
		i += n
	}
	if i < len(b) && b[i] != ' ' {
		return 0
	}
	return i
}

// elementLen returns the length of [id name="value" …], or 0.
func elementLen(b []byte) int {
	i := 1 + nameLen(b[1:])
	if i == 1 {
		return 0
	}
	for i < len(b) && b[i] == ' ' {
		n := nameLen(b[i+1:])
		i += 1 + n
		if n == 0 || !bytes.HasPrefix(b[i:], []byte(`="`)) {
			return 0
		}
		i = valueEnd(b, i+2) + 1
	}
	if i >= len(b) || b[i] != ']' {
		return 0
	}
	return i + 1
}

// valueEnd returns where the value that begins at i has its closing quote, or a
// place behind b.
func valueEnd(b []byte, i int) int {
	for ; i < len(b) && b[i] != '"'; i++ {
		if b[i] == '\\' {
			i++
		}
	}
	return i
}

// nameLen returns the length of the SD-NAME that b begins with.
func nameLen(b []byte) int {
	for i, c := range b {
		if c <= ' ' || c >= 0x7f || c == '=' || c == ']' || c == '"' {
			return i
		}
	}
	return len(b)
}

// structured looks up parameters in structured data.
type structured struct {
	text   []byte
	parsed map[string]map[string]string // when a value with escapes was asked for
	done   bool
}

// Field returns the value of the parameter that name, "id.parameter", stands for,
// without the backslashes that escape in it. It is there only if one parameter in
// all of the structured data has that name. Where that does not keep to the RFC,
// backslashes are left where they are.
func (s *structured) Field(name string) (value []byte, ok bool) {
	var id, param string
	for b := s.text; len(b) > 0; {
		element := b[:elementLen(b)]
		b = b[len(element):]
		n := 1 + nameLen(element[1:])
		in := element[1:n]
		for element[n] == ' ' {
			begin := n + 1
			n = begin + nameLen(element[begin:])
			from := n + len(`="`)
			to := valueEnd(element, from)
			if of := element[begin:n]; isParameter(name, in, of) {
				if ok {
					return nil, false
				}
				id, param, value, ok = name[:len(in)], name[len(in)+1:], element[from:to:to], true
			}
			n = to + 1
		}
	}
	if bytes.IndexByte(value, '\\') >= 0 {
		if v, resolved := s.parse()[id][param]; resolved {
			value = []byte(v)
		}
	}
	return value, ok
}

// isParameter says whether name is "id.param". Identifiers and names may both have
// dots in them.
func isParameter(name string, id, param []byte) bool {
	return len(name) == len(id)+1+len(param) && name[len(id)] == '.' && name[:len(id)] == string(id) && name[len(id)+1:] == string(param)
}

// bareHeader completes structured data to a message that go-syslog takes.
const bareHeader = "<0>1 - - - - - "

// parse lets go-syslog resolve escapes, which few lines live to see.
func (s *structured) parse() map[string]map[string]string {
	if !s.done {
		s.done = true
		m, _ := rfc5424.NewMachine(rfc5424.WithBestEffort()).Parse(append([]byte(bareHeader), s.text...))
		if msg, ok := m.(*rfc5424.SyslogMessage); ok && msg != nil && msg.StructuredData != nil {
			s.parsed = *msg.StructuredData
		}
	}
	return s.parsed
}
