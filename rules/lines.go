package rules

import (
	"regexp"
	"strings"
	"sync"

	"bailiff/rules/tomlkeys"
)

// lines says on which line of a pack each key stands: "pack.cut",
// "rule[2].pattern", "rule[2].sample[0].addr". They are looked for when something
// is wrong for the first time.
type lines func() tomlkeys.Lines

func linesOf(text string) lines {
	return sync.OnceValue(func() tomlkeys.Lines { return tomlkeys.Locate(text) })
}

// of returns the line of path, or of the nearest that it stands in.
func (l lines) of(path string) int {
	found := l()
	for path != "" {
		if line, ok := found[path]; ok {
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
	for path := range l() {
		if index.ReplaceAllString(path, "") == name && !strings.HasSuffix(path, "]") {
			out = append(out, path)
		}
	}
	return out
}
