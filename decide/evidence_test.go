package decide

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bailiff/rules"
)

var sip = &rules.Rule{Pack: "asterisk", Name: "wrong-password", Service: "sip", Witness: "main", PerAttempt: 1, Weight: 1}

// packet is a failure that anybody could have sent in the name of addr.
func packet(addr, account string, at time.Time) *rules.Match {
	return &rules.Match{
		Rule: sip, Event: rules.Failure, Addr: netip.MustParseAddr(addr), Account: account, Count: 1,
		Time: at, Received: at, Source: "udp", Line: "wrong password of " + account + " from " + addr,
	}
}

func proven(m *rules.Match) *rules.Match {
	own := *sip
	own.Name, own.Evidence = "wrong-password-tcp", rules.Proven
	m.Rule = &own
	return m
}

var sipPorts = []Port{{"udp", 5060}, {"tcp", 5060}, {"udp", 5061}, {"tcp", 5061}}

func pbx() Jail { return DefaultJail("pbx", "asterisk") }

// A flood of forged packets silences an office for ten minutes, on SIP alone, and
// not for longer the tenth time.
func TestSpoofableBansAreShort(t *testing.T) {
	j := pbx()
	j.BanTime = time.Hour
	past := &record{}
	e := newEngine(t, past, j)
	at := epoch
	for range 10 {
		var got []Decision
		for range 5 {
			at = at.Add(time.Second)
			got = append(got, e.Observe(packet("198.51.100.8", "101", at), at)...)
		}
		if len(got) != 1 {
			t.Fatalf("decided %+v", got)
		}
		want := Decision{
			ID: got[0].ID, Action: Ban, Prefix: prefix("198.51.100.8/32"), At: at, Until: at.Add(10 * time.Minute), Jail: "pbx",
			Rule: "asterisk/wrong-password", Origin: "rules", Attempts: 5, Spoofable: true, Ports: sipPorts, Evidence: got[0].Evidence,
			Sums: []Sum{{"sip", "main", "udp", 5, 5}},
		}
		if diff := cmp.Diff(want, got[0], cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
			t.Fatalf("(-want +got)\n%s", diff)
		}
		past.commit(got)
		e.Committed()
		at = got[0].Until
		e.Expire(at)
	}
}

// During a short ban proven attempts go on counting, and bring the whole
// sentence as the first strike.
func TestProvenEvidenceOutlivesSpoofable(t *testing.T) {
	e := newEngine(t, nil, pbx())
	step := func(n int) time.Time { return seconds(n) }
	for i := range 4 {
		if got := e.Observe(proven(packet("198.51.100.8", "101", step(i))), step(i)); len(got) != 0 {
			t.Fatalf("decided %+v", got)
		}
	}
	got := e.Observe(packet("198.51.100.8", "102", step(4)), step(4))
	if len(got) != 1 || !got[0].Spoofable || got[0].Attempts != 5 {
		t.Fatalf("four proven attempts and a packet decided %+v, want a short ban", got)
	}
	if got := e.Observe(packet("198.51.100.8", "103", step(5)), step(5)); len(got) != 0 {
		t.Fatalf("a packet during it decided %+v", got)
	}
	got = e.Observe(proven(packet("198.51.100.8", "104", step(6))), step(6))
	if len(got) != 1 || got[0].Spoofable || got[0].Strike != 1 || got[0].Attempts != 5 || len(got[0].Ports) != 0 {
		t.Fatalf("the fifth proven attempt decided %+v, want the first strike", got)
	}
	if bans := e.Bans(step(7)); len(bans) != 1 || bans[0].Spoofable {
		t.Errorf("%+v stand, want the ban on proven evidence alone", bans)
	}
}

func TestSpoofablePolicies(t *testing.T) {
	for policy, want := range map[SpoofablePolicy]string{
		SpoofableShort: "ban spoofable=true strike=0 ports=4", SpoofableAlarm: "alarm spoofable=true strike=0 ports=0",
		SpoofableFull: "ban spoofable=false strike=1 ports=0",
	} {
		j := pbx()
		j.Spoofable = policy
		e := newEngine(t, nil, j)
		var got []string
		for i := range 7 {
			for _, d := range e.Observe(packet("198.51.100.8", "101", seconds(i)), seconds(i)) {
				got = append(got, fmt.Sprintf("%s spoofable=%v strike=%d ports=%d", d.Action, d.Spoofable, d.Strike, len(d.Ports)))
			}
		}
		if diff := cmp.Diff([]string{want}, got); diff != "" {
			t.Errorf("policy %d (-want +got)\n%s", policy, diff)
		}
	}
}

// Without ports a short ban would be of everything: nobody is banned then.
func TestSpoofableNeedsPorts(t *testing.T) {
	j := DefaultJail("x", "asterisk")
	e := newEngine(t, nil, j)
	unknown := *sip
	unknown.Service = "gopher"
	for i := range 5 {
		m := packet("198.51.100.8", "101", seconds(i))
		m.Rule = &unknown
		for _, d := range e.Observe(m, seconds(i)) {
			if d.Action != Alarm {
				t.Errorf("decided %+v, want an alarm", d)
			}
		}
	}
	if n := e.Stats().Doubted; n != 1 {
		t.Errorf("%d bans were doubted, want 1", n)
	}
}

