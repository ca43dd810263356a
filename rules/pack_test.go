package rules

import (
	"errors"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/google/go-cmp/cmp"
)

// told returns "line: message; remedy" of each error within err.
func told(t *testing.T, err error) (out []string) {
	t.Helper()
	joined, ok := err.(interface{ Unwrap() []error })
	errs := []error{err}
	if ok {
		errs = joined.Unwrap()
	}
	for _, err := range errs {
		var e *Error
		if !errors.As(err, &e) {
			t.Fatalf("%v is no *Error", err)
		}
		text, ok := strings.CutPrefix(e.Error(), "door.toml:")
		if !ok {
			t.Errorf("%q does not begin with the file and a line", e)
		}
		if e.Hint() != "" {
			text += "; " + e.Hint()
		}
		out = append(out, text)
	}
	return out
}

func TestParseErrors(t *testing.T) {
	const pack = "[pack]\nname = \"door\"\n[pack.match]\nidentifier = [\"doord\"]\n" // 4 lines
	const rule = "[[rule]]\nname = \"r\"\nevent = \"failure\"\n"                     // 3 lines
	for _, c := range []struct {
		name, doc string
		want      []string
	}{
		{"not TOML", "[pack]\nname = door\n", []string{"2: expected value but found \"door\" instead; this is not TOML; https://toml.io shows the syntax"}},
		{"wrong type", "[pack]\nname = 7\n", []string{"2: pack.name: TOML value has type int64; destination has type string"}},
		{"wrong type of a pattern", pack + rule + "pattern = [1]\n", []string{"8: want a string or an array of strings"}},
		{"empty", "", []string{`pack name "" is not one; use letters, digits, - and _`}},
		{"unknown keys", pack + "unti = [\"x\"]\n" + rule + "patern = \"<addr>\"\npattern = \"<addr>\"\n[[rule.sample]]\nlien = \"x\"\nline = \"x\"\n[speed]\nx = 1\n", []string{
			`5: unknown key "unti"; did you mean "unit"?`,
			`9: unknown key "patern"; did you mean "pattern"?`,
			`12: unknown key "lien"; did you mean "line"?`,
			`14: unknown key "speed"`,
		}},
		{"evidence", "[pack]\nname = \"door\"\nevidence = \"prove\"\nversion = -1\nmatch.identifier = [\"doord\"]\n" + rule + "pattern = \"<addr>\"\nevidence = \"sure\"\n", []string{
			`3: unknown evidence "prove"; did you mean "proven"?`,
			`4: version -1 is negative`,
			`10: rule r: unknown evidence "sure"`,
		}},
		{"keys in other letters", pack + "Unit = [\"x\"]\n" + rule + "Pattern = \"<addr>\"\n", []string{
			`5: unknown key "Unit"; did you mean "unit"?`,
			`9: unknown key "Pattern"; did you mean "pattern"?`,
		}},
		{"an unknown key in two rules", pack + rule + "x = 1\npattern = \"<addr>\"\n" + strings.Replace(rule, `"r"`, `"s"`, 1) + "pattern = '''\n<addr>\nx = 2'''\nx = 3\n", []string{
			`8: unknown key "x"`, `16: unknown key "x"`,
		}},
		{"event", pack + "[[rule]]\nname = \"r\"\nevent = \"fialure\"\npattern = \"<addr>\"\n", []string{`7: rule r: unknown event "fialure"; did you mean "failure"?`}},
		{"type", pack + rule + "pattern = \"<addr> <wrod>\"\n", []string{`8: rule r: unknown placeholder type "wrod"; did you mean "word"?`}},
		{"an open placeholder", pack + rule + "pattern = \"<addr> <x\"\n", []string{`8: rule r: "<x" has no end; write << for a < that is meant`}},
		{"no placeholder", pack + rule + "pattern = \"<addr> <sip:x@y>\"\n", []string{`8: rule r: <sip:x@y> is no placeholder; write << for a < that is meant`}},
		{"no address", pack + rule + "pattern = \"x\"\n", []string{"8: rule r: a rule for event failure needs the address; put <addr> where the daemon prints the peer"}},
		{"two addresses", pack + rule + "pattern = \"<addr> to <addr>\"\n", []string{"8: rule r: two addresses are one too many; take <ip> for an address that is not the peer's"}},
		{"an address in a group", pack + rule + "regex = '(?:x (?P<addr>)|y)'\n", []string{"8: rule r: group addr stands within another group, an alternative or a repetition; write one alternative for each place it can stand in"}},
		{"bad regex", pack + rule + "regex = '(?P<addr>)('\n", []string{"8: rule r: error parsing regexp: missing closing ): `(?P<addr>)(`"}},
		{"assertion", pack + rule + "regex = '(?P<addr>)\\bx'\n", []string{`8: rule r: \b has no meaning here: an expression is held against the whole message`}},
		{"account", pack + rule + "account = \"usr\"\npattern = \"<addr> <user:text>\"\n", []string{`8: rule r: no pattern has a placeholder "usr"; write <usr:text> where the account stands`}},
		{"neither", pack + rule, []string{"5: rule r: the rule has neither pattern nor regex nor field"}},
		{"counts", pack + rule + "pattern = \"<addr>\"\nweight = 0\nper_attempt = -1\ncut = 0\n", []string{"9: rule r: weight is 0; it is at least 1", "10: rule r: per_attempt is -1; it is at least 1", "11: rule r: cut is 0; it is at least 1"}},
		{"a name twice", pack + rule + "pattern = \"<addr>\"\n" + rule + "pattern = \"<addr>\"\n", []string{"10: rule r: there is another rule of that name"}},
		{"no identifier", "[pack]\nname = \"door\"\n" + rule + "pattern = \"<addr>\"\n", []string{"3: rule r: nothing says whose lines these are; name identifiers in [pack.match]"}},
		{"both units", pack + "unit = [\"x\"]\nany_unit = true\n" + rule + "pattern = \"<addr>\"\n", []string{"6: any_unit and unit exclude each other; leave one of them out"}},
		{"no user", pack + "uid = [0, -1]\n" + rule + "pattern = \"<addr>\"\n", []string{"5: uid -1 is no user"}},
		{"bad unit", pack + "unit = [\"x[\"]\n" + rule + "pattern = \"<addr>\"\nunit = [\"\"]\n", []string{`5: unit "x[" is no glob`, `10: rule r: unit "" is no glob`}},
		{"types", pack + "[pack.types]\nint = 'x'\nopen = '['\ngroup = '(x)'\nquote = '\\Qx'\nend = 'x$y'\n" + rule + "pattern = \"<addr>\"\n", []string{
			"6: <int> is there already; choose another name",
			"7: error parsing regexp: missing closing ]: `[`",
			"8: a type has no groups; write (?:…) for (…)",
			"9: error parsing regexp: missing closing ): `(?:\\Qx)`",
			"10: (?-m:$) has no meaning here: an expression is held against the whole message",
		}},
		{"definitions", pack + "[pack.define]\ntext = 'x'\nother = '<last>'\nlast = ['x', '<wrod>']\n" + rule + "pattern = \"<addr>\"\n", []string{
			"6: <text> is a type already; choose another name",
			`7: <other>: <last> is a definition too; definitions use types only`,
			`8: <last>: unknown placeholder type "wrod"; did you mean "word"?`,
		}},
		{"too many states", pack + rule + "regex = '(?:.*x.{14}y)*(?P<addr>)'\n", []string{"8: rule r: there are too many ways to read it; take narrower types than text"}},
		{"samples", pack + rule + "pattern = \"<addr>\"\n[[rule.sample]]\naddr = \"x\"\n[[rule.sample]]\nline = \"x\"\nmatch = false\naddr = \"192.0.2.1\"\n[[rule.sample]]\nline = \"x\"\nidentifier = \"dord\"\n", []string{
			"9: rule r: the sample has no line",
			`10: rule r: "x" is no address`,
			"13: rule r: a line that does not match has no address and no account; leave out addr, account and ambiguous",
			`17: rule r: unknown identifier "dord"; did you mean "doord"?`,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse("door.toml", []byte(c.doc))
			if err == nil {
				t.Fatal("it loads")
			}
			if c.name == "empty" {
				if !strings.Contains(err.Error(), "is not one") || !strings.Contains(err.Error(), "no rule") {
					t.Errorf("got %v", err)
				}
				return
			}
			if diff := cmp.Diff(c.want, told(t, err)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	samples := func(s string) string {
		return strings.Replace(doorPack, "[[rule]]\nname = \"wrong-pin\"", s+"\n[[rule]]\nname = \"wrong-pin\"", 1)
	}
	const line = "wrong key of bob from 192.0.2.1:7"
	for _, c := range []struct {
		name, sample string
		want         []string
	}{
		{"right", "line = \"" + line + "\"\naddr = \"192.0.2.1\"\naccount = \"bob\"", nil},
		{"cleaned", `line = "[2026-11-23 01:39:42] #033[1mx "`, []string{`16: rule wrong-key: sample "[2026-11-23 01:39:42] #033[1mx " matches nothing; it is cleaned before it is read; compare "x" with the pattern letter by letter`}},
		{"matches nothing", `line = "x"`, []string{`16: rule wrong-key: sample "x" matches nothing; compare it with the pattern letter by letter`}},
		{"must not match", "line = \"" + line + "\"\nmatch = false", []string{`16: rule wrong-key: sample "` + line + `" matches, and must not`}},
		{"does not match", "line = \"x\"\nmatch = false", nil},
		{"another rule's", "line = \"no pin from 192.0.2.1\"\nmatch = false", nil},
		{"another rule", `line = "no pin from 192.0.2.1"`, []string{`16: rule wrong-key: sample "no pin from 192.0.2.1" is matched by rule wrong-pin, which comes before; make the patterns exclude each other, or change their order`}},
		{"another address", "line = \"" + line + "\"\naddr = \"192.0.2.2\"", []string{`16: rule wrong-key: sample "` + line + `" has address 192.0.2.1, not 192.0.2.2`}},
		{"no address said", "line = \"" + line + "\"", []string{`16: rule wrong-key: sample "` + line + `" has address 192.0.2.1, and the sample says none; addr = "192.0.2.1"`}},
		{"another account", "line = \"" + line + "\"\naddr = \"192.0.2.1\"\naccount = \"\"", []string{`16: rule wrong-key: sample "` + line + `" has account "bob", not ""`}},
		{"not ambiguous", "line = \"" + line + "\"\nambiguous = true", []string{`16: rule wrong-key: sample "` + line + `" has ambiguous = false: candidates []`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := parse(t, samples("[[rule.sample]]\n"+c.sample))
			err := p.Check()
			if c.want == nil {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if diff := cmp.Diff(c.want, told(t, err)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestLocateElements(t *testing.T) {
	found := linesOf("[pack]\nx = \"\"\"\n[[rule]]\ny = 1\n\"\"\" # '''\n[[rule]]\n[[rule.sample]]\n[[rule.sample]]\nline = \"#\" # \"\n[[rule]]\n  [[rule.sample]]\nline = '#'\n")
	want := map[string]int{"pack.x": 2, "rule[0]": 6, "rule[0].sample[1].line": 9, "rule[1].sample[0]": 11, "rule[1].sample[0].line": 12, "rule[1].sample[0].addr": 11, "rule[7].x": 6, "none": 0}
	for path, line := range want {
		if got := found.of(path); got != line {
			t.Errorf("%s is on line %d, want %d", path, got, line)
		}
	}
}

// Every key that the decoder sees has a line, and it is one that names it.
func TestLocate(t *testing.T) {
	for _, file := range []string{"packs/sshd.toml", "packs/asterisk.toml"} {
		data, err := shipped.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Split(string(data), "\n")
		found := linesOf(string(data))
		var f packFile
		meta, err := toml.Decode(string(data), &f)
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range meta.Keys() {
			last := key[len(key)-1]
			paths := found.all(key.String())
			if len(paths) == 0 && found()[key.String()] == 0 {
				t.Errorf("%s: %s is nowhere", file, key)
			}
			for _, path := range paths {
				if line := text[found()[path]-1]; !strings.Contains(line, last) {
					t.Errorf("%s:%d: %s is not in %q", file, found()[path], path, line)
				}
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(doorPack))
	f.Add([]byte(dirPack))
	f.Add([]byte(wardenPack))
	f.Add([]byte("[pack]\nname='x'\n[pack.define]\na=['<addr>','b']\n[[rule]]\nregex='''\n(?P<addr>)'''\n[[rule.sample]]\nline=\"\"\"\na\"\"\"\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Parse("x", data)
		if err != nil {
			for line := range strings.SplitSeq(err.Error(), "\n") {
				if line == "" {
					t.Errorf("an empty error in %q", err)
				}
			}
			return
		}
		_ = p.Check()
	})
}
