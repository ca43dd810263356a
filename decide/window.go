package decide

import (
	"net/netip"
	"slices"
	"time"

	"bailiff/rules"
)

// lane is one way in which attempts are told of: one rule, heard through one
// source. Lanes are shared by all windows.
type lane struct {
	service, witness, rule, origin string
	perAttempt, weight             int
}

// slot is some lines of one lane at one time on one account.
type slot struct {
	at      int64 // Unix nanoseconds
	lane    *lane
	account string
	lines   int
}

// watch is what is remembered of one address in one jail.
type watch struct {
	jail     int
	prefix   netip.Prefix
	slots    []slot // by time, within find_time of newest
	newest   int64
	settled  int64 // what is stamped at or before counts no more
	evidence []string
	enforced int64 // when the last ban was decided
	after    int   // lines that came later than effectAfter after that, during the ban
	touched  bool
}

// How many lines of a window are kept to explain it, and how much of each. A
// flood of addresses has one window each, so this is most of what it can make
// the engine hold.
const (
	maxEvidence   = 8
	evidenceBytes = 240
)

// effectAfter is how long after a ban is decided lines may still come that were
// under way. What comes later got past the firewall.
const effectAfter = 2 * time.Second

// add puts one match into the window and drops what is older than find before
// the newest. It returns false for a match that is late.
func (w *watch) add(m *rules.Match, l *lane, find time.Duration) bool {
	at := m.Time.UnixNano()
	if len(w.slots) > 0 && at <= w.newest-int64(find) {
		return false
	}
	if len(w.slots) == 0 || at > w.newest {
		w.newest = at
		w.slots = slices.DeleteFunc(w.slots, func(s slot) bool { return s.at <= w.newest-int64(find) })
	}
	i, _ := slices.BinarySearchFunc(w.slots, at, func(s slot, at int64) int { return compare(s.at, at) })
	for ; i < len(w.slots) && w.slots[i].at == at; i++ {
		if s := &w.slots[i]; s.lane == l && s.account == m.Account {
			s.lines += m.Count
			return true
		}
	}
	w.slots = slices.Insert(w.slots, i, slot{at: at, lane: l, account: m.Account, lines: m.Count})
	return true
}

func compare(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
