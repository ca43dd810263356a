package rules

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The shipped packs are what authors learn from.
func TestLintShipped(t *testing.T) {
	packs, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range packs {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			found, err := p.Lint()
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range found {
				t.Errorf("%s: %v\nhint: %s\nline: %s", f.Check, f, f.Hint(), quote(f.Example))
			}
		})
	}
}

// wellMade is a pack without findings, of which the tests change one thing.
const wellMade = `
[pack]
name = "door"
evidence = "proven"
[pack.match]
identifier = ["doord"]
unit = ["doord.service"]
[[rule]]
name = "ignored"
event = "ignore"
pattern = "tested by <ip>"
  [[rule.sample]]
  line = "tested by 203.0.113.1"
  [[rule.sample]]
  line = "tested by me"
  match = false
[[rule]]
name = "wrong-key"
event = "failure"
pattern = ["wrong key of <user:text> from <addr>:<port>", "wrong key of <user:text>, by <addr>"]
account = "user"
  [[rule.sample]]
  line = "wrong key of alice from 198.51.100.7:5061"
  addr = "198.51.100.7"
  [[rule.sample]]
  line = "wrong key of x from 192.0.2.77:22, by 198.51.100.7"
  addr = "198.51.100.7"
  [[rule.sample]]
  line = "wrong key"
  match = false
[[rule]]
name = "note"
event = "info"
pattern = "note of <addr>"
  [[rule.sample]]
  line = "note of 198.51.100.7"
  addr = "198.51.100.7"
  [[rule.sample]]
  line = "note of client.example.org"
  match = false
`

