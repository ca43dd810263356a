package stream

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth is how deep arrays and objects may lie in a line of JSON; a log shipper
// writes a few.
const maxDepth = 64

// object is one JSON object on a line (RFC 8259): its members, in their order. What
// lies deeper is checked and left alone. It refuses what encoding/json refuses.
type object struct {
	line    []byte
	members []member
	plain   []byte // what strings with escapes stand for
}

// member is a name and its value: '"' is a string, '{' and '[' are what they begin,
// 'n' is null and 0 another word or a number.
type member struct {
	name, value span
	kind        byte
}

// span is a part of line, or of plain.
type span struct {
	from, to int
	plain    bool
}

func (o *object) text(s span) []byte {
	if s.plain {
		return o.plain[s.from:s.to:s.to]
	}
	return o.line[s.from:s.to:s.to]
}

// Field returns the value of a member that is a string, a number or a truth, and of
// an array of numbers the bytes that they are, as journalctl writes what is no text;
// unless there are two of that name.
func (o *object) Field(name string) (value []byte, ok bool) {
	var found *member
	for i := range o.members {
		if string(o.text(o.members[i].name)) == name {
			if found != nil {
				return nil, false
			}
			found = &o.members[i]
		}
	}
	switch {
	case found == nil:
		return nil, false
	case found.kind == '"' || found.kind == 0:
		return o.text(found.value), true
	case found.kind == '[':
		return o.bytes(o.text(found.value))
	}
	return nil, false
}

// first returns the first of the names that the object has with some text.
func (o *object) first(names []string) []byte {
	for _, name := range names {
		if v, ok := o.Field(name); ok && len(v) > 0 {
			return v
		}
	}
	return nil
}

// bytes reads an array of numbers.
func (o *object) bytes(array []byte) (value []byte, ok bool) {
	from := len(o.plain)
	array = array[1 : len(array)-1]
	for more := len(bytes.TrimSpace(array)) > 0; more; {
		var word []byte
		word, array, more = bytes.Cut(array, []byte(","))
		n, err := strconv.ParseUint(string(bytes.TrimSpace(word)), 10, 8)
		if err != nil {
			return nil, false
		}
		o.plain = append(o.plain, byte(n))
	}
	return o.plain[from:len(o.plain):len(o.plain)], true
}

// read reads a line and says whether it is one object and nothing else.
func (o *object) read(line []byte) bool {
	o.line, o.members, o.plain = line, o.members[:0], o.plain[:0]
	i := o.blank(0)
	if o.at(i) != '{' {
		return false
	}
	if i = o.blank(i + 1); o.at(i) == '}' {
		return o.blank(i+1) == len(line)
	}
	for {
		var m member
		if m.name, i = o.name(i); i < 0 {
			return false
		}
		switch m.kind = o.at(i); m.kind {
		case '"':
			m.value, i = o.string(i)
		case '{', '[':
			m.value.from = i
			i = o.nested(i)
			m.value.to = i
		default:
			m.value.from = i
			if m.kind != 'n' {
				m.kind = 0
			}
			i = o.word(i)
			m.value.to = i
		}
		if i < 0 {
			return false
		}
		o.members = append(o.members, m)
		switch i = o.blank(i); o.at(i) {
		case ',':
			i = o.blank(i + 1)
		case '}':
			return o.blank(i+1) == len(line)
		default:
			return false
		}
	}
}

// at returns a byte, 0 behind the end: a NUL is no part of JSON.
func (o *object) at(i int) byte {
	if i >= len(o.line) {
		return 0
	}
	return o.line[i]
}

func (o *object) blank(i int) int {
	for i < len(o.line) && (o.line[i] == ' ' || o.line[i] == '\t' || o.line[i] == '\r' || o.line[i] == '\n') {
		i++
	}
	return i
}

// name reads a name and the colon behind it, up to the value. A negative position
// says here and below that this is no JSON.
func (o *object) name(i int) (span, int) {
	if o.at(i) != '"' {
		return span{}, -1
	}
	s, i := o.string(i)
	if i < 0 {
		return s, -1
	}
	if i = o.blank(i); o.at(i) != ':' {
		return s, -1
	}
	return s, o.blank(i + 1)
}

