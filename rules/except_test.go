package rules

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// wardenPack is rules with exceptions, for a daemon in front of a door.
const wardenPack = `
[pack]
name = "warden"
[pack.match]
identifier = ["wardend"]
any_unit = true

[[rule]]
name = "refused"
event = "failure"
pattern = ["refused <user:text> of <zone:word> from <addr>", "refused from <addr>"]
account = "user"
unless.user = ["anonymous", "guest*", "DOM[/\\]svc?", '\*']
unless.zone = "lobby"
unless.addr = ["192.0.2.0/25", "2001:db8:1::/48", "198.51.100.9"]

[[rule]]
name = "refused-guest"
event = "info"
pattern = "refused <user:text> of <zone:word> from <addr>"
account = "user"

[[rule]]
name = "drill"
event = "ignore"
pattern = "<text> for drill <n:int>"
unless.n = "13"

[[rule]]
name = "drilled"
event = "failure"
pattern = "<addr> failed for drill <int>"

[[rule]]
name = "between"
event = "failure"
pattern = "between <user:text> from <addr> <text>"
unless.user = "guest"
unless.addr = "192.0.2.1"

[[rule]]
name = "other"
event = "failure"
pattern = "between guest from <ip> x from <addr> y"

[[rule]]
name = "field"
event = "failure"
field.msg = "refused <user:text>"
field.peer = "<addr>"
field.hop = ["by <hop:word>", "direct"]
account = "user"
unless.user = "guest"
unless.hop = "gate"
unless.addr = "192.0.2.1"
`

