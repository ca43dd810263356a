package syslog

import (
	"bytes"

	"bailiff/ingest"
	"bailiff/ingest/sender"
)

// Header is what the header of a line says beside the labels of an Entry.
type Header struct {
	// Priority is 8 × facility + severity, at most 191; -1 where the line
	// has none.
	Priority int
	// Stamp is when the sender says that it wrote the line: the header's
	// stamp, or without one that which the message begins with.
	Stamp Stamp
	// Number is what the sender numbered the line with, if it numbers its lines.
	Number sender.Number
}

// Parser splits lines. The zero value is ready; one Parser serves one goroutine.
type Parser struct {
	header Header
	sd     structured
	// second is how the last stamp was written and stamp what it says: lines
	// of one second follow each other.
	second [len("Nov 23 01:38:44")]byte
	stamp  Stamp
	// host is the last one behind a stamp, with the space that follows it: most lines
	// of a log are of one.
	host []byte
}

var bom = []byte("\ufeff")

// Parse splits one line, without its framing, into the header and the message.
// It sets Host, Identifier, ProcID, Fields, Dialect and, through
// Entry.SetMessage, Message, Cleaned, Repeat and Truncated; the rest of e is the caller's. The byte fields
// are slices of line, which is cleaned in place. Nothing is allocated.
// The header is valid until the next call.
//
// These layouts are known, each after <PRI>, and those with a stamp also
// without it, as in files:
//
//	1 STAMP HOST APP PROCID MSGID SD MSG            RFC 5424
//	Nov 23 01:38:44 HOST TAG[PID]: MSG              RFC 3164
//	2026-11-23T01:38:44.6+00:00 HOST TAG[PID]: MSG  rsyslog's ForwardFormat
//	Nov 23 01:38:44 TAG[PID]: MSG                   /dev/log
//	TAG[PID]: MSG
//	37972: HOST: *Nov 23 01:38:44.6 UTC: %TAG: MSG  Cisco, with optional parts
//	MSG
//
// Parse never fails. A header ends where it stops to look like one, and all
// that follows is the message, so that nothing a daemon writes behind its tag
// can move the end of the header. A word is taken for a tag only if it looks
// like the name of a program and ends in a colon; an address never does, so
// that no address is taken from a message that has no tag.
func (p *Parser) Parse(line []byte, e *ingest.Entry) *Header {
	h := &p.header
	*h = Header{Priority: -1}
	e.Host, e.Identifier, e.ProcID, e.Fields = nil, nil, nil, nil
	e.Truncated, e.Dialect = false, ingest.Bare

	b := line
	if len(b) > 0 && b[0] == bom[0] {
		b = bytes.TrimPrefix(b, bom)
	}
	b, h.Priority = cutPriority(b)
	if h.Priority >= 0 {
		if rest, ok := p.rfc5424(b, h, e); ok {
			e.Dialect = ingest.RFC5424
			h.Number = p.sd.number(e)
			e.SetMessage(rest)
			return h
		}
		b = trimSpaces(b)
	}
	if rest, stamped := p.cutStamp(b, &h.Stamp); stamped {
		e.Dialect = ingest.RFC3164
		if b[0] >= '0' && b[0] <= '9' {
			e.Dialect = ingest.RFC3339
		}
		e.SetMessage(p.hostAndTag(rest, e))
		h.Number = audioCodes(e)
		return h
	}
	if h.Priority >= 0 {
		var ok bool
		if b, ok = cisco(b, h, e); ok {
			e.Dialect = ingest.Cisco
		} else if b, ok = cutTag(b, e, false); ok {
			e.Dialect = ingest.Tagged
		}
	}
	if h.Stamp.IsZero() {
		h.Stamp = LeadingStamp(b)
	}
	e.SetMessage(b)
	if h.Number.Scheme == sender.Unnumbered {
		h.Number = audioCodes(e)
	}
	return h
}

// cutPriority removes <PRI>. It returns -1 and all of b if there is none.
func cutPriority(b []byte) (rest []byte, pri int) {
	if len(b) < 3 || b[0] != '<' {
		return b, -1
	}
	i := 1
	for ; i < len(b) && i < 4 && isDigit(b[i]); i++ {
		pri = pri*10 + int(b[i]-'0')
	}
	if i == 1 || i == len(b) || b[i] != '>' || pri > 191 {
		return b, -1
	}
	return b[i+1:], pri
}

