package rules

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What rules about sessions say of themselves when they cannot be.
func TestLinkErrors(t *testing.T) {
	const head = "[pack]\nname = \"door\"\nmatch.identifier = [\"doord\"]\n" // 3 lines
	const bind = "[[rule]]\nname = \"b\"\nevent = \"info\"\npattern = \"conn=<conn:int> from <addr>\"\nbind = \"conn\"\n"
	const use = "[[rule]]\nname = \"u\"\nevent = \"failure\"\n"
	for _, c := range []struct {
		name, doc string
		want      []string
	}{
		{"nobody binds", head + use + "pattern = \"conn=<conn:int> failed\"\nsession = \"conn\"\n", []string{`8: rule u: no rule binds "conn"; write bind = "conn" in the rule of the line that names the client`}},
		{"a near name", head + bind + use + "pattern = \"con=<con:int> failed\"\nsession = \"con\"\n", []string{`13: rule u: no rule binds "con"; did you mean "conn"?`}},
		{"no such placeholder", head + bind + use + "pattern = \"conn=<id:int> failed\"\nsession = \"conn\"\n", []string{`13: rule u: no pattern has a placeholder "conn"; write <conn:int> where it stands`}},
		{"in one alternative", head + bind + use + "pattern = [\"conn=<conn:int> failed\", \"failed\"]\nsession = \"conn\"\n", []string{`13: rule u: an alternative has no placeholder "conn"; make a rule of its own of it`}},
		{"any text", head + bind + use + "pattern = \"conn=<conn:text> failed\"\nsession = \"conn\"\n", []string{"13: rule u: <conn> may be any text, and where it ends is not known; take a narrower type"}},
		{"the address", head + bind + use + "pattern = \"<addr> failed\"\nsession = \"addr\"\n", []string{`13: rule u: "addr" is not the name of a placeholder; write session = "NAME" for <NAME:int>`}},
		{"twice", head + bind + use + "pattern = \"conn=<conn:int> failed\"\nsession = [\"conn\", \"conn\"]\n", []string{`13: rule u: "conn" is there twice`}},
		{"within a group", head + bind + use + "regex = '(?:conn=(?P<conn>[0-9]+)|x) failed'\nsession = \"conn\"\n", []string{
			"12: rule u: group conn stands within another group, an alternative or a repetition; write one alternative for each place it can stand in",
		}},
		{"nothing to bind", head + "[[rule]]\nname = \"b\"\nevent = \"info\"\npattern = \"conn=<conn:int> opened\"\nbind = \"conn\"\n", []string{
			`8: rule b: there is nothing to bind: neither an address nor an account; put <addr> where the daemon prints the peer, or write account = "NAME"`,
		}},
		{"nothing to end", head + bind + "end = true\n", []string{`9: rule b: there is no session to end; write session = "NAME" besides`}},
		{"the end of a stranger's", head + strings.Replace(bind, ":int", ":word", 1) + use + "pattern = \"conn=<conn:word> failed\"\nsession = \"conn\"\nend = true\n", []string{
			"14: rule u: a stranger may choose what names the session, and could end that of another; leave end out, and let it last for session_time",
		}},
		{"no time", "[pack]\nname = \"door\"\nsession_time = \"1x\"\nmatch.identifier = [\"doord\"]\n" + bind, []string{`3: "1x" is no length of time; write "10m" or "24h"`}},
		{"no time at all", "[pack]\nname = \"door\"\nsession_time = \"0s\"\nmatch.identifier = [\"doord\"]\n" + bind, []string{`3: "0s" is no length of time; write "10m" or "24h"`}},
		{"a failure without either", head + bind + use + "pattern = \"conn=<conn:int> failed\"\n", []string{"12: rule u: a rule for event failure needs the address; put <addr> where the daemon prints the peer"}},
		{"an empty line before", head + bind + "[[rule.sample]]\nbefore = [\"x\", \"\"]\nline = \"x\"\nmatch = false\n", []string{"10: rule b: the line is empty"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse("door.toml", []byte(c.doc))
			if err == nil {
				t.Fatal("it loads")
			}
			if diff := cmp.Diff(c.want, told(t, err)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// Who may choose a key is seen from the types of its placeholders, wherever they
// stand.
func TestStrangeKeys(t *testing.T) {
	const head = "[pack]\nname = \"door\"\nmatch.identifier = [\"doord\"]\n[pack.types]\nown = '[0-9]+'\n[pack.define]\nid = ['id <k:int>', 'id <k:word>']\nnr = 'nr <k:hex>'\n"
	for _, c := range []struct {
		name, rule string
		want       map[string]bool
	}{
		{"int", `pattern = "<k:int> <addr>"` + "\nbind = \"k\"\n", map[string]bool{"k": false}},
		{"port", `pattern = "<k:port> <addr>"` + "\nbind = \"k\"\n", map[string]bool{"k": false}},
		{"callid", `pattern = "<k:callid> <addr>"` + "\nbind = \"k\"\n", map[string]bool{"k": false}},
		{"the process", `pattern = "<addr>"` + "\nbind = \"pid\"\n", map[string]bool{"pid": false}},
		{"a placeholder of that name", `pattern = "<pid:word> <addr>"` + "\nbind = \"pid\"\n", map[string]bool{"pid": true}},
		{"word", `pattern = "<k:word> <addr>"` + "\nbind = \"k\"\n", map[string]bool{"k": true}},
		{"a type of the pack", `pattern = "<k:own> <addr>"` + "\nbind = \"k\"\n", map[string]bool{"k": true}},
		{"a group", `regex = '(?P<k>[0-9]+) (?P<addr>)'` + "\nbind = \"k\"\n", map[string]bool{"k": true}},
		{"one of two alternatives", `pattern = ["<k:int> <addr>", "k <k:word> <addr>"]` + "\nbind = \"k\"\n", map[string]bool{"k": true}},
		{"one of two values", `pattern = "<k:int> <j:word> <addr>"` + "\nbind = [\"k\", \"j\"]\n", map[string]bool{"k j": true}},
		{"in a definition", `pattern = "<nr> <addr>"` + "\nbind = \"k\"\n", map[string]bool{"k": false}},
		{"in one alternative of it", `pattern = "<id> <addr>"` + "\nbind = \"k\"\n", map[string]bool{"k": true}},
		{"in a field", `pattern = "<addr>"` + "\nfield.x = \"<k:word>\"\nbind = \"k\"\n", map[string]bool{"k": true}},
		{
			"in one of two rules", `pattern = "<k:int> <addr>"` + "\nbind = \"k\"\n[[rule]]\nname = \"s\"\nevent = \"info\"\n" + `pattern = "x <k:word> <addr>"` + "\nbind = \"k\"\n",
			map[string]bool{"k": true},
		},
		{
			"in the first of two rules", `pattern = "x <k:word> <addr>"` + "\nbind = \"k\"\n[[rule]]\nname = \"s\"\nevent = \"info\"\n" + `pattern = "<k:int> <addr>"` + "\nbind = \"k\"\n",
			map[string]bool{"k": true},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := parse(t, head+"[[rule]]\nname = \"r\"\nevent = \"info\"\n"+c.rule)
			if diff := cmp.Diff(c.want, p.strange); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// A sample may say what comes before it; samples know nothing of each other.
func TestSamplesOfSessions(t *testing.T) {
	if err := parse(t, dirPack).Check(); err != nil {
		t.Error(err)
	}
	const at = "28: rule refused: sample \"conn=7 err=49\" "
	for _, c := range []struct{ name, old, new, want string }{
		{"another address", `addr = "192.0.2.1"`, `addr = "192.0.2.2"`, at + "has address 192.0.2.1, not 192.0.2.2"},
		{"another account", `account = "cn=bob"`, `account = "cn=eve"`, at + `has account "cn=bob", not "cn=eve"`},
		{"a line before that means nothing", `conn=7 ACCEPT from 192.0.2.1:99"`, `conn=7 ACCEPTED from 192.0.2.1:99"`, at + `has no address, and "conn=7 ACCEPTED from 192.0.2.1:99" before it matches nothing; compare it with the pattern letter by letter`},
		{"another session before", `"conn=7 ACCEPT`, `"conn=8 ACCEPT`, at + "has no address"},
		{"under another name", `conn=7 ACCEPT from 192.0.2.1:99"`, `hello 192.0.2.1 at x of q"`, at + "has no address"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := parse(t, replaceOnce(t, dirPack, c.old, c.new)).Check()
			if err == nil {
				t.Fatal("the sample holds")
			}
			if diff := cmp.Diff([]string{c.want}, told(t, err)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// A pack that extends another uses its sessions, and may not take away what they
// begin with.
func TestExtendSessions(t *testing.T) {
	library := Library{Packs: []*Pack{parse(t, dirPack)}}
	p, err := library.Parse("own.toml", []byte("[pack]\nextends = \"dir\"\n[[rule]]\nname = \"own\"\nevent = \"failure\"\npattern = \"conn=<conn:int> gone\"\nsession = \"conn\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	set := compiled(t, p)
	set.AppendMatches(nil, dirEntry(t, "conn=7 ACCEPT from 192.0.2.1:99"))
	want := []outcome{{Rule: "dir/own", Addr: "192.0.2.1"}}
	if diff := cmp.Diff(want, outcomes(set.AppendMatches(nil, dirEntry(t, "at=5m | conn=7 gone")))); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if got := outcomes(set.AppendMatches(nil, dirEntry(t, "at=11m | conn=7 gone"))); got[0].Addr != "" {
		t.Errorf("the session lasts longer than the pack says: %v", got)
	}
	_, err = library.Parse("door.toml", []byte("[pack]\nextends = \"dir\"\ndisable = [\"hello\"]\n"))
	if diff := cmp.Diff([]string{`76: rule bye: no rule binds ["pid", "id"]; write bind = ["pid", "id"] in the rule of the line that names the client`}, told(t, err)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
