// Package tomlkeys tells where the keys of a TOML file stand and which key a
// wrong one was meant to be, so that an error can name its line and its remedy.
package tomlkeys

import (
	"fmt"
	"strconv"
	"strings"
)

// Lines says on which line each key of a TOML document stands. A key is written
// as a path: a.b, and a[1].b for what is in the second element of an array, be
// it [1, 2], [{…}, {…}] or [[a]].
type Lines map[string]int

// Locate finds the keys of a document. The TOML decoder tells no positions of
// keys that it understood; this reads just enough of the grammar to tell them,
// and relies on the decoder having accepted the document.
func Locate(text string) Lines {
	l := locator{text: text, line: 1, found: make(Lines), elements: make(map[string]int)}
	l.document()
	return l.found
}

type locator struct {
	text     string // what is still to be read
	line     int
	found    Lines
	elements map[string]int // path of [[…]] → how many there are so far
}

func (l *locator) document() {
	table := ""
	for {
		switch l.skip(true); {
		case l.text == "":
			return
		case l.accept("[["):
			table = l.header(l.key(), true)
			l.accept("]]")
		case l.accept("["):
			table = l.header(l.key(), false)
			l.accept("]")
		default:
			l.pair(table)
		}
	}
}

// header notes a [table] or [[element]] and returns its path.
func (l *locator) header(key []string, element bool) string {
	path := ""
	for i, part := range key {
		path = Join(path, part)
		l.note(path)
		n := l.elements[path]
		if element && i == len(key)-1 {
			n++
			l.elements[path] = n
		}
		if n > 0 {
			path += fmt.Sprintf("[%d]", n-1)
			l.note(path)
		}
	}
	return path
}

// pair reads key = value.
func (l *locator) pair(table string) {
	before := len(l.text)
	path := table
	for _, part := range l.key() {
		path = Join(path, part)
		l.note(path)
	}
	l.skip(false)
	l.accept("=")
	l.skip(false)
	l.value(path)
	if len(l.text) == before { // not TOML: get on all the same
		l.take(1)
	}
}

// value reads one value.
func (l *locator) value(path string) {
	switch {
	case l.accept("["):
		l.list("]", func(i int) {
			element := fmt.Sprintf("%s[%d]", path, i)
			l.note(element)
			l.value(element)
		})
	case l.accept("{"):
		l.list("}", func(int) { l.pair(path) })
	case strings.HasPrefix(l.text, `"`), strings.HasPrefix(l.text, `'`):
		l.str()
	default:
		end := strings.IndexAny(l.text, ",]}#\r\n")
		if end < 0 {
			end = len(l.text)
		}
		l.take(end)
	}
}

// list reads what is separated by commas up to the closing bracket.
func (l *locator) list(closing string, item func(i int)) {
	for i := 0; ; i++ {
		l.skip(true)
		if l.text == "" || l.accept(closing) {
			return
		}
		item(i)
		l.skip(true)
		if !l.accept(",") && !strings.HasPrefix(l.text, closing) {
			l.take(min(1, len(l.text)))
		}
	}
}

// key reads a dotted key.
func (l *locator) key() []string {
	var parts []string
	for {
		l.skip(false)
		if strings.HasPrefix(l.text, `"`) || strings.HasPrefix(l.text, `'`) {
			parts = append(parts, l.str())
		} else {
			end := strings.IndexAny(l.text, ".=]} \t\r\n")
			if end < 0 {
				end = len(l.text)
			}
			parts = append(parts, l.take(end))
		}
		l.skip(false)
		if !l.accept(".") {
			return parts
		}
	}
}

// str reads a string of any of the four kinds and returns what it means, except
// that escapes are only resolved in those of one line.
func (l *locator) str() string {
	quote := l.text[:1]
	if triple := strings.Repeat(quote, 3); strings.HasPrefix(l.text, triple) {
		l.take(3)
		body := l.until(triple, quote == `"`)
		for strings.HasPrefix(l.text, quote) { // up to two quotes may end the body
			l.take(1)
		}
		return body
	}
	l.take(1)
	body := l.until(quote, quote == `"`)
	if quote == `"` {
		if s, err := strconv.Unquote(`"` + body + `"`); err == nil {
			return s
		}
	}
	return body
}

// until reads up to and with the closing quotes, and returns what is before.
func (l *locator) until(closing string, escapes bool) string {
	for i := 0; i < len(l.text); i++ {
		switch {
		case escapes && l.text[i] == '\\':
			i++
		case strings.HasPrefix(l.text[i:], closing):
			body := l.take(i)
			l.take(len(closing))
			return body
		}
	}
	return l.take(len(l.text))
}

// skip passes over blanks, and over comments and line ends if newlines is set.
func (l *locator) skip(newlines bool) {
	for {
		blanks := " \t"
		if newlines {
			blanks += "\r\n"
		}
		l.take(len(l.text) - len(strings.TrimLeft(l.text, blanks)))
		if !newlines || !strings.HasPrefix(l.text, "#") {
			return
		}
		end := strings.IndexByte(l.text, '\n')
		if end < 0 {
			end = len(l.text)
		}
		l.take(end)
	}
}

func (l *locator) accept(token string) bool {
	if !strings.HasPrefix(l.text, token) {
		return false
	}
	l.take(len(token))
	return true
}

// take moves over the next n bytes and returns them.
func (l *locator) take(n int) string {
	taken := l.text[:n]
	l.text = l.text[n:]
	l.line += strings.Count(taken, "\n")
	return taken
}

// note records the line of a path that was not there before.
func (l *locator) note(path string) {
	if _, ok := l.found[path]; !ok {
		l.found[path] = l.line
	}
}

// Join returns the path of a key of the table at path, which may be "".
func Join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
