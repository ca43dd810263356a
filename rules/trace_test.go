package rules

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bailiff/ingest"
)

const tracedPack = `
[pack]
name = "door"
cut = 300
[pack.match]
identifier = ["doord"]
unit = ["doord.service"]
[pack.define]
peer = ["<addr>:<port>", "[<addr>]:<port>"]
[[rule]]
name = "test"
event = "ignore"
pattern = "wrong key of test from <addr>:<port>"
[[rule]]
name = "wrong-key"
event = "failure"
pattern = ["wrong key of <user:text> from <peer>", "wrong key, from <peer>"]
account = "user"
[[rule]]
name = "wrong-pin"
event = "failure"
pattern = "wrong pin <int> from <addr>"
unless.addr = ["192.0.2.0/24"]
[[rule]]
name = "any-pin"
event = "info"
pattern = "wrong pin <text>"
[[rule]]
name = "by-field"
event = "failure"
field.MESSAGE_ID = "d0"
field.PEER = "<addr>"
`

// explained is what stands in a Trace, for tests.
func explained(t *testing.T, tracer *Tracer, e *ingest.Entry) []string {
	t.Helper()
	trace, ok := tracer.Explain(e)
	if !ok {
		return []string{"no lines of " + string(e.Identifier)}
	}
	out := []string{"-"}
	if trace.Match != nil {
		out[0] = trace.Match.Rule.Name
	}
	for _, r := range trace.Rules {
		fate := r.Fate
		if fate == Missing {
			fate = Unread // which text is looked for is the prefilter's business
		}
		s := r.Rule.Name + " " + string(fate)
		if r.By != nil {
			s += " by " + r.By.Name
		}
		for _, read := range r.Reads {
			s += fmt.Sprintf(" %s[%d:%d]", read.Field, read.Start, read.End)
			if read.Addr.String() != strings.Trim(read.Text[read.Start:read.End], "[]") {
				t.Errorf("%v does not stand at %d to %d of %q", read.Addr, read.Start, read.End, read.Text)
			}
		}
		for _, stop := range r.Stops {
			s += fmt.Sprintf(" | %s %d %s", stop.Field, stop.At, stop.Wanted)
			if stop.Of != "" {
				s += " of " + stop.Of
			}
			if stop.Anywhere {
				s += " ..."
			}
			if stop.Addr.IsValid() {
				s += " behind " + stop.Addr.String()
			}
		}
		out = append(out, s)
	}
	return out
}

