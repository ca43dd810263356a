package decide

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

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

// stale says that what completes the window are the regular attempts of devices
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
	slow := func(lines []rules.Match, least time.Duration) bool {
		n := tell(lines)
		return n < 2 || lines[len(lines)-1].Time.Sub(lines[0].Time)/time.Duration(n-1) >= least
	}
	failing := map[string][]rules.Match{}
	for _, s := range lines {
		failing[s.Account] = append(failing[s.Account], s)
	}
	for _, own := range failing {
		if !slow(own, 5*time.Second) {
			return false
		}
	}
	working := 0
	for account, last := range m.met[lines[0].Addr] {
		if failing[account] == nil && !last.Before(at.Add(-24*time.Hour)) {
			working++
		}
	}
	return slow(lines, time.Second) && working >= len(failing)
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
