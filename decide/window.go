package decide

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unique"

	"bailiff/rules"
)

// lane is one way in which attempts are told of: one rule, heard through one
// origin. Windows share lanes through handles, which are gone with the last
// window that has one: whoever invents senders fills no table.
type lane struct {
	service, witness, rule, origin string
	perAttempt, weight             int
	challenge                      bool
}

func laneOf(m *rules.Match) unique.Handle[lane] {
	return unique.Make(lane{
		service: m.Rule.Service, witness: m.Rule.Witness, rule: m.Rule.String(), origin: origin(m),
		perAttempt: max(1, m.Rule.PerAttempt), weight: max(1, m.Rule.Weight),
		challenge: m.Event == rules.Challenge,
	})
}

func origin(m *rules.Match) string {
	if m.Origin == "" {
		return m.Source
	}
	return m.Source + " " + m.Origin
}

// slot is some lines of one lane at one time on one account.
type slot struct {
	at      int64 // Unix nanoseconds
	lane    unique.Handle[lane]
	account string
	lines   int
}

// watch is what is remembered of one address in one jail.
type watch struct {
	docket   *docket
	prefix   netip.Prefix
	slots    []slot // by time, within find_time of the newest
	settled  int64  // what is stamped at or before counts no more
	evidence []string
	enforced int64 // when the last ban was decided
	after    int   // lines stamped later than effectAfter after that, during the ban

	seen         int64 // when it was last heard of, by our clock
	before, next *watch
	row          uint8
	touched      bool
	stored       bool // what was handed out last is not empty
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

// add puts one match into the window and drops what is older than find_time
// before the newest. It returns false for a match that is late.
func (w *watch) add(m *rules.Match) bool {
	at, account := m.Time.UnixNano(), m.Account
	if m.Event == rules.Challenge { // thousands a second may come before they count
		at, account = max(m.Time.Truncate(time.Second).UnixNano(), w.settled+1), ""
	}
	newest := at
	if n := len(w.slots); n > 0 {
		newest = max(newest, w.slots[n-1].at)
	}
	w.release(newest - int64(w.docket.FindTime))
	if at <= newest-int64(w.docket.FindTime) {
		return false
	}
	lane := laneOf(m)
	i, _ := slices.BinarySearchFunc(w.slots, at, func(s slot, at int64) int { return cmp.Compare(s.at, at) })
	for ; i < len(w.slots) && w.slots[i].at == at; i++ {
		if s := &w.slots[i]; s.lane == lane && s.account == account {
			s.lines += m.Count
			return true
		}
	}
	w.slots = slices.Insert(w.slots, i, slot{at: at, lane: lane, account: account, lines: m.Count})
	return true
}

// release takes what is stamped at or before last out of the window.
func (w *watch) release(last int64) {
	n := 0
	for n < len(w.slots) && w.slots[n].at <= last {
		n++
	}
	w.slots = slices.Delete(w.slots, 0, n)
}

// serve takes out of the window what a ban has answered.
func (w *watch) serve(last int64) {
	w.settled = max(w.settled, last)
	w.release(w.settled)
}

// remember keeps a copy of the head of a line to explain the window by.
func (w *watch) remember(line string) {
	if len(w.evidence) == maxEvidence {
		w.evidence = slices.Delete(w.evidence, 0, 1)
	}
	w.evidence = append(w.evidence, strings.Clone(line[:min(len(line), evidenceBytes)]))
}

// attempts is how many attempts the window holds.
func (w *watch) attempts() int { return attempts(sums(w.slots, false)) }

// answerTime is how long a client has to answer a challenge before it counts: in
// a storm of registrations after a power cut every challenge is for a while one
// that nobody answered. It is the longest that a SIP request is repeated
// (RFC 3261 section 17.1.2.2, timer F), and half of find_time where that is shorter.
const answerTime = 32 * time.Second

// unanswered is how many challenges no login has followed for answerTime, by the
// time of the newest line.
func (w *watch) unanswered() int {
	n := len(w.slots)
	if n == 0 {
		return 0
	}
	grace := min(answerTime, w.docket.FindTime/2)
	due, _ := slices.BinarySearchFunc(w.slots, w.slots[n-1].at-int64(grace)+1, func(s slot, at int64) int { return cmp.Compare(s.at, at) })
	return attempts(sums(w.slots[:due], true))
}

// full says whether the window is complete, and what it holds.
func (w *watch) full() (attempts int, reason string, ok bool) {
	j := &w.docket.Jail
	if attempts = w.attempts(); attempts >= j.MaxRetry {
		return attempts, "", true
	}
	if j.MaxChallenges > 0 {
		if n := w.unanswered(); n >= j.MaxChallenges {
			return n, "challenges that no login followed", true
		}
	}
	return attempts, "", false
}

// Sum is what one witness says through one origin of the attempts on one
// service.
type Sum struct {
	Service, Witness, Origin string
	Attempts                 int
}

// sums adds up the lanes of the slots, in order of first sight: those of
// challenges, or the others.
func sums(slots []slot, challenges bool) []Sum {
	type count struct {
		lane  unique.Handle[lane]
		lines int
	}
	var counts []count // few: one for each rule and origin
next:
	for _, s := range slots {
		if s.lane.Value().challenge != challenges {
			continue
		}
		for i := range counts {
			if counts[i].lane == s.lane {
				counts[i].lines += s.lines
				continue next
			}
		}
		counts = append(counts, count{s.lane, s.lines})
	}
	var sums []Sum
lanes:
	for _, c := range counts {
		l := c.lane.Value()
		n := (c.lines + l.perAttempt - 1) / l.perAttempt * l.weight
		for i := range sums {
			if s := &sums[i]; s.Service == l.service && s.Witness == l.witness && s.Origin == l.origin {
				s.Attempts += n
				continue lanes
			}
		}
		sums = append(sums, Sum{l.service, l.witness, l.origin, n})
	}
	return sums
}

// attempts takes for each service the largest of the sums, and adds these up.
func attempts(sums []Sum) int {
	total := 0
	for i, s := range sums {
		best := true
		for k, other := range sums {
			if other.Service == s.Service && (other.Attempts > s.Attempts || other.Attempts == s.Attempts && k < i) {
				best = false
			}
		}
		if best {
			total += s.Attempts
		}
	}
	return total
}
