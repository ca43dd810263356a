package rules

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"bailiff/ingest"
)

// document is a message that is one JSON object (RFC 8259). It is read once, from
// the beginning to the end, into a list that is used again for the next message.
// A message is as long as ingest.MaxMessage at most, which bounds members and
// depth, and lets a position fit into 16 bits.
type document struct {
	text    []byte
	members []member
	open    []uint16 // the objects and arrays around the current position
	plain   []byte   // what strings with escapes stand for, never longer than text
}

// member is a value in an object or an array, or the object that the document is.
// What an object or an array holds stands right behind it.
type member struct {
	name, value span
	next        uint16 // the member behind it and all that it holds
	kind        byte   // '{', '[', '"', or 0 for what is written bare
}

// span is a part of text, or of plain.
type span struct {
	from, to uint16
	plain    bool
}

// cee marks a message that is JSON (https://cee.mitre.org, Log Syntax).
var cee = []byte("@cee:")

// jsonObject returns the part of a message that may be a JSON object, nil if there
// is none.
func jsonObject(msg []byte) []byte {
	if len(msg) > 0 && msg[0] == '@' {
		msg = bytes.TrimLeft(bytes.TrimPrefix(msg, cee), " \t")
	}
	if len(msg) == 0 || msg[0] != '{' {
		return nil
	}
	return msg
}

// read reads text and says whether it is one JSON object and nothing else. What
// encoding/json refuses, it refuses.
func (d *document) read(text []byte) bool {
	d.text, d.members, d.open, d.plain = text, d.members[:0], d.open[:0], d.plain[:0]
	if len(text) > ingest.MaxMessage || d.at(0) != '{' {
		return false
	}
	m := member{}
	for i := 0; ; {
		m.kind, m.next = d.at(i), uint16(len(d.members)+1)
		switch m.kind {
		case '{', '[':
			d.open = append(d.open, m.next-1)
			d.members = append(d.members, m)
			if i = d.blank(i + 1); d.at(i) == m.kind+2 {
				break // it is empty
			}
			if m.kind == '{' {
				if m.name, i = d.name(i); i < 0 {
					return false
				}
			}
			continue
		case '"':
			if m.value, i = d.string(i); i < 0 {
				return false
			}
			d.members = append(d.members, m)
		default:
			m.kind, m.value = 0, span{from: uint16(i)}
			if i = d.bare(i); i < 0 {
				return false
			}
			m.value.to = uint16(i)
			d.members = append(d.members, m)
		}
		if m.name, i = d.behind(i); i < 0 {
			return false
		} else if len(d.open) == 0 {
			return i == len(text)
		}
	}
}

// behind goes on from the end of a value: out of all that ends there, and to the
// next value of what does not. It returns a negative position if neither follows.
func (d *document) behind(i int) (name span, at int) {
	for len(d.open) > 0 {
		in := &d.members[d.open[len(d.open)-1]]
		i = d.blank(i)
		switch d.at(i) {
		case ',':
			if i = d.blank(i + 1); in.kind == '{' {
				return d.name(i)
			}
			return name, i
		case in.kind + 2: // } is { and 2, as ] is [ and 2
			in.next = uint16(len(d.members))
			d.open = d.open[:len(d.open)-1]
			i++
		default:
			return name, -1
		}
	}
	return name, d.blank(i)
}

// at returns a byte, 0 behind the end: a NUL is no part of JSON.
func (d *document) at(i int) byte {
	if i >= len(d.text) {
		return 0
	}
	return d.text[i]
}

// blank passes over blanks, of which most JSON has none.
func (d *document) blank(i int) int {
	if i < len(d.text) && d.text[i] > ' ' {
		return i
	}
	for i < len(d.text) && (d.text[i] == ' ' || d.text[i] == '\t' || d.text[i] == '\r' || d.text[i] == '\n') {
		i++
	}
	return i
}

// name reads a name and the colon behind it, up to the value.
func (d *document) name(i int) (span, int) {
	if d.at(i) != '"' {
		return span{}, -1
	}
	name, i := d.string(i)
	if i < 0 {
		return name, -1
	}
	if i = d.blank(i); d.at(i) != ':' {
		return name, -1
	}
	return name, d.blank(i + 1)
}

// string reads the string that begins at i. Most have no escapes and are left
// where they are.
func (d *document) string(i int) (s span, end int) {
	text, from := d.text, i+1
	for i = from; len(text)-i >= 8; i += 8 {
		if n := ordinary(binary.LittleEndian.Uint64(text[i:])); n < 8 {
			i += n
			break
		}
	}
	for ; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			return span{from: uint16(from), to: uint16(i)}, i + 1
		case c == '\\':
			return d.escaped(from, i)
		case c < ' ':
			return s, -1
		}
	}
	return s, -1
}

// ordinary returns how many of eight bytes come before the first quote, backslash or
// control character.
func ordinary(x uint64) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	quote, backslash := x^ones*'"', x^ones*'\\'
	// The lowest high bit is that of the first byte that is 0 or, without its own
	// high bit, below what is taken away (Warren, Hacker's Delight, 6-1).
	found := ((quote-ones)&^quote | (backslash-ones)&^backslash | (x-ones*' ')&^x) & highs
	return bits.TrailingZeros64(found) / 8
}