func TestCanary(t *testing.T) {
	j := DefaultJail("sshd", "sshd")
	j.Canaries = []string{"oracle"}
	e := newEngine(t, nil, j)
	m := failure("198.51.100.8", epoch)
	m.Account = "oracle"
	if got := e.Observe(m, epoch); len(got) != 1 || got[0].Action != Ban || got[0].Attempts != 1 || got[0].Strike != 1 {
		t.Errorf("the first touch decided %+v", got)
	}
}

// Packets in the names of two neighbours, and an attack of a third, do not ban the network.
func TestSpoofableBansPromoteNothing(t *testing.T) {
	j := pbx()
	j.Promote4, j.PromoteAfter = true, 3
	e := newEngine(t, nil, j)
	strike := func(addr string, kind func(*rules.Match) *rules.Match) (out []Decision) {
		for i := range 5 {
			out = append(out, e.Observe(kind(packet(addr, "101", seconds(i))), seconds(i))...)
		}
		return out
	}
	forged := func(m *rules.Match) *rules.Match { return m }
	for _, addr := range []string{"198.51.100.1", "198.51.100.2"} {
		if got := strike(addr, forged); len(got) != 1 || !got[0].Spoofable {
			t.Fatalf("%+v", got)
		}
	}
	if got := strike("198.51.100.3", proven); len(got) != 1 || got[0].Prefix != prefix("198.51.100.3/32") {
		t.Errorf("one proven ban beside two that anybody could have made decided %+v", got)
	}
}

// Twelve addresses with one guess each on one account are one attack; somebody who
// mistypes his own is none.
func TestDistributedGuessing(t *testing.T) {
	j := DefaultJail("accounts", "sshd")
	j.GroupBy, j.MaxRetry, j.Distinct, j.FindTime = ByAccount, 12, 12, time.Hour
	e := newEngine(t, nil, j)
	for i := range 30 {
		if got := e.Observe(failure("203.0.113.1", seconds(i)), seconds(i)); len(got) != 0 {
			t.Fatalf("one clumsy person decided %+v", got)
		}
	}
	var got []Decision
	for i := range 11 {
		at := seconds(100 + i)
		got = append(got, e.Observe(failure(fmt.Sprintf("198.51.100.%d", i), at), at)...)
	}
	var banned []string
	for _, d := range got {
		banned = append(banned, d.Prefix.String())
		if !d.At.Equal(seconds(110)) || d.Reason != "account root is guessed from 12 addresses" {
			t.Errorf("decided %+v", d)
		}
	}
	slices.Sort(banned)
	if len(banned) != 12 || banned[11] != "203.0.113.1/32" {
		t.Errorf("banned %v, want the twelve that took part", banned)
	}
	if w := e.dockets[0].watches[key{account: "root"}]; len(w.slots) != 0 {
		t.Errorf("the window still holds %d lines", len(w.slots))
	}
}

// One who goes on alone does not fill the memory while others are waited for.
func TestDistinctIsBounded(t *testing.T) {
	j := DefaultJail("accounts", "sshd")
	j.GroupBy, j.Distinct, j.FindTime = ByAccount, 3, time.Hour
	e := newEngine(t, nil, j)
	attack(e, "203.0.113.1", epoch, 3000)
	if n := len(e.dockets[0].watches[key{account: "root"}].slots); n > j.MaxRetry+1 {
		t.Errorf("3000 lines of one address are %d slots", n)
	}
}

func TestPrefixJail(t *testing.T) {
	j := DefaultJail("nets", "sshd")
	j.GroupBy, j.Distinct = ByPrefix, 3
	e := newEngine(t, nil, j)
	var got []Decision
	for i, addr := range []string{"198.51.100.1", "198.51.100.1", "198.51.100.1", "198.51.100.1", "198.51.100.9", "198.51.100.200"} {
		if len(got) > 0 {
			t.Fatalf("decided %+v before the third address", got)
		}
		got = e.Observe(failure(addr, seconds(i)), seconds(i))
	}
	if len(got) != 1 || got[0].Prefix != prefix("198.51.100.0/24") || got[0].Attempts != 6 {
		t.Fatalf("decided %+v, want a ban of the /24", got)
	}
	if more := attack(e, "198.51.100.77", seconds(10), 20); len(more) != 0 {
		t.Errorf("a neighbour during the ban decided %+v", more)
	}
	lifts, ended := e.Lift(prefix("198.51.100.7/32"), "operator", seconds(60))
	if len(lifts) != 1 || len(ended) != 1 {
		t.Errorf("lifted %+v", lifts)
	}
	if more := attack(e, "198.51.100.77", seconds(61), 5); len(more) != 0 {
		t.Errorf("after the lift one address decided %+v", more)
	}
}