// nested passes over the array or object that begins at i.
func (o *object) nested(i int) int {
	var open [maxDepth]byte
	for depth := 0; ; {
		switch c := o.at(i); c {
		case '{', '[':
			if depth == maxDepth {
				return -1
			}
			open[depth] = c
			depth++
			if i = o.blank(i + 1); o.at(i) == c+2 { // } is { and 2, as ] is [ and 2
				break
			}
			if c == '{' {
				_, i = o.name(i)
			}
			if i < 0 {
				return -1
			}
			continue
		case '"':
			_, i = o.string(i)
		default:
			i = o.word(i)
		}
		if i < 0 {
			return -1
		}
		for {
			i = o.blank(i)
			c := o.at(i)
			if c != open[depth-1]+2 {
				break
			}
			i++
			if depth--; depth == 0 {
				return i
			}
		}
		if o.at(i) != ',' {
			return -1
		}
		if i = o.blank(i + 1); open[depth-1] == '{' {
			if _, i = o.name(i); i < 0 {
				return -1
			}
		}
	}
}

// word passes over a number, true, false or null.
func (o *object) word(i int) int {
	for _, w := range [...]string{"true", "false", "null"} {
		if bytes.HasPrefix(o.line[min(i, len(o.line)):], []byte(w)) {
			return i + len(w)
		}
	}
	digits := func() (ok bool) {
		for ; o.at(i) >= '0' && o.at(i) <= '9'; i++ {
			ok = true
		}
		return ok
	}
	if o.at(i) == '-' {
		i++
	}
	if o.at(i) == '0' {
		i++
	} else if !digits() {
		return -1
	}
	if o.at(i) == '.' {
		i++
		if !digits() {
			return -1
		}
	}
	if o.at(i)|0x20 == 'e' {
		if i++; o.at(i) == '+' || o.at(i) == '-' {
			i++
		}
		if !digits() {
			return -1
		}
	}
	return i
}

// string reads the string that begins at i. One without escapes stays where it is.
func (o *object) string(i int) (s span, end int) {
	from := i + 1
	for i = from; i < len(o.line); i++ {
		switch c := o.line[i]; {
		case c == '"':
			return span{from: from, to: i}, i + 1
		case c == '\\':
			return o.escaped(from, i)
		case c < ' ':
			return s, -1
		}
	}
	return s, -1
}

// escaped reads on in a string that began at from and has its first escape at i.
func (o *object) escaped(from, i int) (s span, end int) {
	s = span{from: len(o.plain), plain: true}
	o.plain = append(o.plain, o.line[from:i]...)
	for i < len(o.line) {
		c := o.line[i]
		i++
		switch {
		case c == '"':
			s.to = len(o.plain)
			return s, i
		case c < ' ':
			return s, -1
		case c != '\\':
			o.plain = append(o.plain, c)
			continue
		}
		switch c = o.at(i); c {
		case '"', '\\', '/':
			o.plain = append(o.plain, c)
		case 'b', 'f', 'n', 'r', 't':
			o.plain = append(o.plain, "\b\f\n\r\t"[strings.IndexByte("bfnrt", c)])
		case 'u':
			r, ok := o.unit(i + 1)
			if !ok {
				return s, -1
			}
			i += 4
			if utf16.IsSurrogate(r) && o.at(i+1) == '\\' && o.at(i+2) == 'u' {
				if low, ok := o.unit(i + 3); ok {
					if both := utf16.DecodeRune(r, low); both != utf8.RuneError {
						r, i = both, i+6
					}
				}
			}
			o.plain = utf8.AppendRune(o.plain, r) // half of a pair becomes U+FFFD
		default:
			return s, -1
		}
		i++
	}
	return s, -1
}

// unit reads the four digits at i.
func (o *object) unit(i int) (rune, bool) {
	if i+4 > len(o.line) {
		return 0, false
	}
	n, err := strconv.ParseUint(string(o.line[i:i+4]), 16, 16)
	return rune(n), err == nil
}
