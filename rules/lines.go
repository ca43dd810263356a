package rules

import (
	"fmt"
	"regexp"
	"strings"
)

// lines says on which line of a pack each key stands: "pack.cut",
// "rule[2].pattern", "rule[2].sample[0].addr". The TOML decoder tells no positions
// of keys that it understood.
type lines map[string]int

var (
	header   = regexp.MustCompile(`^\s*(\[\[?)\s*([\w.\s"'-]+?)\s*\]\]?\s*(?:#.*)?$`)
	keyEqual = regexp.MustCompile(`^\s*([\w.-]+|"[^"]*"|'[^']*')\s*=\s*(.*)$`)
)

// locate finds the keys of a document that the decoder accepts. It sees those that
// begin a line; of those within a value written in braces it sees the value.
func locate(text string) lines {
	found := make(lines)
	note := func(path string, line int) {
		if _, ok := found[path]; !ok {
			found[path] = line
		}
	}
	table, open, line := "", "", 0 // open: what ends the string of several lines
	count := make(map[string]int)
	for l := range strings.Lines(text) {
		line++
		l = strings.TrimRight(l, "\r\n")
		if open != "" {
			_, rest, ok := strings.Cut(l, open)
			if !ok {
				continue
			}
			open = opened(rest)
			continue
		}
		if m := header.FindStringSubmatch(l); m != nil {
			table = ""
			names := strings.Split(m[2], ".")
			for i, name := range names {
				path := join(table, strings.Trim(name, `"' `))
				note(path, line)
				if m[1] == "[[" && i == len(names)-1 {
					count[path]++
				}
				if n := count[path]; n > 0 {
					path += fmt.Sprintf("[%d]", n-1)
				}
				note(path, line)
				table = path
			}
			continue
		}
		value := l
		if m := keyEqual.FindStringSubmatch(l); m != nil {
			note(join(table, strings.Trim(m[1], `"'`)), line)
			value = m[2]
		}
		open = opened(value)
	}
	return found
}

// opened returns the quotes of a string that begins in text and goes on behind
// the line.
func opened(text string) string {
	for text != "" {
		quote := text[:1]
		switch quote {
		case "#":
			return ""
		case `"`, `'`:
			if triple := strings.Repeat(quote, 3); strings.HasPrefix(text, triple) {
				quote = triple
			}
			text = text[len(quote):]
			for {
				if text == "" {
					if len(quote) == 3 {
						return quote
					}
					return ""
				}
				if strings.HasPrefix(text, quote) {
					text = text[len(quote):]
					break
				}
				if text[0] == '\\' && quote[0] == '"' && len(text) > 1 {
					text = text[1:]
				}
				text = text[1:]
			}
			for len(quote) == 3 && strings.HasPrefix(text, quote[:1]) {
				text = text[1:]
			}
		default:
			text = text[1:]
		}
	}
	return ""
}

// of returns the line of path, or of the nearest that it stands in.
func (l lines) of(path string) int {
	for path != "" {
		if line, ok := l[path]; ok {
			return line
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
	return 0
}

var index = regexp.MustCompile(`\[\d+\]`)

// all returns every path that is name if elements are not told apart.
func (l lines) all(name string) []string {
	var out []string
	for path := range l {
		if index.ReplaceAllString(path, "") == name && !strings.HasSuffix(path, "]") {
			out = append(out, path)
		}
	}
	return out
}

func join(table, key string) string {
	if table == "" {
		return key
	}
	return table + "." + key
}
