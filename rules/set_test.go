package rules

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"bailiff/ingest"
)

const doorHead = `
[pack]
name = "door"
cut = 300
[pack.match]
identifier = ["doord", "doord-child"]
unit = ["doord.service", "doord@*.service"]
uid = [0, 42]
`

// doorPack is a pack of some rules for the tests to match with.
const doorPack = doorHead + `
[[rule]]
name = "wrong-key"
event = "failure"
pattern = "wrong key of <user:text> from <addr>:<port>"
account = "user"
[[rule]]
name = "wrong-pin"
event = "failure"
service = "pin"
witness = "pad"
per_attempt = 2
weight = 3
pattern = ["wrong pin from <addr> for <user:text>", "no pin from <addr>"]
account = "user"
[[rule]]
name = "two-texts"
event = "failure"
pattern = "<text> came by <addr> and left <text>"
[[rule]]
name = "two-texts-again"
event = "failure"
pattern = "<text> came by <addr> and <text> left <text>"
[[rule]]
name = "monitor"
event = "ignore"
pattern = "wrong key of monitor from <addr>:<port>"
[[rule]]
name = "drill"
event = "ignore"
pattern = "drill: <text>"
[[rule]]
name = "noise"
event = "info"
pattern = "the door <who:text>"
account = "who"
[[rule]]
name = "bell"
event = "failure"
cut = 100
pattern = "<text> rang from <addr>"
[[rule]]
name = "child"
event = "info"
identifier = ["doord-child"]
pattern = "child of <addr>"
`

