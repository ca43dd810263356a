package rules

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A rule may be about a unit of its own.
func TestRuleUnit(t *testing.T) {
	const doc = `
[pack]
name = "door"
[pack.match]
identifier = ["doord"]
unit = ["doord.service"]
uid = [0]
[[rule]]
name = "gate"
event = "failure"
unit = ["gate@*.service"]
pattern = "no pin from <addr>"
[[rule]]
name = "gate-text"
event = "failure"
unit = ["gate@*.service"]
pattern = "<text> to <addr>"
[[rule]]
name = "door"
event = "failure"
pattern = "no <text> from <addr>"
`
	anyUnit := "any_unit = true"
	for _, c := range []struct {
		name, head, unit string
		uid              int
		msg              string
		want             []outcome
		refused          uint64
	}{
		{name: "the rule's", unit: "gate@1.service", msg: "no pin from 192.0.2.1", want: []outcome{{Rule: "door/gate", Addr: "192.0.2.1"}}, refused: 0},
		{name: "the pack's", unit: "doord.service", msg: "no pin from 192.0.2.1", want: []outcome{{Rule: "door/door", Addr: "192.0.2.1"}}},
		{name: "nobody's", unit: "cron.service", msg: "no pin from 192.0.2.1", refused: 1},
		{name: "only another rule reads it", unit: "gate@1.service", msg: "no key from 192.0.2.1", refused: 1},
		{name: "the pack's user holds", unit: "gate@1.service", uid: 7, msg: "no pin from 192.0.2.1", refused: 1},
		{name: "what is not of its unit reads no address", unit: "doord.service", msg: "no pin to 192.0.2.2 from 192.0.2.1", want: []outcome{{Rule: "door/door", Addr: "192.0.2.1"}}},
		{name: "any unit but for the rule", head: anyUnit, unit: "cron.service", msg: "no pin from 192.0.2.1", want: []outcome{{Rule: "door/door", Addr: "192.0.2.1"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := doc
			if c.head != "" {
				text = replaceOnce(t, text, `unit = ["doord.service"]`, c.head)
			}
			set := compiled(t, parse(t, text))
			e := entry("doord", c.msg)
			e.Vouched, e.Unit, e.UID = true, []byte(c.unit), c.uid
			if diff := cmp.Diff(c.want, outcomes(set.AppendMatches(nil, e))); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			var refused uint64
			for _, r := range set.Refused() {
				refused += r.N
			}
			if refused != c.refused {
				t.Errorf("%d refused, want %d", refused, c.refused)
			}
			e.Vouched = false
			if got := outcomes(set.AppendMatches(nil, e)); len(got) != 1 {
				t.Errorf("a source that vouches for nothing: %v", got)
			}
		})
	}
}