func TestExplain(t *testing.T) {
	tracer, err := parse(t, tracedPack).Tracer()
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 300)
	for _, tt := range []struct {
		name, line string
		want       []string // who wins, then what became of the line in some rules
	}{
		{"it matches", "wrong key of bob from 192.0.2.1:22", []string{"wrong-key", "wrong-key matches [22:31]"}},
		{"brackets", "wrong key of bob from [2001:db8::1]:22", []string{"wrong-key", "wrong-key matches [22:35]"}},
		{
			"two addresses", "wrong key of bob from 192.0.2.1:22 from 192.0.2.2:22",
			[]string{"wrong-key", "wrong-key matches [40:49]"},
		},
		{"ignored", "wrong key of test from 192.0.2.1:22", []string{"test", "test matches [23:32]", "wrong-key beaten by test [23:32]"}},
		{
			"before the address", "wrong key of bob form 192.0.2.1:22",
			[]string{"-", "wrong-key unread |  18 \"rom \" of \" from \""},
		},
		{
			"nothing like it before the address", "wrong key of 192.0.2.1:22",
			[]string{"-", "wrong-key unread |  13 \" from \" ..."},
		},
		{
			"behind the address", "wrong key of bob from 192.0.2.1:22x",
			[]string{"-", "wrong-key unread |  34 the end behind 192.0.2.1"},
		},
		{
			"behind each address", "wrong key of bob from 192.0.2.1 and from 192.0.2.2: 7",
			[]string{"-", "wrong-key unread |  31 \":\" behind 192.0.2.1 |  51 <port> behind 192.0.2.2"},
		},
		{
			"no address", "wrong key of bob from host.example:22",
			[]string{"-", "wrong-key unread |  22 an address"},
		},
		{"a wrong letter", "wrong kay of bob from host.example:22", []string{"-", "wrong-key unread |  7 \"ey of \" of \"wrong key of \""}},
		{"nothing like any", "x", []string{"-"}},
		{"excepted", "wrong pin 7 from 192.0.2.1", []string{"any-pin", "wrong-pin excepted [17:26]", "any-pin matches"}},
		{"beaten", "wrong pin 7 from 198.51.100.1", []string{"wrong-pin", "wrong-pin matches [17:29]", "any-pin beaten by wrong-pin"}},
		{"a placeholder", "wrong pin x from 198.51.100.1", []string{"any-pin", "wrong-pin unread |  10 <int>", "any-pin matches"}},
		{"cut", "wrong key of " + long + " from 192.0.2.1:22", []string{"-", "wrong-key cut"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := explained(t, tracer, entry("doord", tt.line))
			if got[0] != tt.want[0] {
				t.Errorf("%s wins, want %s", got[0], tt.want[0])
			}
			for _, want := range tt.want[1:] {
				if !slices.Contains(got, want) {
					t.Errorf("no %q in\n%s", want, strings.Join(got, "\n"))
				}
			}
		})
	}
	t.Run("fields", func(t *testing.T) {
		e := entry("doord", "x")
		e.Fields = attackFields{{"MESSAGE_ID", []byte("d1")}}
		want := []string{"-", "by-field unread | MESSAGE_ID 1 \"0\" of \"d0\" | PEER 0 the field"}
		if diff := cmp.Diff(want, explained(t, tracer, e)); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		e.Fields = attackFields{{"MESSAGE_ID", []byte("d0")}, {"PEER", []byte("192.0.2.1")}}
		if diff := cmp.Diff([]string{"by-field", "by-field matches PEER[0:9]"}, explained(t, tracer, e)); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
	t.Run("another daemon", func(t *testing.T) {
		if _, ok := tracer.Explain(entry("sshd", "x")); ok {
			t.Error("the pack explains what it does not read")
		}
	})
	t.Run("trust", func(t *testing.T) {
		e := entry("doord", "wrong key of bob from 192.0.2.1:22")
		trace, _ := tracer.Explain(e)
		e.Unit = []byte("other.service")
		if tracer.Believes(e, trace.Match.Rule) {
			t.Error("another unit is believed")
		}
		e.Unit = []byte("doord.service")
		if !tracer.Believes(e, trace.Match.Rule) {
			t.Error("the unit is not believed")
		}
		e.Vouched, e.Unit = true, []byte("other.service")
		if got := explained(t, tracer, e); got[1] != "wrong-key untrusted" {
			t.Errorf("%q", got)
		}
	})
}

// What is explained is what happens: the matcher and the slow readers agree on every
// sample of every shipped pack, and on every sample with a piece missing.
func TestExplainAgrees(t *testing.T) {
	for _, p := range shippedPacks(t) {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			tracer, err := p.Tracer()
			if err != nil {
				t.Fatal(err)
			}
			set := compiled(t, p)
			for _, r := range p.rules {
				for i := range r.samples {
					s := &r.samples[i]
					lines := []string{s.Line}
					if n := len(s.Line); n > 0 && n < 300 && i < 2 {
						lines = append(lines, s.Line[:n/2]+s.Line[n/2+1:], s.Line[:n-1])
					}
					for _, line := range lines {
						e := entry(s.Identifier, line)
						if len(s.Field) > 0 {
							e.Fields = s.Field
						}
						agrees(t, tracer, set, e)
					}
				}
			}
		})
	}
}

func agrees(t *testing.T, tracer *Tracer, set *Set, e *ingest.Entry) {
	t.Helper()
	trace, ok := tracer.Explain(e)
	if !ok {
		t.Fatalf("%q is not explained", e.Message)
	}
	matches := set.AppendMatches(nil, e)
	if len(matches) == 0 {
		if trace.Match != nil {
			t.Errorf("%q is said to match %s", e.Message, trace.Match.Rule)
		}
	} else if trace.Match == nil || trace.Match.Rule.Name != matches[0].Rule.Name || trace.Match.Addr != matches[0].Addr {
		t.Errorf("%q matches %s, %v; the trace says %+v", e.Message, matches[0].Rule, matches[0].Addr, trace.Match)
	}
	for _, r := range tracer.rules {
		if !slices.Contains(r.identifiers, string(e.Identifier)) {
			continue
		}
		var read RuleTrace
		if readable := r.furthest(e, &read); !r.cuts(e) && len(r.conditions) == 0 {
			v := r.judge(e)
			if reads := v.form != nil || v.excepted; reads != readable {
				t.Errorf("%s reads %q: %v, and is said to: %v", r.Name, e.Message, reads, readable)
			}
		}
	}
}

func TestAddressesOfText(t *testing.T) {
	got := addresses("x 192.0.2.1 [2001:db8::1]:22 1.2.3.4.example")
	want := []string{"2001:db8::1", "2001:db8::1", "192.0.2.1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := netip.ParseAddr(got[0]); err != nil {
		t.Error(err)
	}
}
