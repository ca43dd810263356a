package decide

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bailiff/rules"
)

var epoch = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

var rule = &rules.Rule{Pack: "sshd", Name: "failed-password", Service: "ssh", Witness: "main", PerAttempt: 1, Weight: 1, Evidence: rules.Proven}

func failure(addr string, at time.Time) *rules.Match {
	return &rules.Match{
		Rule: rule, Event: rules.Failure, Addr: netip.MustParseAddr(addr), Account: "root", Count: 1,
		Time: at, Received: at, Source: "journald", Line: "Failed password for root from " + addr,
	}
}

func newEngine(t *testing.T, h History, jails ...Jail) *Engine {
	t.Helper()
	opt := DefaultOptions()
	opt.Jails = jails
	e, err := New(opt, h)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// attack puts n failures before the engine, a second apart, and returns what it
// decided.
func attack(e *Engine, addr string, at time.Time, n int) []Decision {
	var out []Decision
	for i := range n {
		at := at.Add(time.Duration(i) * time.Second)
		out = append(out, e.Observe(failure(addr, at), at)...)
	}
	return out
}

func TestBanFallsOnTheCompletingAttempt(t *testing.T) {
	e := newEngine(t, nil, DefaultJail("sshd", "sshd"))
	if got := attack(e, "198.51.100.8", epoch, 4); len(got) != 0 {
		t.Fatalf("four attempts decided %+v", got)
	}
	at := epoch.Add(4 * time.Second)
	got := e.Observe(failure("198.51.100.8", at), at)
	if len(got) != 1 {
		t.Fatalf("the fifth attempt decided %+v", got)
	}
	want := Decision{
		ID: got[0].ID, Action: Ban, Prefix: netip.MustParsePrefix("198.51.100.8/32"), At: at, Until: at.Add(10 * time.Minute),
		Jail: "sshd", Rule: "sshd/failed-password", Origin: "rules", Strike: 1, Attempts: 5, Evidence: got[0].Evidence,
		Sums: []Sum{{"ssh", "main", "journald", 5, 5}},
	}
	if diff := cmp.Diff(want, got[0], cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if len(got[0].Evidence) != 5 {
		t.Errorf("%d lines of evidence, want 5", len(got[0].Evidence))
	}
	if more := attack(e, "198.51.100.8", at.Add(time.Second), 20); len(more) != 0 {
		t.Errorf("lines during the ban decided %+v", more)
	}
}

// TestWindowSlides has the two histories on which a rough counter errs.
func TestWindowSlides(t *testing.T) {
	for _, tt := range []struct {
		name    string
		seconds []int
		ban     bool
	}{
		{"a burst that is too old", []int{0, 0, 0, 300, 650}, false},
		{"an even pace", []int{0, 150, 300, 450, 599}, true},
		{"one on the edge", []int{0, 150, 300, 450, 600}, false},
		{"the completing one comes late but in the window", []int{0, 300, 599, 400, 200}, true},
		{"late, on the edge", []int{700, 701, 702, 703, 103}, false},
		{"older than the window", []int{700, 701, 702, 703, 100}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := newEngine(t, nil, DefaultJail("sshd", "sshd"))
			bans := 0
			for _, s := range tt.seconds {
				at := epoch.Add(time.Duration(s) * time.Second)
				bans += len(e.Observe(failure("198.51.100.8", at), epoch.Add(time.Hour)))
			}
			if (bans == 1) != tt.ban {
				t.Errorf("%d bans, want a ban: %v", bans, tt.ban)
			}
		})
	}
}

// TestLadder compares the sentences with the arithmetic of a doubling ladder
// that starts with the plain ban time.
func TestLadder(t *testing.T) {
	past := &record{}
	e := newEngine(t, past, DefaultJail("sshd", "sshd"))
	at := epoch
	for strike, minutes := range []int{10, 20, 40, 80, 160, 320} {
		got := attack(e, "198.51.100.8", at, 5)
		if len(got) != 1 || got[0].Strike != strike+1 || got[0].Until.Sub(got[0].At) != time.Duration(minutes)*time.Minute {
			t.Fatalf("offence %d: %+v, want %d minutes", strike+1, got, minutes)
		}
		past.commit(got)
		e.Committed()
		at = got[0].Until.Add(time.Second)
	}
	if got := attack(e, "198.51.100.8", at.Add(91*24*time.Hour), 5); got[0].Strike != 1 {
		t.Errorf("after forget_after the strike is %d, want 1", got[0].Strike)
	}
}

func TestSentenceBounds(t *testing.T) {
	e := Escalation{Factor: 10, Max: time.Hour, Jitter: 30 * time.Minute}
	for earlier := range 400 {
		d := e.length(time.Minute, bansBefore(earlier), strings.Repeat("x", earlier))
		if d < time.Minute || d > time.Hour {
			t.Fatalf("after %d bans: %v, want between 1m and the maximum of 1h", earlier, d)
		}
	}
	if a, b := e.length(time.Minute, bansBefore(0), "one"), e.length(time.Minute, bansBefore(0), "two"); a == b {
		t.Error("jitter gives two decisions the same length")
	}
	unbounded := Escalation{Factor: 10}
	if d := unbounded.length(time.Minute, bansBefore(4000), ""); d != Forever {
		t.Errorf("an overflowing sentence is %v, want Forever", d)
	}
}

func TestKeyOfAnAddress(t *testing.T) {
	e := newEngine(t, nil, DefaultJail("sshd", "sshd"))
	e.SetGuards([]Guard{{netip.MustParsePrefix("2001:db8:1::10/128"), "own address"}}, epoch)
	for addr, want := range map[string]string{
		"198.51.100.8":        "198.51.100.8/32",
		"::ffff:198.51.100.8": "198.51.100.8/32",
		"64:ff9b::c633:6408":  "198.51.100.8/32",
		"2001:db8:2::bad":     "2001:db8:2::/64",
		"2001:db8:1::bad":     "2001:db8:1::bad/128",
		"fe80::1%eth0":        "fe80::1/128",
	} {
		if got := e.key(peerOf(netip.MustParseAddr(addr))); got.String() != want {
			t.Errorf("key of %s is %s, want %s", addr, got, want)
		}
	}
	for _, addr := range []string{"0.0.0.0", "::", "224.0.0.1", "ff02::1", "255.255.255.255"} {
		if got := attack(e, addr, epoch, 9); len(got) != 0 {
			t.Errorf("%s: decided %+v", addr, got)
		}
	}
}

func TestSuccessClearsItsOwnAccountOnly(t *testing.T) {
	e := newEngine(t, nil, DefaultJail("sshd", "sshd"))
	attack(e, "198.51.100.8", epoch, 4)
	other := failure("198.51.100.8", epoch.Add(5*time.Second))
	other.Event, other.Account = rules.Success, "alice"
	e.Observe(other, epoch)
	if got := attack(e, "198.51.100.8", epoch.Add(6*time.Second), 1); len(got) != 1 {
		t.Fatal("a login as alice forgave the guesses on root")
	}
	attack(e, "198.51.100.9", epoch, 4)
	own := failure("198.51.100.9", epoch.Add(5*time.Second))
	own.Event = rules.Success
	e.Observe(own, epoch)
	if got := attack(e, "198.51.100.9", epoch.Add(6*time.Second), 4); len(got) != 0 {
		t.Errorf("a login did not forgive the failures before it: %+v", got)
	}
}

// TestSuccessAndItsNeighbours has failures at one time on two accounts, and one
// after the success.
func TestSuccessAndItsNeighbours(t *testing.T) {
	jail := DefaultJail("sshd", "sshd")
	jail.MaxRetry, jail.KnownGoodFactor = 6, 1
	e := newEngine(t, nil, jail)
	for i := range 4 {
		m := failure("198.51.100.8", epoch)
		m.Account = []string{"root", "alice"}[i%2]
		e.Observe(m, epoch)
	}
	e.Observe(failure("198.51.100.8", seconds(2)), seconds(2)) // on root
	ok := failure("198.51.100.8", seconds(1))
	ok.Event = rules.Success // of root, before that
	e.Observe(ok, seconds(2))
	if got := attack(e, "198.51.100.8", seconds(3), 2); len(got) != 0 {
		t.Errorf("two on alice and three on root decided %+v", got)
	}
	if got := attack(e, "198.51.100.8", seconds(5), 1); len(got) != 1 {
		t.Errorf("two on alice and four on root decided %+v", got)
	}
}

func TestRepeatedLinesCount(t *testing.T) {
	e := newEngine(t, nil, DefaultJail("sshd", "sshd"))
	m := failure("198.51.100.8", epoch)
	m.Count = 2
	e.Observe(m, epoch)
	e.Observe(m, epoch)
	if got := attack(e, "198.51.100.8", epoch, 1); len(got) != 1 || got[0].Attempts != 5 {
		t.Errorf("twice two and one decided %+v", got)
	}
}

func TestGuardsForbidBans(t *testing.T) {
	e := newEngine(t, nil, DefaultJail("sshd", "sshd"))
	guard := Guard{netip.MustParsePrefix("198.51.100.0/28"), "never_ban"}
	e.SetGuards([]Guard{guard}, epoch)
	got := attack(e, "198.51.100.8", epoch, 20)
	if len(got) != 1 || got[0].Action != Alarm || !strings.Contains(got[0].Reason, "198.51.100.0/28") {
		t.Fatalf("20 attempts of a guarded address: %+v, want one alarm that names the guard", got)
	}
	for _, p := range []string{"198.51.100.8/32", "198.51.0.0/16", "198.51.100.0/30"} {
		_, err := e.Admit(Decision{Prefix: netip.MustParsePrefix(p), At: epoch, Until: epoch.Add(time.Hour)}, epoch)
		if refused := (*GuardError)(nil); !errors.As(err, &refused) || refused.Guard != guard {
			t.Errorf("ban of %s: %v, want to be refused by the guard", p, err)
		}
	}
}

func TestNewGuardLiftsBans(t *testing.T) {
	e := newEngine(t, nil, DefaultJail("sshd", "sshd"))
	attack(e, "198.51.100.8", epoch, 5)
	attack(e, "203.0.113.8", epoch, 5)
	got := e.SetGuards([]Guard{{netip.MustParsePrefix("198.51.100.0/24"), "never_ban"}}, epoch.Add(time.Minute))
	if len(got) != 1 || got[0].Action != Lift || got[0].Prefix.String() != "198.51.100.8/32" {
		t.Errorf("lifted %+v, want 198.51.100.8", got)
	}
	if bans := e.Bans(epoch.Add(time.Minute)); len(bans) != 1 || bans[0].Prefix.String() != "203.0.113.8/32" {
		t.Errorf("standing: %+v", bans)
	}
}

func TestLongestEndWins(t *testing.T) {
	short, long := DefaultJail("short", "sshd"), DefaultJail("long", "sshd")
	long.BanTime, long.MaxRetry = time.Hour, 5
	e := newEngine(t, nil, short, long)
	got := attack(e, "198.51.100.8", epoch, 5)
	if len(got) != 2 {
		t.Fatalf("decided %+v, want one ban of each jail", got)
	}
	if d, ok := e.Standing(got[0].Prefix, epoch.Add(time.Minute)); !ok || d.Jail != "long" {
		t.Errorf("standing: %+v, want that of long", d)
	}
	e.Expire(epoch.Add(30 * time.Minute))
	if all := e.Standings(epoch.Add(30 * time.Minute)); len(all) != 1 || all[0].Jail != "long" {
		t.Errorf("after the short ban ended: %+v", all)
	}
}

func TestBanOfPortsFollowsOneOfEverything(t *testing.T) {
	all, ports := DefaultJail("all", "sshd"), DefaultJail("ports", "sshd")
	ports.BanTime, ports.Ports = time.Hour, []Port{{"tcp", 22}}
	e := newEngine(t, nil, all, ports)
	got := attack(e, "198.51.100.8", epoch, 5)
	if d, ok := e.Standing(got[0].Prefix, epoch.Add(time.Minute)); !ok || d.Jail != "all" {
		t.Errorf("standing: %+v, want the ban of all traffic", d)
	}
	if next := e.Expire(epoch.Add(30 * time.Minute)); len(next) != 1 || next[0].Jail != "ports" {
		t.Errorf("after it ended holds %+v, want the ban of ports", next)
	}
}

func TestSimulatedBanHoldsNothing(t *testing.T) {
	simulated, real := DefaultJail("simulated", "sshd"), DefaultJail("real", "sshd")
	simulated.Simulate, simulated.BanTime = true, time.Hour
	e := newEngine(t, nil, simulated, real)
	got := attack(e, "198.51.100.8", epoch, 5)
	if d, ok := e.Standing(got[0].Prefix, seconds(5)); !ok || d.Jail != "real" {
		t.Errorf("holds %+v", d)
	}
	if e.Expire(epoch.Add(11 * time.Minute)); len(e.Standings(epoch.Add(11*time.Minute))) != 0 {
		t.Error("the simulated ban is left, and is enforced")
	}
}

func TestLiftStartsAfresh(t *testing.T) {
	e := newEngine(t, nil, DefaultJail("sshd", "sshd"))
	attack(e, "198.51.100.8", epoch, 5)
	now := epoch.Add(time.Minute)
	lifts, ended := e.Lift(netip.MustParsePrefix("198.51.100.0/24"), "operator", now)
	if len(lifts) != 1 || lifts[0].Action != Lift || lifts[0].Jail != "sshd" || !lifts[0].At.Equal(now) {
		t.Fatalf("lifts: %+v", lifts)
	}
	if len(ended) != 1 || ended[0].Action != Ban || ended[0].Until.Sub(ended[0].At) != 10*time.Minute || ended[0].Strike != 1 {
		t.Fatalf("ended: %+v, want the ban as it was", ended)
	}
	if got := attack(e, "198.51.100.8", now.Add(time.Second), 5); len(got) != 1 || got[0].Action != Ban {
		t.Errorf("after the lift five attempts decided %+v, want a ban", got)
	}
}

func TestForeverSilences(t *testing.T) {
	jail := DefaultJail("sshd", "sshd")
	jail.BanTime = Forever
	e := newEngine(t, nil, jail)
	if got := attack(e, "198.51.100.8", epoch, 50); len(got) != 1 || !got[0].Until.IsZero() {
		t.Fatalf("decided %+v, want one ban without an end", got)
	}
	if bans := e.Bans(epoch.Add(10_000 * time.Hour)); len(bans) != 1 {
		t.Errorf("standing: %+v", bans)
	}
}

func TestOldBanIsSpent(t *testing.T) {
	past := &record{}
	e := newEngine(t, past, DefaultJail("sshd", "sshd"))
	now := epoch.Add(24 * time.Hour)
	for i := range 5 {
		for _, d := range e.Observe(failure("198.51.100.8", epoch.Add(time.Duration(i)*time.Second)), now) {
			if !d.Spent || d.Strike != 1 {
				t.Errorf("ban of yesterday: %+v, want a spent first strike", d)
			}
			past.commit([]Decision{d})
		}
	}
	e.Committed()
	if bans := e.Bans(now); len(bans) != 0 {
		t.Errorf("standing: %+v", bans)
	}
	if got := attack(e, "198.51.100.8", now, 5); len(got) != 1 || got[0].Strike != 2 {
		t.Errorf("the next offence: %+v, want strike 2", got)
	}
}

func TestLineReadTwiceDecidesNothingNew(t *testing.T) {
	past := &record{}
	e := newEngine(t, past, DefaultJail("sshd", "sshd"))
	past.commit(attack(e, "198.51.100.8", epoch, 5))
	again := newEngine(t, past, DefaultJail("sshd", "sshd"))
	if got := attack(again, "198.51.100.8", epoch, 5); len(got) != 0 {
		t.Errorf("the same five lines decided %+v", got)
	}
}

func TestAmbiguousLineRingsAndBansNobody(t *testing.T) {
	e := newEngine(t, nil, DefaultJail("sshd", "sshd"))
	m := failure("198.51.100.8", epoch)
	m.Candidates = []netip.Addr{m.Addr, netip.MustParseAddr("192.0.2.77")}
	m.Addr = netip.Addr{}
	var got []Decision
	for range 50 {
		got = append(got, e.Observe(m, epoch)...)
	}
	if len(got) != 1 || got[0].Action != Alarm || !strings.Contains(got[0].Reason, "192.0.2.77") {
		t.Errorf("50 ambiguous lines decided %+v, want one alarm that names the candidates", got)
	}
}

// TestMatchWithoutAddress has what rules about sessions give when the session is not
// known: nobody is charged.
func TestMatchWithoutAddress(t *testing.T) {
	e := newEngine(t, nil, DefaultJail("sshd", "sshd"))
	for _, event := range []rules.Event{rules.Failure, rules.Success, rules.Challenge} {
		m := failure("198.51.100.8", epoch)
		m.Event, m.Addr = event, netip.Addr{}
		for range 50 {
			if got := e.Observe(m, epoch); len(got) != 0 {
				t.Errorf("%s without an address decided %+v", event, got)
			}
		}
	}
	if watched := e.Watched()["sshd"]; watched != 0 {
		t.Errorf("%d windows are open", watched)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	opt := DefaultOptions()
	opt.Jails, opt.MaxKeys = []Jail{DefaultJail("sshd", "sshd")}, 1000
	e, err := New(opt, nil)
	if err != nil {
		t.Fatal(err)
	}
	attack(e, "198.51.100.8", epoch, 4)
	for i := range 20_000 {
		a := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		e.Observe(failure(a.String(), epoch.Add(5*time.Second)), epoch)
	}
	if n := e.Watched()["sshd"]; n > 1000 {
		t.Errorf("%d windows, want at most 1000", n)
	}
	if e.Stats().Evicted == 0 {
		t.Error("nothing is counted as evicted")
	}
	if got := attack(e, "198.51.100.8", epoch.Add(6*time.Second), 1); len(got) != 1 {
		t.Error("the flood made the engine forget who had four attempts")
	}
}

func TestOptionsAreChecked(t *testing.T) {
	jail := func(f func(*Jail)) Options {
		o := DefaultOptions()
		j := DefaultJail("sshd", "sshd")
		f(&j)
		o.Jails = []Jail{j}
		return o
	}
	for want, o := range map[string]Options{
		"max_retry": jail(func(j *Jail) { j.MaxRetry = 0 }),
		"find_time": jail(func(j *Jail) { j.FindTime = 0 }),
		"ban_time":  jail(func(j *Jail) { j.BanTime = time.Millisecond }),
		"packs":     jail(func(j *Jail) { j.Packs = nil }),
		"canary":    jail(func(j *Jail) { j.GroupBy, j.Prefix4, j.Prefix6, j.Canaries = ByPrefix, 24, 56, []string{"admin"} }),
		"factor":    {Escalation: Escalation{Factor: 0.5}, MaxKeys: 1},
	} {
		if err := o.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Validate() = %v, want an error about %s", err, want)
		}
	}
}

func FuzzWindow(f *testing.F) {
	w := Window{Jail: "sshd", Prefix: netip.MustParsePrefix("2001:db8::/64"), Settled: epoch, Evidence: []string{"x"}}
	w.Tallies = []Tally{{Time: epoch, Rule: "a/b", Service: "ssh", Witness: "main", Origin: "udp", Account: "root", PerAttempt: 1, Weight: 1, Lines: 3}}
	seed, err := w.AppendBinary(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, b []byte) {
		var w Window
		if w.UnmarshalBinary(b) != nil {
			return
		}
		again, err := w.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		var back Window
		if err := back.UnmarshalBinary(again); err != nil {
			t.Fatalf("%+v does not survive: %v", w, err)
		}
	})
}

// bansBefore is n earlier bans that count whole.
func bansBefore(n int) past { return past{n, float64(n)} }
