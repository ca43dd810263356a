package decide

import (
	"flag"
	"iter"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bailiff/rules"
)

const forget = time.Hour

// The random histories on which properties are tried: every day enough, and as many as
// somebody has time for.
var (
	first = flag.Uint64("first", 0, "the first random history")
	many  = flag.Int("histories", 0, "how many random histories properties are tried on; 0 is enough for every day")
)

// seeds are the histories that are tried, so many of them on every day.
func seeds(everyDay int) iter.Seq[uint64] {
	n := everyDay
	switch {
	case *many > 0:
		n = *many
	case testing.Short():
		n /= 20
	}
	return func(yield func(uint64) bool) {
		for i := range uint64(n) {
			if !yield(*first + i) {
				return
			}
		}
	}
}

// trace logs what happens in a history that is run alone.
func trace(t *testing.T, what ...any) {
	if *many == 1 {
		t.Helper()
		t.Log(what...)
	}
}

// slack is more than a match of the model can be late.
const slack = 91 * time.Second

// record is a History that remembers what it is told.
type record struct {
	strikes []Strike
	bans    []Decision
}

func (r *record) Strikes(p netip.Prefix, jail string, since time.Time) ([]Strike, error) {
	var out []Strike
	for _, s := range r.strikes {
		if s.Prefix == p && (jail == "" || s.Jail == jail) && (s.Until.IsZero() || !s.Until.Before(since)) {
			out = append(out, s)
		}
	}
	return out, nil
}

func (r *record) commit(ds []Decision) {
	for _, d := range ds {
		if d.Action == Ban && !d.Simulated {
			r.bans = append(r.bans, d)
			r.strikes = append(r.strikes, Strike{d.Prefix, d.Jail, d.At, d.Until, d.Spoofable})
		}
	}
}

// TestEngineAgreesWithModel runs random histories through the engine and
// the model: late, reordered, repeated lines, several witnesses, sources and
// services, commits at random and restarts in between.
func TestEngineAgreesWithModel(t *testing.T) {
	for seed := range seeds(20_000) {
		r := rand.New(rand.NewPCG(seed, 7))
		opt := DefaultOptions()
		opt.Escalation = Escalation{Factor: 2, ForgetAfter: forget}
		jail := Jail{
			Name: "j", Packs: []string{"p"}, MaxRetry: 1 + r.IntN(6), MaxChallenges: r.IntN(8),
			FindTime: time.Duration(1+r.IntN(60)) * time.Second, BanTime: time.Duration(1+r.IntN(30)) * time.Second,
			GroupBy: GroupBy(r.IntN(4)), Prefix4: 24, Prefix6: 56,
			Spoofable: SpoofablePolicy(r.IntN(3)), SpoofableBan: time.Duration(1+r.IntN(30)) * time.Second,
			KnownGoodFactor: 1 + r.IntN(3),
		}
		if r.IntN(3) == 0 && jail.GroupBy != ByAddressAccount {
			jail.Distinct = 1 + r.IntN(jail.MaxRetry)
		}
		if r.IntN(8) == 0 && jail.GroupBy != ByPrefix {
			jail.Canaries = []string{"bob"}
		}
		opt.Jails = []Jail{jail}
		past := &record{}
		e, err := New(opt, past)
		if err != nil {
			t.Fatal(err)
		}
		m := newModel(jail)
		windows := map[string]Window{}
		var pending []Decision
		var known []Known
		var got, want []string
		clock := time.Unix(1_800_000_000, 0)
		for range 120 {
			clock = clock.Add(time.Duration(r.IntN(4000)) * time.Millisecond)
			match := randomMatch(r, clock)
			now := clock
			var decided []string
			for _, d := range e.Observe(&match, now) {
				if d.Action != Ban {
					continue // an alarm instead of a ban
				}
				kind := "ban"
				if d.Spoofable {
					kind = "short ban"
				}
				decided = append(decided, m.ban(kind, d.Prefix.String(), d.At, d.Until, d.Attempts))
				pending = append(pending, d)
			}
			slices.Sort(decided)
			expected := m.observe(match, 2)
			got, want = append(got, decided...), append(want, expected...)
			trace(t, match.Addr, match.Time.UnixMilli(), match.Event, match.Account, match.Count, match.Source, match.Rule.Name, match.Evidence(), "model", expected, "engine", decided)
			if r.IntN(5) == 0 {
				past.commit(pending)
				pending = nil
				e.Committed()
				keep(t, windows, e.Touched())
			}
			// What is silent may be forgotten, as long as nothing can come
			// any more that belongs to it.
			e.Expire(clock.Add(-slack))
			if r.IntN(20) == 0 {
				past.commit(pending)
				pending = nil
				keep(t, windows, e.Touched())
				known = append(known, e.KnownTouched()...)
				trace(t, "restart")
				standing := past.bans // with those that have ended: late lines may be of their time
				if e, err = New(opt, past); err != nil {
					t.Fatal(err)
				}
				e.Recognise(known)
				e.Restore(standing, slices.Collect(maps.Values(windows)), now)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("-first %d, jail %+v: (-model +engine)\n%s", seed, jail, diff)
		}
	}
}

// keep stores windows as the store does, through their bytes.
func keep(t *testing.T, into map[string]Window, touched []Window) {
	t.Helper()
	for _, w := range touched {
		key := w.Jail + w.Prefix.String() + w.Account
		if w.Empty() {
			delete(into, key)
			continue
		}
		b, err := w.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		var back Window
		if err := back.UnmarshalBinary(b); err != nil {
			t.Fatal(err)
		}
		into[key] = back
	}
}

var modelRules = []*rules.Rule{
	{Pack: "p", Name: "a", Service: "ssh", Witness: "main", PerAttempt: 1, Weight: 1, Evidence: rules.Proven},
	{Pack: "p", Name: "b", Service: "ssh", Witness: "main", PerAttempt: 2, Weight: 1, Evidence: rules.Proven},
	{Pack: "p", Name: "c", Service: "ssh", Witness: "pam", PerAttempt: 1, Weight: 2, Evidence: rules.Proven},
	{Pack: "p", Name: "d", Service: "sip", Witness: "main", PerAttempt: 3, Weight: 1},
	{Pack: "p", Name: "e", Service: "sip", Witness: "main", PerAttempt: 1, Weight: 1},
}

func randomMatch(r *rand.Rand, clock time.Time) rules.Match {
	at := clock
	if r.IntN(4) == 0 { // late or reordered
		at = at.Add(-time.Duration(r.IntN(90_000)) * time.Millisecond)
	}
	event, account := rules.Failure, []string{"", "alice", "bob"}[r.IntN(3)]
	switch r.IntN(12) {
	case 0:
		event = rules.Success
	case 1, 2, 3:
		event = rules.Challenge
	}
	return rules.Match{
		Rule: modelRules[r.IntN(len(modelRules))], Event: event, Account: account, Count: 1 + r.IntN(2)*r.IntN(3),
		Addr: netip.AddrFrom4([4]byte{198, 51, 100, byte(1 + r.IntN(3))}), Time: at, Received: clock,
		Source: []string{"journald", "udp"}[r.IntN(2)], Spoofable: r.IntN(6) == 0,
	}
}