// escaped reads on in a string that began at from and has its first escape at i.
func (d *document) escaped(from, i int) (s span, end int) {
	s = span{from: uint16(len(d.plain)), plain: true}
	d.plain = append(d.plain, d.text[from:i]...)
	for i < len(d.text) {
		c := d.text[i]
		i++
		switch {
		case c == '"':
			s.to = uint16(len(d.plain))
			return s, i
		case c < ' ':
			return s, -1
		case c != '\\':
			d.plain = append(d.plain, c)
			continue
		}
		c = d.at(i)
		i++
		if c == 'u' {
			if i = d.rune(i); i < 0 {
				return s, -1
			}
			continue
		}
		at := strings.IndexByte(`"\/bfnrt`, c)
		if at < 0 {
			return s, -1
		}
		d.plain = append(d.plain, "\"\\/\b\f\n\r\t"[at])
	}
	return s, -1
}

// rune reads what stands behind \u, with the second half of a pair if it is one.
// Half a pair is U+FFFD.
func (d *document) rune(i int) int {
	r, ok := d.hex(i)
	if !ok {
		return -1
	}
	i += 4
	if utf16.IsSurrogate(r) {
		if d.at(i) == '\\' && d.at(i+1) == 'u' {
			low, _ := d.hex(i + 2)
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				d.plain = utf8.AppendRune(d.plain, pair)
				return i + 6
			}
		}
		r = utf8.RuneError
	}
	d.plain = utf8.AppendRune(d.plain, r)
	return i
}

// hex reads four hexadecimal digits.
func (d *document) hex(i int) (r rune, ok bool) {
	for j := i; j < i+4; j++ {
		c := d.at(j)
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// bare reads true, false, null or a number, and returns its end.
func (d *document) bare(i int) (end int) {
	c := d.at(i)
	if '1' <= c && c <= '9' {
		return d.fraction(d.digits(i))
	}
	for _, word := range [...]string{"true", "false", "null"} {
		if c == word[0] {
			if end = i + len(word); end > len(d.text) || string(d.text[i:end]) != word {
				return -1
			}
			return end
		}
	}
	if c == '-' {
		i++
	}
	if d.at(i) == '0' {
		i++
	} else if i = d.digits(i); i < 0 {
		return -1
	}
	return d.fraction(i)
}

// fraction passes over what may follow the digits of a number.
func (d *document) fraction(i int) (end int) {
	if d.at(i) == '.' {
		if i = d.digits(i + 1); i < 0 {
			return -1
		}
	}
	if d.at(i)|0x20 == 'e' {
		i++
		if c := d.at(i); c == '+' || c == '-' {
			i++
		}
		i = d.digits(i)
	}
	return i
}

// digits passes over one digit or more.
func (d *document) digits(i int) (end int) {
	begin := i
	for i < len(d.text) && '0' <= d.text[i] && d.text[i] <= '9' {
		i++
	}
	if i == begin {
		return -1
	}
	return i
}

// bytes returns what a span stands for.
func (d *document) bytes(s span) []byte {
	if s.plain {
		return d.plain[s.from:s.to:s.to]
	}
	return d.text[s.from:s.to:s.to]
}

// find returns the value at a path, as long as the document is not read again: of a
// string what it means, of anything else but objects and arrays what is written.
// It is there only if exactly one member is at that path, in whatever way the dots
// of the path are taken: were there two, somebody might have added one.
func (d *document) find(path string) (value []byte, ok bool) {
	n, at := d.walk(0, path)
	if n != 1 || d.members[at].kind == '{' || d.members[at].kind == '[' {
		return nil, false
	}
	return d.bytes(d.members[at].value), true
}

// walk counts the members at a path within the object or array in, and returns one
// of them.
func (d *document) walk(in int, path string) (n, at int) {
	end := int(d.members[in].next)
	if d.members[in].kind == '[' {
		part, rest, deeper := strings.Cut(path, ".")
		i := d.element(in, part)
		switch {
		case i < 0:
		case deeper:
			return d.walk(i, rest)
		default:
			return 1, i
		}
		return 0, 0
	}
	if d.members[in].kind != '{' {
		return 0, 0
	}
	for i := in + 1; i < end; i = int(d.members[i].next) {
		name := d.members[i].name
		switch size := int(name.to - name.from); {
		case size > len(path) || size < len(path) && path[size] != '.' || string(d.bytes(name)) != path[:size]:
		case size == len(path):
			n, at = n+1, i
		default:
			if more, found := d.walk(i, path[size+1:]); more > 0 {
				n, at = n+more, found
			}
		}
	}
	return n, at
}

// element returns the element of an array whose number is spelled, -1 if there is
// none.
func (d *document) element(in int, number string) int {
	if number == "" || len(number) > 4 || number[0] == '0' && len(number) > 1 {
		return -1
	}
	n := 0
	for _, c := range []byte(number) {
		if c < '0' || c > '9' {
			return -1
		}
		n = n*10 + int(c-'0')
	}
	end := int(d.members[in].next)
	for i := in + 1; i < end; i = int(d.members[i].next) {
		if n == 0 {
			return i
		}
		n--
	}
	return -1
}