func TestUnless(t *testing.T) {
	set := compiled(t, parse(t, wardenPack))
	const refused, guest = "warden/refused", "warden/refused-guest"
	from := " of hall from 203.0.113.7"
	for _, c := range []struct {
		name, msg string
		want      *outcome
	}{
		{"none holds", "refused bob" + from, &outcome{Rule: refused, Addr: "203.0.113.7", Account: "bob"}},
		{"a value", "refused anonymous" + from, &outcome{Rule: guest, Addr: "203.0.113.7", Account: "anonymous"}},
		{"the whole value", "refused anonymous2" + from, &outcome{Rule: refused, Addr: "203.0.113.7", Account: "anonymous2"}},
		{"letter case matters", "refused Anonymous" + from, &outcome{Rule: refused, Addr: "203.0.113.7", Account: "Anonymous"}},
		{"a glob", "refused guest-" + strings.Repeat("7/", 200) + from, &outcome{Rule: guest, Addr: "203.0.113.7", Account: ("guest-" + strings.Repeat("7/", 200))[:MaxAccount]}},
		{"a glob may stand for nothing", "refused guest" + from, &outcome{Rule: guest, Addr: "203.0.113.7", Account: "guest"}},
		{"a glob begins at the beginning", "refused a guest" + from, &outcome{Rule: refused, Addr: "203.0.113.7", Account: "a guest"}},
		{"a set and a byte", `refused DOM/svc` + "\xff" + from, &outcome{Rule: guest, Addr: "203.0.113.7", Account: "DOM/svc\xff"}},
		{"another of the set", `refused DOM\svc1` + from, &outcome{Rule: guest, Addr: "203.0.113.7", Account: `DOM\svc1`}},
		{"one byte too many", `refused DOM\svc12` + from, &outcome{Rule: refused, Addr: "203.0.113.7", Account: `DOM\svc12`}},
		{"a star that is meant", "refused *" + from, &outcome{Rule: guest, Addr: "203.0.113.7", Account: "*"}},
		{"and means no other", "refused x" + from, &outcome{Rule: refused, Addr: "203.0.113.7", Account: "x"}},
		{"the account of a URI", `refused "x" <sip:anonymous@192.0.2.9>` + from, &outcome{Rule: guest, Addr: "203.0.113.7", Account: "anonymous"}},
		{"a name that only looks like it", `refused "anonymous" <sip:bob@192.0.2.9>` + from, &outcome{Rule: refused, Addr: "203.0.113.7", Account: "bob"}},
		{"another placeholder", "refused bob of lobby from 203.0.113.7", &outcome{Rule: guest, Addr: "203.0.113.7", Account: "bob"}},
		{"a value in another place", "refused lobby of hall from 203.0.113.7", &outcome{Rule: refused, Addr: "203.0.113.7", Account: "lobby"}},
		{"a prefix", "refused bob of hall from 192.0.2.127", &outcome{Rule: guest, Addr: "192.0.2.127", Account: "bob"}},
		{"beside the prefix", "refused bob of hall from 192.0.2.128", &outcome{Rule: refused, Addr: "192.0.2.128", Account: "bob"}},
		{"a mapped address", "refused bob of hall from ::ffff:192.0.2.1", &outcome{Rule: guest, Addr: "192.0.2.1", Account: "bob"}},
		{"an IPv6 prefix", "refused bob of hall from 2001:db8:1::7", &outcome{Rule: guest, Addr: "2001:db8:1::7", Account: "bob"}},
		{"one address", "refused bob of hall from 198.51.100.9", &outcome{Rule: guest, Addr: "198.51.100.9", Account: "bob"}},
		{"an alternative without the placeholder", "refused from 203.0.113.7", &outcome{Rule: refused, Addr: "203.0.113.7"}},
		{"no other rule", "refused from 192.0.2.7", nil},
		{"an address in the text", "refused 192.0.2.1 of hall from 203.0.113.7", &outcome{Rule: refused, Addr: "203.0.113.7", Account: "192.0.2.1"}},
		{"ignore", "203.0.113.7 failed for drill 12", &outcome{Rule: "warden/drill"}},
		{"ignore, but for", "203.0.113.7 failed for drill 13", &outcome{Rule: "warden/drilled", Addr: "203.0.113.7"}},

		{"all readings but one are excepted", "between guest from 203.0.113.7 x from 198.51.100.7 z", &outcome{Rule: "warden/between", Candidates: []string{"203.0.113.7", "198.51.100.7"}}},
		{"and by the address", "between bob from 192.0.2.1 x from 198.51.100.7 z", &outcome{Rule: "warden/between", Candidates: []string{"192.0.2.1", "198.51.100.7"}}},
		{"what an excepted rule reads counts for the next", "between guest from 192.0.2.1 x from 192.0.2.1 y", &outcome{Rule: "warden/other", Addr: "192.0.2.1"}},

		{"fields", `{"msg":"refused bob","peer":"203.0.113.7","hop":"direct"}`, &outcome{Rule: "warden/field", Addr: "203.0.113.7", Account: "bob"}},
		{"a value in a field", `{"msg":"refused guest","peer":"203.0.113.7","hop":"direct"}`, nil},
		{"a value in another field", `{"msg":"refused bob","peer":"203.0.113.7","hop":"by gate"}`, nil},
		{"not that value", `{"msg":"refused bob","peer":"203.0.113.7","hop":"by gates"}`, &outcome{Rule: "warden/field", Addr: "203.0.113.7", Account: "bob"}},
		{"the address in a field", `{"msg":"refused bob","peer":"192.0.2.1","hop":"direct"}`, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var want []outcome
			if c.want != nil {
				want = []outcome{*c.want}
			}
			if diff := cmp.Diff(want, outcomes(set.AppendMatches(nil, entry("wardend", c.msg)))); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	if n := set.NearMisses(); n != nil {
		t.Errorf("what is excepted is a near miss: %v", n)
	}
}

// What an exception says of itself when it cannot be.
func TestUnlessErrors(t *testing.T) {
	const head = "[pack]\nname = \"door\"\n[pack.match]\nidentifier = [\"doord\"]\n[[rule]]\nname = \"r\"\nevent = \"failure\"\n"
	const remedy = `; write \ before a *, ?, [ or \ that is meant`
	for _, c := range []struct {
		name, doc string
		want      []string
	}{
		{"no such placeholder", "pattern = \"<addr> <user:word>\"\nunless.usr = \"x\"\n", []string{`9: rule r: no pattern has a placeholder "usr"; write <usr:text> where it stands`}},
		{"in a table", "pattern = \"<addr> <user:word>\"\n[rule.unless]\nuser = \"x\"\nusr = \"x\"\n", []string{`11: rule r: no pattern has a placeholder "usr"; write <usr:text> where it stands`}},
		{"no address", "event = \"info\"\npattern = \"x\"\nunless.addr = \"192.0.2.0/24\"\n", []string{"10: rule r: no pattern has <addr>; put <addr> where the daemon prints the peer"}},
		{"no name", "pattern = \"<addr>\"\nunless.\"a b\" = \"x\"\n", []string{`9: rule r: "a b" is not the name of a placeholder; write unless.NAME = "value" for <NAME:type>`}},
		{"no value", "pattern = \"<addr> <user:word>\"\nunless.user = []\n", []string{"9: rule r: unless names no value"}},
		{"globs", "pattern = \"<addr> <user:word>\"\nunless.user = ['[', '[]', 'x[^]', '[b-a]', '\\', '[a-z]*']\n", []string{
			`9: rule r: "[" is no glob: a [ is not closed` + remedy, `9: rule r: "[]" is no glob: a […] is empty` + remedy, `9: rule r: "x[^]" is no glob: a […] is empty` + remedy,
			`9: rule r: "[b-a]" is no glob: b-a is no range` + remedy, `9: rule r: "\\" is no glob: a \ is the end` + remedy,
		}},
		{"a glob of too many ways", "pattern = \"<addr> <user:word>\"\nunless.user = '*a" + strings.Repeat("?", 20) + "'\n", []string{"9: rule r: there are too many ways to read \"*a" + strings.Repeat("?", 20) + "\"; take fewer *"}},
		{"prefixes", "pattern = \"<addr>\"\nunless.addr = ['x', '192.0.2.7/24', '::ffff:192.0.2.0/120', 'fe80::1%eth0', '192.0.2.0/24']\n", []string{
			`9: rule r: "x" is no address and no prefix; write "192.0.2.7" or "192.0.2.0/24"`, `9: rule r: "192.0.2.7/24" has bits behind its prefix; write "192.0.2.0/24"`,
			`9: rule r: "::ffff:192.0.2.0/120" is no address and no prefix; write "192.0.2.7" or "192.0.2.0/24"`, `9: rule r: "fe80::1%eth0" is no address and no prefix; write "192.0.2.7" or "192.0.2.0/24"`,
		}},
		{"wrong type", "pattern = \"<addr> <user:word>\"\nunless.user = 7\n", []string{"9: want a string or an array of strings"}},
		{"within a group", "regex = '(?:x(?P<user>y)|z)(?P<addr>)'\nunless.user = 'y'\n", []string{
			"8: rule r: group user stands within another group, an alternative or a repetition; write one alternative for each place it can stand in",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			doc := head + c.doc
			if strings.HasPrefix(c.doc, "event") {
				doc = strings.Replace(head, "event = \"failure\"\n", "\n", 1) + c.doc
			}
			_, err := Parse("door.toml", []byte(doc))
			if err == nil {
				t.Fatal("it loads")
			}
			if diff := cmp.Diff(c.want, told(t, err)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// What is said to be in every value of a glob is in those that match it.
func TestGlobText(t *testing.T) {
	for glob, want := range map[string]string{
		"ANONYMOUS": "ANONYMOUS", "anon*": "anon", "*a?bcd*": "bcd", "": "", "*": "", "[ab]cde": "", `a\*bc`: "bc", `\[ab`: "",
	} {
		if got := globText(glob); string(got) != want {
			t.Errorf("%q: %q, want %q", glob, got, want)
		}
	}
}
