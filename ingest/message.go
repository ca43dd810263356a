package ingest

import (
	"bytes"
	"strings"
)

// rsyslog's reduction of equal lines: the whole message is
//
//	message repeated 3 times: [ Failed password for root …]
//
// and stands for three more of what is quoted (runtime/ratelimit.c). At most
// 800 bytes are quoted, the space in front included.
const (
	repeatedOpen  = "message repeated "
	repeatedMid   = " times: ["
	repeatedClose = ']'
	repeatedQuote = 800
	// maxRepeat is the largest number believed. A larger one is left alone
	// and the line counts once.
	maxRepeat = 1000
)

// SetMessage makes raw, the text of a line behind its header, the message of
// e. It cuts raw at MaxMessage, cleans it in place (see Clean), unwraps
// rsyslog's "message repeated", and peels at most one timestamp off the start,
// which daemons that also log to a console print there themselves. It sets
// Message, Length, Cleaned, Repeat and, where something is missing, Truncated; it never
// clears Truncated.
//
// Only a whole message can stand for several, and one within another does not:
// what is quoted is text of whoever caused the line.
func (e *Entry) SetMessage(raw []byte) {
	e.Length = written(raw)
	raw = trimLeft(trimRight(raw))
	if len(raw) > MaxMessage {
		raw = raw[:MaxMessage]
		e.Truncated = true
	}
	text := len(raw)
	msg := decolour(raw)
	if len(msg) < text {
		msg = trimLeft(trimRight(msg))
	}
	e.Repeat = 1
	if quoted, n := unwrap(msg); n > 1 {
		if len(quoted) >= repeatedQuote {
			e.Truncated = true
		}
		e.Length -= len(msg) - len(quoted)
		msg, e.Repeat = Clean(quoted), n
	}
	e.Message = peelStamp(msg)
	e.Cleaned = len(e.Message) != text
}

// written is how long the text behind a header was when it was written: without
// the blank that separates it from the header. The end of a line counts, because
// it may be a client's.
func written(raw []byte) int {
	if len(raw) > 0 && raw[0] == ' ' {
		return len(raw) - 1
	}
	return len(raw)
}

// Stripped returns the length of a message of which journald has taken something
// off the ends: syslog is the datagram as it came, which journald keeps beside
// the message then (SYSLOG_RAW, systemd.journal-fields(7)), or nil. It says as well
// whether the end of the message is lost: to journald a datagram ends at its first NUL
// (src/journal/journald-syslog.c), which may be one that a client sent in its name.
func Stripped(syslog, message []byte) (length int, cut bool) {
	if i := bytes.IndexByte(syslog, 0); i >= 0 {
		cut = len(bytes.TrimRight(syslog[i:], "\x00\t\n\v\f\r ")) > 0
	}
	if i := bytes.Index(syslog, message); i > 0 {
		syslog = syslog[i:]
	}
	return written(syslog), cut
}

// unwrap returns what a whole message quotes and how often it was repeated, or
// 0 where it is not of that form.
func unwrap(msg []byte) (quoted []byte, n int) {
	if len(msg) == 0 || msg[len(msg)-1] != repeatedClose {
		return nil, 0
	}
	rest, ok := bytes.CutPrefix(msg, []byte(repeatedOpen))
	if !ok {
		return nil, 0
	}
	i := 0
	for i < len(rest) && i < 4 && rest[i] >= '0' && rest[i] <= '9' {
		n = n*10 + int(rest[i]-'0')
		i++
	}
	rest, ok = bytes.CutPrefix(rest[i:], []byte(repeatedMid))
	if !ok || n < 2 || n > maxRepeat || len(rest) == 0 {
		return nil, 0
	}
	quoted = rest[:len(rest)-1]
	if bytes.HasPrefix(trimLeft(quoted), []byte(repeatedOpen)) {
		return nil, 0
	}
	return quoted, n
}

// peelStamp returns msg without the timestamp it begins with, if it does:
//
//	[Nov  3 14:53:33] …         Asterisk, in its files, unless logger.conf has a dateformat
//	[2025-05-21 14:53:33] …     the same on its console, and as FreePBX has it
//	[2026-11-23 01:39:42.691] …
//	2026-11-23 01:39:42.691234 …     FreeSWITCH
func peelStamp(msg []byte) []byte {
	if len(msg) < len("[Nov  3 14:53:33]") || msg[0] != '[' && (msg[0] < '0' || msg[0] > '9') {
		return msg
	}
	b, bracketed := bytes.CutPrefix(msg, []byte("["))
	i := 0
	switch {
	case b[4] == '-':
		if i = shape(b, "dddd-dd-dd dd:dd:dd"); i == 0 {
			i = shape(b, "dddd-dd-ddTdd:dd:dd")
		}
	case bracketed && b[3] == ' ':
		i = bsdStamp(b)
	}
	if i == 0 {
		return msg
	}
	b = b[i:]
	if len(b) > 1 && (b[0] == '.' || b[0] == ',') {
		i = 1
		for i < len(b) && b[i] >= '0' && b[i] <= '9' {
			i++
		}
		b = b[i:]
	}
	for _, zone := range [...]string{"Z", "+dd:dd", "-dd:dd", "+dddd", "-dddd"} {
		if i = shape(b, zone); i > 0 {
			b = b[i:]
			break
		}
	}
	if bracketed {
		var ok bool
		if b, ok = bytes.CutPrefix(b, []byte("]")); !ok {
			return msg
		}
	} else if len(b) > 0 && b[0] != ' ' {
		return msg
	}
	return trimLeft(b)
}

// months are the names that begin a stamp of strftime's %b %e %T.
const months = "JanFebMarAprMayJunJulAugSepOctNovDec"

// bsdStamp returns the length of the stamp "Nov  3 14:53:33" that b begins with, or
// 0.
func bsdStamp(b []byte) int {
	if len(b) < 3 || strings.Index(months, string(b[:3]))%3 != 0 {
		return 0
	}
	for _, form := range [...]string{" dd dd:dd:dd", "  d dd:dd:dd"} {
		if n := shape(b[3:], form); n > 0 {
			return 3 + n
		}
	}
	return 0
}

// shape returns len(form) if b begins with it, where d is any digit; else 0.
func shape(b []byte, form string) int {
	if len(b) < len(form) {
		return 0
	}
	for i := range len(form) {
		switch c := b[i]; {
		case form[i] == 'd':
			if c < '0' || c > '9' {
				return 0
			}
		case c != form[i]:
			return 0
		}
	}
	return len(form)
}
