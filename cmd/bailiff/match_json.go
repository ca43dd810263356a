package main

import (
	"net/netip"
	"strconv"
	"unicode/utf8"

	"bailiff/rules"
)

// matchJSON is the form that scripts rely on: one object a line. It is written
// by hand because millions of lines pass here and encoding/json would spend more
// on each than matching does.
type matchJSON struct{}

func (matchJSON) appendMatch(b []byte, line int, m *rules.Match) []byte {
	b = strconv.AppendInt(append(b, `{"line":`...), int64(line), 10)
	b = appendString(append(b, `,"pack":`...), m.Rule.Pack)
	b = appendString(append(b, `,"rule":`...), m.Rule.Name)
	b = appendString(append(b, `,"event":`...), m.Event.String())
	b = appendAddr(append(b, `,"addr":`...), m.Addr)
	b = appendString(append(b, `,"account":`...), m.Account)
	b = appendString(append(b, `,"service":`...), m.Rule.Service)
	b = appendString(append(b, `,"witness":`...), m.Rule.Witness)
	b = strconv.AppendBool(append(b, `,"ambiguous":`...), m.Ambiguous())
	if m.Ambiguous() {
		b = append(b, `,"candidates":[`...)
		for i, a := range m.Candidates {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendAddr(b, a)
		}
		b = append(b, ']')
	}
	return append(b, '}', '\n')
}

// appendMiss appends a line that matched nothing, with the same members.
func (matchJSON) appendMiss(b []byte, line int, _ []byte) []byte {
	b = strconv.AppendInt(append(b, `{"line":`...), int64(line), 10)
	return append(b, `,"pack":null,"rule":null,"event":null,"addr":null,"account":null,"service":null,"witness":null,"ambiguous":false}`+"\n"...)
}

func appendAddr(b []byte, a netip.Addr) []byte {
	if !a.IsValid() {
		return append(b, "null"...)
	}
	return append(a.AppendTo(append(b, '"')), '"')
}

// appendString appends s as a JSON string in which everything unprintable is
// escaped: the value is exact, and a terminal that shows it is safe. Bytes that
// are no UTF-8 become U+FFFD, as in encoding/json.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for s != "" {
		if c := s[0]; ' ' <= c && c <= '~' {
			if c == '"' || c == '\\' {
				b = append(b, '\\')
			}
			b, s = append(b, c), s[1:]
			continue
		}
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case strconv.IsPrint(r) && r != utf8.RuneError:
			b = append(b, s[:n]...)
		case r < 0x10000:
			b = appendUnit(b, uint16(r))
		default: // a UTF-16 surrogate pair, RFC 8259 section 7
			r -= 0x10000
			b = appendUnit(b, uint16(0xd800+r>>10))
			b = appendUnit(b, uint16(0xdc00+r&0x3ff))
		}
		s = s[n:]
	}
	return append(b, '"')
}

// appendUnit appends one UTF-16 code unit as \uXXXX.
func appendUnit(b []byte, u uint16) []byte {
	const digits = "0123456789abcdef"
	return append(b, '\\', 'u', digits[u>>12], digits[u>>8&15], digits[u>>4&15], digits[u&15])
}
