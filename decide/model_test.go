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
	jail             Jail
	seen             map[string][]rules.Match // by what the jail groups by
	settled, doubted map[string]time.Time
	served, short    map[string]time.Time // ends of the last bans, by prefix
	strikes          map[string][]Strike
	friends          bool                                // what judge found is about accounts that are known good
	met              map[netip.Addr]map[string]time.Time // last logins, by account
}

func newModel(j Jail) *model {
	return &model{
		jail: j, seen: map[string][]rules.Match{}, settled: map[string]time.Time{}, doubted: map[string]time.Time{},
		served: map[string]time.Time{}, short: map[string]time.Time{}, strikes: map[string][]Strike{}, met: map[netip.Addr]map[string]time.Time{},
	}
}

// window names what the attempts of a match add up in, and whom a ban of its peer
// is of.
func (m *model) window(match *rules.Match) (window, banned string) {
	peer, net := match.Addr.String()+"/32", netip.PrefixFrom(match.Addr, 24).Masked().String()
	switch m.jail.GroupBy {
	case ByPrefix:
		return net, net
	case ByAccount:
		return match.Account, peer
	case ByAddressAccount:
		if match.Account == "" {
			return "", peer
		}
		return peer + match.Account, peer
	default:
		return peer, peer
	}
}

func (m *model) doubts(match *rules.Match) bool {
	return m.jail.Spoofable != SpoofableFull && (match.Rule.Evidence == rules.Spoofable || match.Spoofable)
}

func (m *model) observe(match rules.Match, factor int) (bans []string) {
	k, banned := m.window(&match)
	if match.Event == rules.Success && match.Account != "" && !match.Spoofable {
		if m.met[match.Addr] == nil {
			m.met[match.Addr] = map[string]time.Time{}
		}
		m.met[match.Addr][match.Account] = latest(match.Time, m.met[match.Addr][match.Account])
	}
	if k == "" {
		return nil
	}
	if match.Event == rules.Success {
		m.seen[k] = slices.DeleteFunc(m.seen[k], func(s rules.Match) bool {
			_, whom := m.window(&s)
			same := s.Addr == match.Addr || m.jail.GroupBy == ByAddress
			return whom == banned && same && s.Rule.Service == match.Rule.Service && !s.Time.After(match.Time) &&
				(s.Event == rules.Challenge || match.Account != "" && s.Account == match.Account)
		})
		return nil
	}
	if match.Event == rules.Challenge && m.jail.MaxChallenges == 0 {
		return nil
	}
	floor := latest(m.settled[k], m.served[banned])
	if m.doubts(&match) {
		floor = latest(floor, m.doubted[k], m.short[banned])
	}
	at := match.Time
	if !at.After(floor) {
		return nil
	}
	if match.Event == rules.Challenge { // counted by the second
		match.Time = latest(time.Unix(at.Unix(), 0), floor.Add(1))
	}
	if _, known := m.met[match.Addr][match.Account]; known && match.Event == rules.Failure && m.jail.KnownGoodFactor > 1 && !slices.Contains(m.jail.Canaries, match.Account) {
		match.Line = friend
	}
	newest := match.Time
	for _, s := range m.seen[k] {
		newest = latest(newest, s.Time)
	}
	old := func(s rules.Match) bool { return !s.Time.After(newest.Add(-m.jail.FindTime)) }
	m.seen[k] = slices.DeleteFunc(append(m.seen[k], match), old)
	if old(match) {
		return nil
	}
	if accused, _ := m.judge(k, newest, true); accused != nil {
		m.seen[k] = slices.DeleteFunc(m.seen[k], func(s rules.Match) bool { // a ban has answered it
			_, whom := m.window(&s)
			return !s.Time.After(m.served[whom]) || m.doubts(&s) && !s.Time.After(m.short[whom])
		})
		newest = time.Time{}
		for _, s := range m.seen[k] {
			newest = latest(newest, s.Time)
		}
	}
	if m.stale(k, newest, at) {
		m.seen[k], m.settled[k] = nil, at
		return nil
	}
	if accused, attempts := m.judge(k, newest, false); accused != nil {
		last := at
		for _, a := range accused {
			length := m.jail.BanTime
			for _, s := range m.strikes[a] {
				if s.At.Before(at) && !s.Until.Before(at.Add(-forget)) {
					length *= time.Duration(factor)
				}
			}
			end := at.Add(length)
			m.strikes[a], m.served[a] = append(m.strikes[a], Strike{At: at, Until: end}), latest(m.served[a], end)
			bans = append(bans, m.ban("ban", a, at, end, attempts))
			last = end
		}
		m.seen[k] = nil
		if m.jail.GroupBy == ByAccount {
			last = at
		}
		m.settled[k] = last
		return bans
	}
	if accused, attempts := m.judge(k, newest, true); accused != nil {
		last := at
		if m.jail.Spoofable == SpoofableShort {
			for _, a := range accused {
				if m.friendly(a) {
					continue
				}
				last = at.Add(min(m.jail.BanTime, m.jail.SpoofableBan))
				m.short[a] = latest(m.short[a], last)
				bans = append(bans, m.ban("short ban", a, at, last, attempts))
			}
		}
		if m.jail.GroupBy == ByAccount {
			last = at
		}
		m.doubted[k] = latest(m.doubted[k], last)
		m.seen[k] = slices.DeleteFunc(m.seen[k], func(s rules.Match) bool { return m.doubts(&s) && !s.Time.After(m.doubted[k]) })
	}
	return bans
}