// hostAndTag takes HOST TAG[PID]: or TAG[PID]: from b, the text behind a stamp,
// and returns what is left. RFC 3164 demands a host, so the first word is one
// unless it is a tag or cannot be a name.
func (p *Parser) hostAndTag(b []byte, e *ingest.Entry) []byte {
	n := len(p.host)
	if n == 0 || len(b) < n || string(b[:n]) != string(p.host) {
		if rest, ok := cutTag(b, e, false); ok {
			return rest
		}
		if n = hostLen(b); n == 0 {
			return b
		}
		p.host = append(p.host[:0], b[:n+1]...)
		n++
	}
	e.Host = b[:n-1]
	b = trimSpaces(b[n:])
	if len(b) > 0 && b[0] == ':' {
		b = bytes.TrimPrefix(b, []byte(": ")) // Cisco ASA: "fw1 : %ASA-6-302013: …"
	}
	b, _ = cutTag(b, e, true)
	return b
}

// hostLen returns the length of the host that b begins with, 0 if it is none.
func hostLen(b []byte) int {
	n := 0
	for n < len(b) && inHost(b[n]) {
		n++
	}
	if n > maxHost || n == len(b) || b[n] != ' ' {
		return 0
	}
	return n
}

// trimSpaces returns b without the spaces that it begins with.
func trimSpaces(b []byte) []byte {
	for len(b) > 0 && b[0] == ' ' {
		b = b[1:]
	}
	return b
}

// cutTag takes "TAG: " or "TAG[PID]:" from the start of b. Behind a host it takes
// "TAG[PID] " as well: rsyslog writes no colon in its traditional formats when
// it got the message as RFC 5424 (seen of 8.2302).
func cutTag(b []byte, e *ingest.Entry, behindHost bool) (rest []byte, ok bool) {
	n := 0
	for n < len(b) && inTag(b[n]) {
		n++
	}
	if n == 0 || n == len(b) || n > maxTag || b[n] != '[' && b[n] != ':' || holdsIPv4(b[:n]) {
		return b, false
	}
	tag := b[:n]
	var pid []byte
	bracketed := b[n] == '['
	if bracketed {
		n++
		start := n
		for n < len(b) && inPID(b[n]) {
			n++
		}
		pid = b[start:n]
		if n+1 >= len(b) || b[n] != ']' {
			return b, false
		}
		n++
	}
	if behindHost && bracketed && b[n] == ' ' {
		e.Identifier, e.ProcID = tag, pid
		return b[n:], true
	}
	if b[n] != ':' {
		return b, false
	}
	n++
	if !bracketed && n < len(b) && b[n] != ' ' {
		return b, false
	}
	e.Identifier, e.ProcID = tag, pid
	return b[n:], true
}

// holdsIPv4 says that four numbers joined by dots stand somewhere in b.
func holdsIPv4(b []byte) bool {
	if bytes.IndexByte(b, '.') < 0 {
		return false
	}
	dots, digits := 0, 0
	for _, c := range b {
		switch {
		case isDigit(c):
			digits++
			if dots == 3 {
				return true
			}
		case c == '.' && digits > 0:
			dots++
			digits = 0
		default:
			dots, digits = 0, 0
		}
	}
	return false
}

const (
	maxHost = 255 // RFC 5424 section 6
	maxTag  = 128 // RFC 3164 says 32 and programs do not care
)

// The characters of the parts of a header. There is no colon in a tag, and no
// dot in a process number, so that neither can be an address.
var class = func() (t [256]uint8) {
	for c := range 256 {
		alnum := c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
		if alnum || contains(".-_/()@+%#*~!", c) {
			t[c] |= tagChar
		}
		if alnum || contains("-_", c) {
			t[c] |= pidChar
		}
		if alnum || contains(".-_:/@+%#[]", c) || c >= 0x80 {
			t[c] |= hostChar
		}
	}
	return t
}()

const (
	tagChar = 1 << iota
	pidChar
	hostChar
)

func contains(s string, c int) bool { return bytes.IndexByte([]byte(s), byte(c)) >= 0 }

func inTag(c byte) bool  { return class[c]&tagChar != 0 }
func inPID(c byte) bool  { return class[c]&pidChar != 0 }
func inHost(c byte) bool { return class[c]&hostChar != 0 }