func parse(t testing.TB, doc string) *Pack {
	t.Helper()
	p, err := Parse("door.toml", []byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// replaceOnce replaces what must be in the text.
func replaceOnce(t testing.TB, text, old, new string) string {
	t.Helper()
	if !strings.Contains(text, old) {
		t.Fatalf("there is no %q", old)
	}
	return strings.Replace(text, old, new, 1)
}

func compiled(t testing.TB, packs ...*Pack) *Set {
	t.Helper()
	s, err := Compile(packs...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func entry(identifier, msg string) *ingest.Entry {
	return &ingest.Entry{Identifier: []byte(identifier), Message: []byte(msg), UID: -1, PID: -1, Repeat: 1}
}

// outcome is what the tests ask of a match.
type outcome struct {
	Rule, Addr, Account string
	Candidates          []string
}

func outcomes(matches []Match) (out []outcome) {
	for _, m := range matches {
		o := outcome{Rule: m.Rule.String(), Account: m.Account}
		if m.Addr.IsValid() {
			o.Addr = m.Addr.String()
		}
		for _, c := range m.Candidates {
			o.Candidates = append(o.Candidates, c.String())
		}
		out = append(out, o)
	}
	return out
}

func TestMatch(t *testing.T) {
	set := compiled(t, parse(t, doorPack))
	long := strings.Repeat("x", 400)
	for _, c := range []struct {
		name, identifier, msg string
		truncated             bool
		want                  *outcome
	}{
		{name: "plain", msg: "wrong key of bob from 192.0.2.1:7", want: &outcome{Rule: "door/wrong-key", Addr: "192.0.2.1", Account: "bob"}},
		{name: "v6 in brackets", msg: "wrong key of bob from [2001:db8::1]:7", want: &outcome{Rule: "door/wrong-key", Addr: "2001:db8::1", Account: "bob"}},
		{name: "zone and mapping are dropped", msg: "no pin from fe80::1%eth0.7", want: &outcome{Rule: "door/wrong-pin", Addr: "fe80::1"}},
		{name: "mapped", msg: "no pin from ::ffff:192.0.2.1", want: &outcome{Rule: "door/wrong-pin", Addr: "192.0.2.1"}},
		{name: "an imitation before the address", msg: "wrong key of x from 192.0.2.9:7 from 192.0.2.1:7", want: &outcome{Rule: "door/wrong-key", Addr: "192.0.2.1", Account: "x from 192.0.2.9:7"}},
		{name: "an imitation behind it", msg: "wrong pin from 192.0.2.1 for x from 192.0.2.9 for y", want: &outcome{Rule: "door/wrong-pin", Addr: "192.0.2.1", Account: "x from 192.0.2.9 for y"}},
		{name: "text before the message", msg: "x wrong key of bob from 192.0.2.1:7"},
		{name: "text behind the message", msg: "wrong key of bob from 192.0.2.1:7 "},
		{name: "no address", msg: "wrong key of bob from example.org:7"},
		{name: "another identifier", identifier: "door", msg: "wrong key of bob from 192.0.2.1:7"},
		{name: "a rule of its own identifier", identifier: "doord-child", msg: "child of 192.0.2.1", want: &outcome{Rule: "door/child", Addr: "192.0.2.1"}},
		{name: "and of no other", msg: "child of 192.0.2.1"},
		{name: "ignored", msg: "wrong key of monitor from 192.0.2.1:7", want: &outcome{Rule: "door/monitor", Addr: "192.0.2.1"}},
		{name: "ignored, whatever others read", msg: "drill: a came by 192.0.2.2 and left b", want: &outcome{Rule: "door/drill"}},
		{name: "without an address", msg: "the door is at 192.0.2.1", want: &outcome{Rule: "door/noise", Account: "is at 192.0.2.1"}},
		{
			name: "two readings of one rule", msg: "a came by 192.0.2.2 and left b came by 192.0.2.1 and left c",
			want: &outcome{Rule: "door/two-texts", Candidates: []string{"192.0.2.2", "192.0.2.1"}},
		},
		{
			name: "readings of two rules", msg: "a came by 192.0.2.2 and left b came by 192.0.2.1 and she left c",
			want: &outcome{Rule: "door/two-texts", Candidates: []string{"192.0.2.2", "192.0.2.1"}},
		},
		{
			name: "the same address twice", msg: "a came by 192.0.2.2 and left b came by ::ffff:192.0.2.2 and left c",
			want: &outcome{Rule: "door/two-texts", Addr: "192.0.2.2"},
		},
		{name: "as long as the daemon cuts", msg: "wrong key of " + long[:300-13-17] + " from 192.0.2.1:7"},
		{name: "one byte less", msg: "wrong key of " + long[:300-13-18] + " from 192.0.2.1:7", want: &outcome{Rule: "door/wrong-key", Addr: "192.0.2.1", Account: long[:MaxAccount]}},
		{name: "as long as the rule says", msg: long[:100-20] + " rang from 192.0.2.1"},
		{name: "and one byte less", msg: long[:100-21] + " rang from 192.0.2.1", want: &outcome{Rule: "door/bell", Addr: "192.0.2.1"}},
		{name: "cut, and the address cannot be behind", msg: "wrong pin from 192.0.2.1 for " + long, want: &outcome{Rule: "door/wrong-pin", Addr: "192.0.2.1", Account: long[:MaxAccount]}},
		{name: "cut, and it may be", msg: "wrong key of " + long + " from 192.0.2.1:7"},
		{name: "truncated on the way", truncated: true, msg: "wrong key of bob from 192.0.2.1:7"},
		{name: "truncated, too short to tell", truncated: true, msg: "no pin from 192.0.2.1"},
		{name: "truncated, without an address", truncated: true, msg: "the door is open", want: &outcome{Rule: "door/noise", Account: "is open"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.identifier == "" {
				c.identifier = "doord"
			}
			e := entry(c.identifier, c.msg)
			e.Truncated = c.truncated
			var want []outcome
			if c.want != nil {
				want = []outcome{*c.want}
			}
			if diff := cmp.Diff(want, outcomes(set.AppendMatches(nil, e))); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestMatchCarriesTheEntry(t *testing.T) {
	set := compiled(t, parse(t, doorPack))
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	msg := []byte("wrong pin from 192.0.2.1 for " + strings.Repeat("x", 1000))
	e := &ingest.Entry{
		Source: "udp", Time: at, Received: at.Add(time.Second), Peer: netip.MustParseAddrPort("198.51.100.2:514"), Host: []byte("pbx"),
		Identifier: []byte("doord"), Message: msg, UID: -1, PID: -1, Repeat: 7, Spoofable: true,
	}
	before := []Match{{Account: "first"}}
	got := set.AppendMatches(before, e)
	clear(msg) // the match owns what it holds
	clear(e.Host)
	want := []Match{{Account: "first"}, {
		Rule: &Rule{Pack: "door", Name: "wrong-pin", Event: Failure, Service: "pin", Witness: "pad", PerAttempt: 2, Weight: 3},
		Addr: netip.MustParseAddr("192.0.2.1"), Account: strings.Repeat("x", MaxAccount), Count: 7,
		Time: at, Received: at.Add(time.Second), Source: "udp", Origin: "198.51.100.2", Host: "pbx",
		Line: "wrong pin from 192.0.2.1 for " + strings.Repeat("x", MaxEvidence-29), Spoofable: true,
	}}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestCandidatesAreBounded(t *testing.T) {
	set := compiled(t, parse(t, doorPack))
	var msg strings.Builder
	for i := range 12 {
		fmt.Fprintf(&msg, "x came by 192.0.2.%d and left ", i)
	}
	got := set.AppendMatches(nil, entry("doord", msg.String()))
	if len(got) != 0 { // it is longer than the daemon cuts
		t.Fatalf("a cut line matched: %v", got)
	}
	set = compiled(t, parse(t, strings.Replace(doorPack, "cut = 300", "", 1)))
	got = set.AppendMatches(nil, entry("doord", msg.String()))
	if len(got) != 1 || len(got[0].Candidates) != MaxCandidates || got[0].Addr.IsValid() || !got[0].Ambiguous() {
		t.Fatalf("got %+v", got)
	}
}

// A client can fill what the daemon cuts with blanks and colours, which are taken
// out before the line is read.
func TestCutIsMeasuredAsWritten(t *testing.T) {
	set := compiled(t, parse(t, doorPack))
	imitation := "wrong key of x from 192.0.2.77:7"
	for _, tail := range []string{strings.Repeat(" ", 300), strings.Repeat("#033[1m", 50), strings.Repeat("\x1b[m", 100)} {
		e := entry("doord", "")
		e.SetMessage([]byte((imitation + tail)[:300]))
		if got := set.AppendMatches(nil, e); len(got) != 0 {
			t.Errorf("what stood behind %q is believed to be all: %v", e.Message, got[0].Addr)
		}
	}
}

func TestTrust(t *testing.T) {
	doc := func(match string) string {
		return "[pack]\nname = \"door\"\n[pack.match]\nidentifier = [\"doord\"]\n" + match +
			"\n[[rule]]\nname = \"no-pin\"\nevent = \"failure\"\npattern = \"no pin from <addr>\"\n"
	}
	for _, c := range []struct {
		name, match string
		vouched     bool
		unit        string
		uid         int
		believed    bool
	}{
		{"its unit", `unit = ["doord.service"]`, true, "doord.service", 7, true},
		{"a glob", `unit = ["x.service", "doord@*.service"]`, true, "doord@front.service", 7, true},
		{"another unit", `unit = ["doord.service"]`, true, "session-3.scope", 0, false},
		{"the unit is a part", `unit = ["doord.service"]`, true, "doord.service2", 0, false},
		{"a glob stays within a name", `unit = ["doord@*.service"]`, true, "doord@/x.service", 0, false},
		{"no unit", `unit = ["doord.service"]`, true, "", 0, false},
		{"its user", "unit = [\"doord.service\"]\nuid = [7]", true, "doord.service", 7, true},
		{"another user", "unit = [\"doord.service\"]\nuid = [7]", true, "doord.service", 8, false},
		{"any unit", `any_unit = true`, true, "session-3.scope", 1000, true},
		{"any unit of one user", "any_unit = true\nuid = [0]", true, "session-3.scope", 1000, false},
		{"a pack that does not read the journal", "", true, "doord.service", 0, false},
		{"not vouched for", `unit = ["doord.service"]`, false, "", -1, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			set := compiled(t, parse(t, doc(c.match)))
			e := entry("doord", "no pin from 192.0.2.1")
			e.Vouched, e.Unit, e.UID = c.vouched, []byte(c.unit), c.uid
			for range 2 {
				if got := set.AppendMatches(nil, e); (len(got) == 1) != c.believed {
					t.Errorf("matches %v, believed %t", got, c.believed)
				}
			}
			e.Message = []byte("nothing that matches")
			set.AppendMatches(nil, e)
			var want []Refusal
			if !c.believed {
				want = []Refusal{{Pack: "door", N: 2, Unit: c.unit, UID: c.uid, Line: "no pin from 192.0.2.1"}}
			}
			if diff := cmp.Diff(want, set.Refused()); diff != "" {
				t.Errorf("refusals (-want +got)\n%s", diff)
			}
		})
	}
}

func TestPacksDoNotKnowOfEachOther(t *testing.T) {
	second := strings.Replace(doorPack, `name = "door"`, `name = "gate"`, 1)
	set := compiled(t, parse(t, doorPack), parse(t, second))
	got := outcomes(set.AppendMatches(nil, entry("doord", "wrong key of monitor from 192.0.2.1:7")))
	want := []outcome{{Rule: "door/monitor", Addr: "192.0.2.1"}, {Rule: "gate/monitor", Addr: "192.0.2.1"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if _, err := Compile(parse(t, doorPack), parse(t, doorPack)); err == nil {
		t.Error("two packs of one name made a set")
	}
}

func TestNoMatchCostsNoMemory(t *testing.T) {
	packs, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	set := compiled(t, append(packs, parse(t, dirPack), parse(t, wardenPack))...)
	var dst []Match
	for _, e := range []*ingest.Entry{
		entry("CRON", "(root) CMD (true)"),
		entry("sshd", "Server listening on 0.0.0.0 port 22."),
		entry("sshd", "pam_unix(sshd:session): session opened for user alice(uid=1000) by (uid=0)"),
		entry("sshd", "Failed password for invalid user x from 192.0.2.1 port 22 ssh3"),
		entry("asterisk", "NOTICE[7820]: chan_sip.c:29058 in f: Registration from 'x' failed for '192.0.2.1:5' - Wrong pass"),
		entry("asterisk", "NOTICE[7820]: chan_sip.c:29058 in f: Registration from 'x' failed for '192.0.2.1' - Wrong password"),
		entry("dird", "conn=7 err=50"),
		entry("dird", "conn=x ACCEPT from 192.0.2.1:99"),
		entry("wardend", "refused from 192.0.2.7"), // excepted
	} {
		if n := testing.AllocsPerRun(100, func() { dst = set.AppendMatches(dst[:0], e) }); n != 0 || len(dst) != 0 {
			t.Errorf("%s: %q: %v allocations, %d matches", e.Identifier, e.Message, n, len(dst))
		}
	}
}

// Without text a match is what it is with it, but for the text, and costs nothing.
func TestOmitText(t *testing.T) {
	full, bare := compiled(t, parse(t, doorPack)), compiled(t, parse(t, doorPack))
	bare.OmitText()
	var dst []Match
	for _, msg := range []string{
		"wrong key of alice from 192.0.2.1:22",
		"a came by 192.0.2.1 and left b came by 192.0.2.2 and left c",
		"the door bob",
		"nothing",
	} {
		e := entry("doord", msg)
		e.Host = []byte("host")
		want := full.AppendMatches(nil, e)
		for i := range want {
			want[i].Rule, want[i].Host, want[i].Account, want[i].Line = nil, "", "", ""
		}
		got := bare.AppendMatches(nil, e)
		for i := range got {
			got[i].Rule = nil
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
			t.Errorf("%s (-want +got)\n%s", msg, diff)
		}
		if n := testing.AllocsPerRun(100, func() { dst = bare.AppendMatches(dst[:0], e) }); n != 0 && len(got) > 0 && !got[0].Ambiguous() {
			t.Errorf("%s: %v allocations", msg, n)
		}
	}
}

func TestSetIsShared(t *testing.T) {
	set := compiled(t, parse(t, doorPack))
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 500 {
				addr := fmt.Sprintf("192.0.2.%d", (g*500+i)%256)
				e := entry("doord", "no pin from "+addr)
				e.Vouched, e.UID, e.Unit = i%5 == 0, 1, []byte("x")
				got := set.AppendMatches(nil, e)
				if e.Vouched != (len(got) == 0) || !e.Vouched && got[0].Addr.String() != addr {
					t.Errorf("%s: %v", addr, got)
				}
			}
		})
	}
	wg.Wait()
	if n := set.Refused()[0].N; n != 4*100 {
		t.Errorf("%d refused, want 400", n)
	}
}
