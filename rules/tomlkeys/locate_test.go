package tomlkeys

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/google/go-cmp/cmp"
)

func TestLocate(t *testing.T) {
	const text = `# comment = 1
a = 1
b.c . "d.e" = "x # = y" # z = 1
s = '''
not = "a key"
'''
m = """
no \""" key = 1
""""
'q' = [ 1, # x
  [ 2, "]" ], {k = 1,
  l = '}'}, ]

[t]
x = 2026-11-23T10:00:00Z
[[t.u]]
x = 1
[[t.u]]
x = 2
[t.u.v]
x = 3
[[ t . u . w ]]
x = 4
last = 0xff`
	want := Lines{
		"a": 2, "b": 3, "b.c": 3, "b.c.d.e": 3, "s": 4, "m": 7,
		"q": 10, "q[0]": 10, "q[1]": 11, "q[1][0]": 11, "q[1][1]": 11, "q[2]": 11, "q[2].k": 11, "q[2].l": 12,
		"t": 14, "t.x": 15, "t.u": 16, "t.u[0]": 16, "t.u[0].x": 17, "t.u[1]": 18, "t.u[1].x": 19,
		"t.u[1].v": 20, "t.u[1].v.x": 21,
		"t.u[1].w": 22, "t.u[1].w[0]": 22, "t.u[1].w[0].x": 23, "t.u[1].w[0].last": 24,
	}
	if d := cmp.Diff(want, Locate(text)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if d := cmp.Diff(want, Locate(strings.ReplaceAll(text, "\n", "\r\n"))); d != "" {
		t.Errorf("with CR LF (-want +got):\n%s", d)
	}
}

// keysOf lists the paths of all keys of a decoded document.
func keysOf(path string, v any, into map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			into[Join(path, k)] = true
			keysOf(Join(path, k), e, into)
		}
	case []map[string]any:
		for i, e := range v {
			keysOf(fmt.Sprintf("%s[%d]", path, i), e, into)
		}
	case []any:
		for i, e := range v {
			keysOf(fmt.Sprintf("%s[%d]", path, i), e, into)
		}
	}
}

// FuzzLocate holds that of a document that the TOML decoder accepts every key is
// located, except those whose spelling needs more than a bare or plainly quoted
// key.
func FuzzLocate(f *testing.F) {
	for _, pattern := range []string{"../../config/testdata/*/*.toml", "../../docs/*.toml", "../packs/*.toml"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(text))
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		found := Locate(text)
		last := 1 + strings.Count(text, "\n")
		for key, line := range found {
			if line < 1 || line > last {
				t.Errorf("%s is on line %d of %d", key, line, last)
			}
		}
		values := make(map[string]any)
		if _, err := toml.Decode(text, &values); err != nil || strings.Contains(text, `\`) {
			return
		}
		keys := make(map[string]bool)
		keysOf("", values, keys)
		for key := range keys {
			if _, ok := found[key]; !ok {
				t.Errorf("%q is not located in %q; found %v", key, text, found)
			}
		}
	})
}
