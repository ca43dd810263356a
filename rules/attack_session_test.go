package rules

import "testing"

const (
	relayHead = "[pack]\nname = \"relay\"\nevidence = \"proven\"\n[pack.match]\nidentifier = [\"relayd\"]\nany_unit = true\n"
	relayBind = "[[rule]]\nname = \"client\"\nevent = \"info\"\n"
	relayUse  = "[[rule]]\nname = \"refused\"\nevent = \"failure\"\n"
)

// fatesOf attacks the rules of a pack that use sessions and have no address, with so
// many lines each.
func fatesOf(t *testing.T, doc string, lines int) (count [fates]int) {
	t.Helper()
	p := parse(t, doc)
	set := compiled(t, p)
	all, targets, _ := attackable(p)
	a := newAttack(all, 1)
	for _, s := range targets {
		if s.addressed() {
			continue
		}
		for range lines {
			a.line(s)
			fate := a.judge(set, s.rule)
			if count[fate]++; fate == forged && count[forged] == 1 {
				t.Logf("%s speaks for %v", quote(a.text()), a.named())
			}
		}
	}
	return count
}

// What a client writes on the line of a failure does not lead to the session of
// another; and a rule that lets it is found out.
func TestAttackOnSessions(t *testing.T) {
	const number = `pattern = "conn <conn:int> from <addr>:<port>"` + "\nbind = \"conn\"\n"
	const field = "field.msg = \"hello\"\nfield.conn = \"<conn:int>\"\nfield.peer = \"<addr>\"\nbind = \"conn\"\n"
	for _, c := range []struct {
		name, bind, use string
		falls           bool
	}{
		{"the key before the text", number, `pattern = "conn <conn:int> refused <user:text>"` + "\nsession = \"conn\"\n", false},
		{"the key behind it", number, `pattern = "refused <user:text> of conn <conn:int>"` + "\nsession = \"conn\"\n", false},
		{"any place in it", number, `pattern = "refused <text>conn <conn:int>,<text>"` + "\nsession = \"conn\"\n", false},
		{"a blank that is gone if the text is empty", number, `pattern = "refused <text>conn <conn:int> <text>"` + "\nsession = \"conn\"\n", true},
		{"a line that can be one of the client's", number, `pattern = "<text>conn <conn:int><text>"` + "\nsession = \"conn\"\n", true},
		{"a word before it", number, `pattern = "refused <user:word> of conn <conn:int> <text>"` + "\nsession = \"conn\"\n", true},
		{"an expression before it", number, `regex = 'refused (?P<user>[^ ]*) of conn (?P<conn>[0-9]+)(?: .*)?'` + "\nsession = \"conn\"\n", true},
		{"a word before it, and the process", `pattern = "conn <conn:int> from <addr>"` + "\nbind = [\"pid\", \"conn\"]\n", `pattern = "refused <user:word> of conn <conn:int> <text>"` + "\nsession = [\"pid\", \"conn\"]\n", false},
		{"the name that the client gives", `pattern = "call <id:word> from <addr>"` + "\nbind = \"id\"\n", `pattern = "call <id:word> refused: <text>"` + "\nsession = \"id\"\n", false},
		{"fields", field, "field.msg = \"refused <user:text>\"\nfield.conn = \"<conn:int>\"\nsession = \"conn\"\n", false},
		{"a part of a field", field, "field.msg = \"refused <user:word>, <conn:int>; <text>\"\nsession = \"conn\"\n", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			count := fatesOf(t, relayHead+relayBind+c.bind+relayUse+c.use, 3000)
			if falls := count[forged] > 0; falls != c.falls || count[charged] < 300 {
				t.Errorf("falls %t, want %t; fates %v", falls, c.falls, count)
			}
		})
	}
}