func TestLint(t *testing.T) {
	const imitation = `line = "wrong key of x from 192.0.2.77:22, by 198.51.100.7"`
	for _, tt := range []struct {
		name     string
		old, new string
		want     []string
	}{
		{"well made", "", "", nil},
		{"no unit", `unit = ["doord.service"]`, "", []string{"5 trust: the pack reads nothing from the journal, because no unit is believed"}},
		{"any unit", `unit = ["doord.service"]`, "any_unit = true", nil},
		{"no evidence", `evidence = "proven"`, "", []string{"3 evidence: neither the pack nor rule wrong-key says what a line proves"}},
		{
			"no negative sample", "  [[rule.sample]]\n  line = \"wrong key\"\n  match = false\n", "",
			[]string{"17 sample wrong-key: no sample shows a line that must not match"},
		},
		{"no sample", wellMade[strings.Index(wellMade, "  [[rule.sample]]\n  line = \"note"):], "", []string{"31 sample note: the rule has no sample"}},
		{
			"a pattern without a sample", imitation, `line = "wrong key of x from 192.0.2.77:22 from 198.51.100.7:1"`,
			[]string{"20 sample wrong-key: no sample is read by pattern 2"},
		},
		{
			"no imitation", imitation, `line = "wrong key of bob, by 198.51.100.7"`,
			[]string{"17 imitation wrong-key: no sample shows what the rule makes of a client's text that imitates the line"},
		},
		{"an imitation that must not match", imitation, `line = "wrong key of x from 192.0.2.77:22 from client.example.org:1"
  match = false
  [[rule.sample]]
  line = "wrong key of bob, by 198.51.100.7"`, nil},
		{"another literal of the rule is an imitation", imitation, `line = "wrong key of wrong key of, by 198.51.100.7"`, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if !strings.Contains(wellMade, tt.old) {
				t.Fatalf("the pack has no %q", tt.old)
			}
			if diff := cmp.Diff(tt.want, lint(t, strings.Replace(wellMade, tt.old, tt.new, 1))); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// What clients can do, and what can never match, by the pattern alone.
func TestLintPatterns(t *testing.T) {
	for _, tt := range []struct {
		name, rules string
		want        []string // the checks that find something, besides sample
	}{
		{"text behind the address", rule("a", "refused <user:word> from <addr> <text>"), []string{"forged"}},
		{"text on both sides", rule("a", "refused <user:text> from <addr> as <text>."), []string{"ambiguous"}},
		{"a blank that is lost at the end", rule("a", "refused <user:text> from <addr> as <text>"), []string{"forged"}},
		{"text on both sides, shown", rule("a", "refused <user:text> from <addr> as <text>.",
			`line = "refused x from 192.0.2.77 as y from 198.51.100.7 as z."`+"\nambiguous = true"), nil},
		{"a word with blanks", rule("a", "refused <user:word> from <addr>"), []string{"hidden"}},
		{"a word with blanks, shown", rule("a", "refused <user:word> from <addr>",
			`line = "refused from=192.0.2.77 from 198.51.100.7"`+"\naddr = \"198.51.100.7\""), nil},
		{"nothing of a client's", rule("a", "<file>: refused <int> at <addr> by <ip>"), nil},
		{"a number that is an account is a client's", rule("a", "refused <user:int> at <addr>"), []string{"hidden"}},
		{"a type of bounded length is the daemon's", "[pack.types]\nwhen = '[^,]{0,20}'\n" + rule("a", "<when>, refused at <addr>"), nil},
		{"a type of any length is a client's", "[pack.types]\nwhen = '[^,]*'\n" + rule("a", "<when>, refused at <addr>"), []string{"hidden"}},
		{"a group is a client's", strings.Replace(rule("a", `login (\S+) from (?P<addr>) (.*)`), "pattern", "regex", 1), []string{"forged"}},
		{"no literal", rule("a", "<ip> <addr>"), []string{"literal"}},
		{"a short literal", rule("a", "no <addr>"), nil},
		{"shadowed by a rule", rule("a", "refused <int> at <addr>") + rule("b", "refused 7 at <addr>"), []string{"shadowed b"}},
		{"the narrow one first", rule("a", "refused 7 at <addr>") + rule("b", "refused <int> at <addr>"), nil},
		{"shadowed behind the address", rule("a", "refused <addr>: <hex>") + rule("b", "refused <addr>: <int>"), []string{"shadowed b"}},
		{"not behind the address", rule("a", "refused <addr>: <int>") + rule("b", "refused <addr>: <hex>"), nil},
		{"shadowed by one without an address", strings.Replace(rule("a", "refused <text>"), "failure", "info", 1) + rule("b", "refused <int> at <addr>"), []string{"shadowed b"}},
		{"ignored, wherever that stands", rule("b", "refused <int> at <addr>") + strings.Replace(rule("a", "refused <text>"), "failure", "ignore", 1), []string{"shadowed b"}},
		{"not all of it", rule("a", "refused <int> at <addr>") + rule("b", "refused <hex> at <addr>"), nil},
		{"of another daemon", "" + rule("a", "refused <int> at <addr>", "", `identifier = ["x"]`) + rule("b", "refused 7 at <addr>"), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, s := range lint(t, "[pack]\nname = \"door\"\nevidence = \"proven\"\n[pack.match]\nidentifier = [\"doord\"]\nany_unit = true\n"+tt.rules) {
				what, _, _ := strings.Cut(s, ":")
				_, what, _ = strings.Cut(what, " ")
				if what = strings.TrimSuffix(what, " a"); !strings.HasPrefix(what, "sample") {
					got = append(got, what)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// rule spells a rule with a pattern, a sample if it is not empty, and more keys.
func rule(name, pattern string, more ...string) string {
	doc := "[[rule]]\nname = \"" + name + "\"\nevent = \"failure\"\npattern = '''" + pattern + "'''\n"
	if strings.Contains(pattern, "<user:") {
		doc += "account = \"user\"\n"
	}
	if len(more) > 1 {
		doc += more[1] + "\n"
	}
	if len(more) > 0 && more[0] != "" {
		doc += "[[rule.sample]]\n" + more[0] + "\n"
	}
	return doc
}

// A type that the daemon itself holds clients to is believed, and no other.
func TestLintGuaranteed(t *testing.T) {
	doc := func(guaranteed string) string {
		return "[pack]\nname = \"door\"\nevidence = \"proven\"\n" + guaranteed + "\n[pack.match]\nidentifier = [\"doord\"]\nany_unit = true\n" +
			"[pack.types]\nlogin = '[^:]*'\n" + rule("a", "user <user:login>: refused <addr>, <text>")
	}
	for guaranteed, want := range map[string]bool{"": true, `guaranteed = ["login"]`: false, `guaranteed = ["text"]`: true} {
		got := strings.Contains(strings.Join(lint(t, doc(guaranteed)), "\n"), " forged a: ")
		if got != want {
			t.Errorf("%s: forged %v, want %v", guaranteed, got, want)
		}
	}
	_, err := Parse("door.toml", []byte(doc(`guaranteed = ["logn"]`)))
	if err == nil || err.Error() != `door.toml:4: unknown type "logn"` {
		t.Errorf("got %v", err)
	}
}

// An example is a line that shows what is said.
func TestLintExample(t *testing.T) {
	found, err := parse(t, "[pack]\nname = \"door\"\n[pack.match]\nidentifier = [\"doord\"]\n"+rule("a", "refused <user:word> from <addr> <text>")).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		if f.Check != "forged" {
			continue
		}
		if !strings.HasPrefix(f.Example, "refused ") || !strings.Contains(f.Example, "198.51.100.66") && !strings.Contains(f.Example, "2001:db8:66::66") {
			t.Errorf("%q is no line of the rule", f.Example)
		}
		return
	}
	t.Errorf("nothing is forged: %v", found)
}

// It is enough that each rule that counts says what it proves.
func TestLintEvidenceOfRules(t *testing.T) {
	doc := strings.Replace(wellMade, `evidence = "proven"`, "", 1)
	doc = strings.Replace(doc, `event = "failure"`, "event = \"failure\"\nevidence = \"spoofable\"", 1)
	if got := lint(t, doc); got != nil {
		t.Errorf("%q", got)
	}
}

// lint returns the findings as "line check rule: the beginning of what is said".
func lint(t *testing.T, doc string) []string {
	t.Helper()
	found, err := parse(t, doc).Lint()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range found {
		s := strconv.Itoa(f.Line) + " " + f.Check
		if f.Rule != "" {
			s += " " + f.Rule
		}
		out = append(out, s+": "+f.Msg)
		if f.Remedy == "" {
			t.Errorf("%s has no remedy", s)
		}
	}
	return out
}

// What a client wrote is also found where a sample gives a field as a member of its
// line.
func TestLintJSONSample(t *testing.T) {
	const pack = `[pack]
name = "door"
evidence = "proven"
[pack.match]
identifier = ["doord"]
unit = ["doord.service"]
[[rule]]
name = "refused"
event = "failure"
field.msg = "login of <user:user> refused"
field."req.ip" = "<addr>"
account = "user"
  [[rule.sample]]
  line = '{"msg":"login of USER refused","req":{"ip":"198.51.100.7"}}'
  addr = "198.51.100.7"
  [[rule.sample]]
  line = '{"msg":"login of bob","req":{"ip":"198.51.100.7"}}'
  match = false
`
	for user, want := range map[string][]string{
		"x from 192.0.2.77": nil,
		"x refused":         nil,
		"bob":               {"7 imitation refused: no sample shows what the rule makes of a client's text that imitates the line"},
	} {
		if diff := cmp.Diff(want, lint(t, strings.Replace(pack, "USER", user, 1))); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", user, diff)
		}
	}
}

// Of a file that extends a shipped pack its own rules are looked at, and its author is
// told what such a file can do about it.
func TestLintExtended(t *testing.T) {
	l, err := Shipped()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		base, unit string
		want       []string
	}{
		{"postgresql", "", nil},
		{"pam", "", []string{"2 trust: a rule reads nothing from the journal, because neither it nor the pack that is extended believes a unit; give each rule of this file a unit"}},
		{"pam", `unit = ["door.service"]`, nil},
	} {
		p, err := l.Parse("own.toml", fmt.Appendf(nil, `[pack]
extends = %q
[[rule]]
name = "mine"
event = "failure"
evidence = "proven"
%s
pattern = "mine from <addr> port <port>"
  [[rule.sample]]
  line = "mine from 198.51.100.9 port 22"
  addr = "198.51.100.9"
  [[rule.sample]]
  line = "mine from 198.51.100.7"
  match = false
`, tt.base, tt.unit))
		if err != nil {
			t.Fatal(err)
		}
		found, err := p.Lint()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range found {
			got = append(got, fmt.Sprintf("%d %s: %s; %s", f.Line, f.Check, f.Msg, f.Remedy))
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", tt.base, diff)
		}
	}
}
