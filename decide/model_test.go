package decide

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bailiff/rules"
)

// model is the window and the ladder said in the simplest way: it keeps every
// match and counts them all anew each time.
type model struct {
	jail    Jail
	seen    map[netip.Addr][]rules.Match
	newest  map[netip.Addr]time.Time
	settled map[netip.Addr]time.Time
	bans    map[netip.Addr][]time.Time // ends
}

func (m *model) observe(match rules.Match, factor int) (ban string) {
	a, at := match.Addr, match.Time
	if match.Event == rules.Success {
		m.seen[a] = slices.DeleteFunc(m.seen[a], func(s rules.Match) bool {
			return s.Rule.Service == match.Rule.Service && !s.Time.After(match.Time) &&
				(s.Event == rules.Challenge || match.Account != "" && s.Account == match.Account)
		})
		if m.newest[a] = (time.Time{}); len(m.seen[a]) == 0 {
			delete(m.newest, a)
		}
		for _, s := range m.seen[a] {
			if s.Time.After(m.newest[a]) {
				m.newest[a] = s.Time
			}
		}
		return ""
	}
	if !match.Time.After(m.settled[a]) {
		return ""
	}
	if match.Event == rules.Challenge && m.jail.MaxChallenges == 0 {
		return ""
	}
	if match.Event == rules.Challenge { // counted by the second
		if match.Time = time.Unix(match.Time.Unix(), 0); !match.Time.After(m.settled[a]) {
			match.Time = m.settled[a].Add(1)
		}
	}
	if n, ok := m.newest[a]; ok && !match.Time.After(n.Add(-m.jail.FindTime)) {
		return ""
	}
	m.seen[a] = append(m.seen[a], match)
	if match.Time.After(m.newest[a]) {
		m.newest[a] = match.Time
	}
	now := m.newest[a]
	m.seen[a] = slices.DeleteFunc(m.seen[a], func(s rules.Match) bool { return !s.Time.After(now.Add(-m.jail.FindTime)) })
	var failures, unanswered []rules.Match
	for _, s := range m.seen[a] {
		switch {
		case s.Event == rules.Failure:
			failures = append(failures, s)
		case now.Sub(s.Time) >= min(32*time.Second, m.jail.FindTime/2):
			unanswered = append(unanswered, s)
		}
	}
	attempts := tell(failures)
	if attempts < m.jail.MaxRetry {
		if attempts = tell(unanswered); attempts < max(1, m.jail.MaxChallenges) {
			return ""
		}
	}
	length := m.jail.BanTime
	for _, end := range m.bans[a] {
		if !end.Before(match.Time.Add(-forget)) {
			length *= time.Duration(factor)
		}
	}
	end := at.Add(length)
	m.bans[a] = append(m.bans[a], end)
	m.settled[a] = end
	m.seen[a] = nil
	delete(m.newest, a)
	return fmt.Sprintf("%s at %v until %v, %d attempts", a, at.UnixMilli(), end.UnixMilli(), attempts)
}

// tell counts the attempts that lines tell of.
func tell(matches []rules.Match) int {
	type lane struct {
		rule   *rules.Rule
		source string
	}
	type voice struct{ witness, source string }
	lines := map[lane]int{}
	for _, s := range matches {
		lines[lane{s.Rule, s.Source}] += s.Count
	}
	voices := map[string]map[voice]int{}
	for l, n := range lines {
		if voices[l.rule.Service] == nil {
			voices[l.rule.Service] = map[voice]int{}
		}
		for n > 0 {
			voices[l.rule.Service][voice{l.rule.Witness, l.source}] += l.rule.Weight
			n -= l.rule.PerAttempt
		}
	}
	attempts := 0
	for _, v := range voices {
		attempts += slices.Max(slices.Collect(maps.Values(v)))
	}
	return attempts
}

const forget = time.Hour

// slack is more than a match of the model can be late.
const slack = 91 * time.Second

// record is a History that remembers what it is told.
type record struct{ strikes []Strike }

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
			r.strikes = append(r.strikes, Strike{d.Prefix, d.Jail, d.At, d.Until})
		}
	}
}

// TestEngineAgreesWithModel runs random histories through the engine and
// the model: late, reordered, repeated lines, several witnesses, sources and
// services, commits at random and restarts in between.
func TestEngineAgreesWithModel(t *testing.T) {
	histories := 20_000
	if testing.Short() {
		histories = 1_000
	}
	for seed := range uint64(histories) {
		r := rand.New(rand.NewPCG(seed, 7))
		opt := DefaultOptions()
		opt.Escalation = Escalation{Factor: 2, ForgetAfter: forget}
		jail := Jail{
			Name: "j", Packs: []string{"p"}, MaxRetry: 1 + r.IntN(6), MaxChallenges: r.IntN(8),
			FindTime: time.Duration(1+r.IntN(60)) * time.Second, BanTime: time.Duration(1+r.IntN(30)) * time.Second,
		}
		opt.Jails = []Jail{jail}
		past := &record{}
		e, err := New(opt, past)
		if err != nil {
			t.Fatal(err)
		}
		m := &model{jail: jail, seen: map[netip.Addr][]rules.Match{}, newest: map[netip.Addr]time.Time{}, settled: map[netip.Addr]time.Time{}, bans: map[netip.Addr][]time.Time{}}
		windows := map[string]Window{}
		var pending []Decision
		var got, want []string
		clock := time.Unix(1_800_000_000, 0)
		for range 120 {
			clock = clock.Add(time.Duration(r.IntN(4000)) * time.Millisecond)
			match := randomMatch(r, clock)
			now := clock
			for _, d := range e.Observe(&match, now) {
				got = append(got, fmt.Sprintf("%s at %v until %v, %d attempts", d.Prefix.Addr(), d.At.UnixMilli(), d.Until.UnixMilli(), d.Attempts))
				pending = append(pending, d)
			}
			if line := m.observe(match, 2); line != "" {
				want = append(want, line)
			}
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
				standing := e.Bans(now)
				if e, err = New(opt, past); err != nil {
					t.Fatal(err)
				}
				e.Restore(standing, slices.Collect(maps.Values(windows)), now)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("seed %d, jail %+v: (-model +engine)\n%s", seed, jail, diff)
		}
	}
}

// keep stores windows as the store does, through their bytes.
func keep(t *testing.T, into map[string]Window, touched []Window) {
	t.Helper()
	for _, w := range touched {
		key := w.Jail + w.Prefix.String()
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
	{Pack: "p", Name: "a", Service: "ssh", Witness: "main", PerAttempt: 1, Weight: 1},
	{Pack: "p", Name: "b", Service: "ssh", Witness: "main", PerAttempt: 2, Weight: 1},
	{Pack: "p", Name: "c", Service: "ssh", Witness: "pam", PerAttempt: 1, Weight: 2},
	{Pack: "p", Name: "d", Service: "sip", Witness: "main", PerAttempt: 3, Weight: 1},
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
		Source: []string{"journald", "udp"}[r.IntN(2)],
	}
}
