package rules

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bailiff/ingest"
)

const countPack = `
[pack]
name = "door"
[pack.match]
identifier = ["doord"]
[[rule]]
name = "more"
event = "failure"
pattern = ["<tries:int> more wrong keys from <addr>", "a wrong key from <addr>"]
count = "tries"
`

// A line may say how many attempts it tells of, and a syslog that folds equal lines
// multiplies them.
func TestCount(t *testing.T) {
	set := compiled(t, parse(t, countPack))
	for _, c := range []struct {
		line   string
		repeat int
		want   int
	}{
		{"3 more wrong keys from 198.51.100.7", 1, 3},
		{"3 more wrong keys from 198.51.100.7", 4, 12},
		{"a wrong key from 198.51.100.7", 1, 1},
		{"0 more wrong keys from 198.51.100.7", 1, 1},
		{"1001 more wrong keys from 198.51.100.7", 1, MaxCount},
		{"99999999999999999999 more wrong keys from 198.51.100.7", 1, MaxCount},
	} {
		t.Run(c.line, func(t *testing.T) {
			m := set.AppendMatches(nil, &ingest.Entry{Identifier: []byte("doord"), Message: []byte(c.line), Repeat: c.repeat})
			if len(m) != 1 || m[0].Count != c.want {
				t.Errorf("%+v, want one match of %d", m, c.want)
			}
		})
	}
}

func TestCountErrors(t *testing.T) {
	const head = "[pack]\nname = \"door\"\nmatch.identifier = [\"d\"]\n[[rule]]\nname = \"r\"\nevent = \"failure\"\n"
	for _, c := range []struct {
		rule string
		want []string
	}{
		{"pattern = \"<n:text> of <addr>\"\ncount = \"n\"\n", []string{`8: rule r: <n> is not always a number; write <n:int>`}},
		{"pattern = \"<n:int> of <addr>\"\ncount = \"m\"\n", []string{`8: rule r: no pattern has a placeholder "m"; write <m:int> where the number stands`}},
	} {
		_, err := Parse("door.toml", []byte(head+c.rule))
		if err == nil {
			t.Fatalf("%q is taken", c.rule)
		}
		if diff := cmp.Diff(c.want, told(t, err)); diff != "" {
			t.Error(diff)
		}
	}
	p := parse(t, countPack+"  [[rule.sample]]\n  line = \"3 more wrong keys from 198.51.100.7\"\n  addr = \"198.51.100.7\"\n  count = 2\n")
	if err := fmt.Sprint(p.Check()); err != `door.toml:12: rule more: sample "3 more wrong keys from 198.51.100.7" counts as 3, not as 2` {
		t.Error(err)
	}
}