func (m *model) ban(kind, whom string, at, end time.Time, attempts int) string {
	s := fmt.Sprintf("%s %s at %v until %v", kind, whom, at.UnixMilli(), end.UnixMilli())
	if m.jail.Distinct < 2 { // else lines that change nothing need not be kept
		s += fmt.Sprintf(", %d attempts", attempts)
	}
	return s
}

// friend marks a failure on an account that its address had opened before.
const friend = "friend"

func (m *model) friendly(banned string) bool {
	for a := range m.met {
		if netip.MustParsePrefix(banned).Contains(a) {
			return true
		}
	}
	return false
}

// stale says that what completes the window are the regular attempts of one device
// whose password has changed, among others that log in.
func (m *model) stale(k string, newest, at time.Time) bool {
	accused, _ := m.judge(k, newest, false)
	if accused == nil {
		accused, _ = m.judge(k, newest, true)
	}
	if accused == nil || !m.friends {
		return false
	}
	lines := slices.DeleteFunc(slices.Clone(m.seen[k]), func(s rules.Match) bool { return s.Line != friend })
	slices.SortFunc(lines, func(a, b rules.Match) int { return a.Time.Compare(b.Time) })
	n := 0
	for _, s := range lines {
		if n += s.Count; s.Account != lines[0].Account {
			return false
		}
	}
	others := false
	for account, last := range m.met[lines[0].Addr] {
		others = others || account != lines[0].Account && !last.Before(at.Add(-24*time.Hour))
	}
	return others && n > 1 && lines[len(lines)-1].Time.Sub(lines[0].Time)/time.Duration(n-1) >= 5*time.Second
}

// judge returns who has to go, of proven evidence alone or of all.
func (m *model) judge(k string, newest time.Time, all bool) (accused []string, attempts int) {
	failures, unanswered, friends := map[string][]rules.Match{}, map[string][]rules.Match{}, map[string][]rules.Match{}
	accounts, named, familiar := map[string]bool{}, map[string]bool{}, map[string]bool{}
	canary := false
	for _, s := range m.seen[k] {
		if !all && m.doubts(&s) {
			continue
		}
		peer := s.Addr.String()
		_, banned := m.window(&s)
		if s.Event == rules.Failure && s.Account != "" && slices.Contains(m.jail.Canaries, s.Account) {
			canary = true
		}
		if s.Line == friend {
			friends[peer] = append(friends[peer], s)
			familiar[s.Account] = true
			continue
		}
		named[banned] = true
		switch {
		case s.Event == rules.Failure:
			failures[peer] = append(failures[peer], s)
			accounts[s.Account] = true
		case newest.Sub(s.Time) >= min(32*time.Second, m.jail.FindTime/2):
			unanswered[peer] = append(unanswered[peer], s)
		}
	}
	total := func(by map[string][]rules.Match) (n int) {
		for _, lines := range by {
			n += tell(lines)
		}
		return n
	}
	distinct := len(accounts)
	several := m.jail.GroupBy == ByAccount || m.jail.GroupBy == ByPrefix
	if several {
		distinct = len(failures)
	}
	if m.jail.GroupBy != ByAccount {
		_, banned := m.window(&m.seen[k][0])
		named = map[string]bool{banned: true}
	}
	m.friends = false
	n, known, due := total(failures), total(friends), total(unanswered)
	switch {
	case n >= m.jail.MaxRetry && distinct >= m.jail.Distinct:
		attempts = n
	case canary:
		attempts = max(1, n)
	case !several && known >= m.jail.MaxRetry*m.jail.KnownGoodFactor && len(familiar) >= m.jail.Distinct && len(familiar) > 0:
		attempts, m.friends = known, true
	case m.jail.MaxChallenges > 0 && due >= m.jail.MaxChallenges && (!several || len(unanswered) >= m.jail.Distinct):
		attempts = due
	default:
		return nil, 0
	}
	return slices.Sorted(maps.Keys(named)), attempts
}

func latest(times ...time.Time) time.Time { return slices.MaxFunc(times, time.Time.Compare) }

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
			GroupBy: GroupBy(r.IntN(4)), Prefix4: 24, Prefix6: 56,
			Spoofable: SpoofablePolicy(r.IntN(3)), SpoofableBan: time.Duration(1+r.IntN(30)) * time.Second,
			KnownGoodFactor: 1 + r.IntN(3),
		}
		if r.IntN(3) == 0 && jail.GroupBy != ByAddressAccount {
			jail.Distinct = 1 + r.IntN(jail.MaxRetry)
		}
		if r.IntN(8) == 0 {
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
			got = append(got, decided...)
			want = append(want, m.observe(match, 2)...)
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
				for _, k := range e.KnownTouched() {
					known = append(known, k)
				}
				standing := past.bans // with those that have ended: late lines may be of their time
				if e, err = New(opt, past); err != nil {
					t.Fatal(err)
				}
				e.Recognise(known)
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
