package decide

import (
	"cmp"
	"fmt"
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
	peer    unique.Handle[netip.Prefix] // who, where a window holds several; else the zero handle
	lines   int32
	doubted bool // spoofable evidence, in a jail that minds
	known   bool // on an account that this peer has opened before
}

// counts says that the slot is evidence of the class that is asked for: proven
// alone, or any.
func (s *slot) counts(spoofable bool) bool { return spoofable || !s.doubted }

// watch is what is remembered of one key in one jail.
type watch struct {
	docket   *docket
	key      key
	slots    []slot // by time, within find_time of the newest
	settled  int64  // what is stamped at or before counts no more
	doubted  int64  // the same of spoofable evidence, where that is later
	evidence []string
	enforced int64 // when the last ban was decided
	after    int   // lines stamped later than effectAfter after that, during the ban

	seen         int64 // when it was last heard of, by our clock
	before, next *watch
	row          uint8
	size         int  // how much room it takes, in windows of a usual size
	repeats      bool // it has a strike, as far as anybody asked

	crowd                  *crowd // in row 1: those of its neighbourhood
	crowdBefore, crowdNext *watch
	touched                bool
	stored                 bool // what was handed out last is not empty
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

// add puts one match, which is stamped after floor, into the window and drops what is
// older than find_time before the newest. It returns false for a match that is late.
func (w *watch) add(m *rules.Match, peer unique.Handle[netip.Prefix], floor int64, known bool) bool {
	at, account := m.Time.UnixNano(), m.Account
	if m.Event == rules.Challenge { // thousands a second may come before they count
		at, account = max(m.Time.Truncate(time.Second).UnixNano(), floor+1), ""
	}
	newest := at
	if n := len(w.slots); n > 0 {
		newest = max(newest, w.slots[n-1].at)
	}
	w.release(newest - int64(w.docket.FindTime))
	if at <= newest-int64(w.docket.FindTime) {
		return false
	}
	lane, doubted := laneOf(m), w.docket.doubts(m)
	i, _ := slices.BinarySearchFunc(w.slots, at, func(s slot, at int64) int { return cmp.Compare(s.at, at) })
	for ; i < len(w.slots) && w.slots[i].at == at; i++ {
		if s := &w.slots[i]; s.lane == lane && s.account == account && s.peer == peer && s.doubted == doubted && s.known == known {
			s.lines += int32(m.Count)
			return true
		}
	}
	added := slot{at: at, lane: lane, account: account, peer: peer, lines: int32(m.Count), doubted: doubted, known: known}
	if w.slots = slices.Insert(w.slots, i, added); w.docket.Distinct > 1 && m.Event == rules.Failure {
		w.trim(added)
	}
	if len(w.slots) > w.most(m.Rule.PerAttempt) {
		w.thin(added)
	}
	return true
}

// most is how many slots a window has use for: several times what completes it,
// as several witnesses and origins may tell of the same. Only a window whose ban is
// held, or one of friends, comes to have more.
func (w *watch) most(perAttempt int) int {
	j := &w.docket.Jail
	return 256 + 8*max(1, j.Distinct)*(w.bar(true)+j.MaxChallenges)*max(1, perAttempt)
}

// thin drops the oldest slot of the peer and the kind of one that was added, or the oldest of
// all: who is loud pushes out itself.
func (w *watch) thin(added slot) {
	alike := func(s slot) bool { return s.peer == added.peer && s.known == added.known && s.doubted == added.doubted }
	i := max(0, slices.IndexFunc(w.slots, alike))
	if w.slots[i].at == added.at {
		i = 0
	}
	w.slots = slices.Delete(w.slots, i, i+1)
}

// trim drops the oldest line of which the window holds enough without it: where
// more than one peer or account is needed, one that goes on alone must not fill
// the memory.
func (w *watch) trim(of slot) {
	lines, oldest := 0, -1
	for i := range w.slots {
		if s := &w.slots[i]; s.lane == of.lane && s.account == of.account && s.peer == of.peer && s.doubted == of.doubted && s.known == of.known {
			if lines += int(s.lines); oldest < 0 {
				oldest = i
			}
		}
	}
	if lines-int(w.slots[oldest].lines) >= w.bar(of.known)*of.lane.Value().perAttempt {
		w.slots = slices.Delete(w.slots, oldest, oldest+1)
	}
}

// release takes what is stamped at or before last out of the window.
func (w *watch) release(last int64) {
	n := 0
	for n < len(w.slots) && w.slots[n].at <= last {
		n++
	}
	w.slots = slices.Delete(w.slots, 0, n)
}

// remember keeps a copy of the head of a line to explain the window by.
func (w *watch) remember(line string) {
	if len(w.evidence) == maxEvidence {
		w.evidence = slices.Delete(w.evidence, 0, 1)
	}
	w.evidence = append(w.evidence, strings.Clone(line[:min(len(line), evidenceBytes)]))
}

// answerTime is how long a client has to answer a challenge before it counts: in
// a storm of registrations after a power cut every challenge is for a while one
// that nobody answered. It is the longest that a SIP request is repeated
// (RFC 3261 section 17.1.2.2, timer F), and half of find_time where that is shorter.
const answerTime = 32 * time.Second

// due are the slots of challenges that no login has followed for answerTime, by
// the time of the newest line, among others.
func (w *watch) due() []slot {
	n := len(w.slots)
	if n == 0 {
		return nil
	}
	grace := min(answerTime, w.docket.FindTime/2)
	due, _ := slices.BinarySearchFunc(w.slots, w.slots[n-1].at-int64(grace)+1, func(s slot, at int64) int { return cmp.Compare(s.at, at) })
	return w.slots[:due]
}

// charge is what completes a window.
type charge struct {
	attempts  int
	reason    string // for a person, where attempts do not say it
	spoofable bool   // proven evidence alone would not have completed it
	known     bool   // it is all about accounts that the peer has opened before
	of        which  // the slots that tell of it
}

// full says whether the window is complete, and by what. What cannot be made up
// comes first: spoofable evidence must not shorten the sentence that it earns.
func (w *watch) full() (c charge, ok bool) {
	if !w.maybeFull() {
		return charge{}, false
	}
	if c, ok = w.complete(false); !ok {
		if c, ok = w.complete(true); ok {
			c.spoofable = true
		}
	}
	return c, ok
}

// maybeFull says that the window could be complete: that its lines, each taken for
// an attempt of its own, are enough.
func (w *watch) maybeFull() bool {
	j := &w.docket.Jail
	lines, known, due := 0, 0, 0
	for i := range w.slots {
		s := &w.slots[i]
		l := s.lane.Value()
		n := int(s.lines) * l.weight
		switch {
		case l.challenge:
			due += n
		case j.canary(s.account):
			return true
		case s.known:
			known += n
		default:
			lines += n
		}
	}
	return lines >= w.bar(false) || known >= w.bar(true) || j.MaxChallenges > 0 && due >= j.MaxChallenges
}

// bar is how many attempts complete the window.
func (w *watch) bar(known bool) int {
	j := &w.docket.Jail
	switch {
	case known:
		return j.MaxRetry * max(1, j.KnownGoodFactor)
	case w.repeats && j.RepeatMaxRetry > 0:
		return min(j.RepeatMaxRetry, j.MaxRetry)
	}
	return j.MaxRetry
}

// complete is full for proven evidence alone, or for any.
func (w *watch) complete(spoofable bool) (charge, bool) {
	j := &w.docket.Jail
	q := which{spoofable: spoofable}
	n, peers, accounts := w.tell(w.slots, q)
	distinct := accounts
	if j.shared() {
		distinct = peers
	}
	if n >= w.bar(false) && distinct >= j.Distinct {
		return charge{attempts: n, reason: w.many(peers), of: q}, true
	}
	if canary := w.canary(spoofable); canary != "" {
		return charge{attempts: max(1, n), reason: "account " + canary + " is a canary: nobody owns it", of: q}, true
	}
	if !j.shared() { // there a friend only stands among others
		q := which{spoofable: spoofable, known: true}
		if n, _, accounts = w.tell(w.slots, q); n >= w.bar(true) && accounts >= j.Distinct {
			return charge{attempts: n, reason: "on accounts that are known good there", known: true, of: q}, true
		}
	}
	if j.MaxChallenges > 0 {
		q.challenges = true
		n, peers, _ = w.tell(w.due(), q)
		if n >= j.MaxChallenges && (!j.shared() || peers >= j.Distinct) {
			return charge{attempts: n, reason: "challenges that no login followed", of: q}, true
		}
	}
	return charge{}, false
}

// many says in how many hands the attempts are, where they are in several.
func (w *watch) many(peers int) string {
	switch w.docket.GroupBy {
	case ByAccount:
		return fmt.Sprintf("account %s is guessed from %d addresses", w.key.account, peers)
	case ByPrefix:
		return fmt.Sprintf("%d addresses of %s took part", peers, w.key.prefix)
	default:
		return ""
	}
}

// canary returns the canary that an attempt in the window touched, or "".
func (w *watch) canary(spoofable bool) string {
	for i := range w.slots {
		if s := &w.slots[i]; s.counts(spoofable) && !s.lane.Value().challenge && w.docket.canary(s.account) {
			return s.account
		}
	}
	return ""
}

// which slots are asked for: those of failures or of challenges, on accounts that are
// known good or on others, and of proven evidence or of any.
type which struct{ challenges, known, spoofable bool }

func (q which) of(s *slot) bool {
	return s.lane.Value().challenge == q.challenges && s.known == q.known && s.counts(q.spoofable)
}

// tell adds up the attempts of the slots that are asked for. Each peer is counted
// for itself. It returns as well how many peers and how many accounts they are of.
func (w *watch) tell(slots []slot, q which) (n, peers, accounts int) {
	var told []slot
	for i := range slots {
		s := &slots[i]
		if !q.of(s) {
			continue
		}
		if !slices.ContainsFunc(told, func(o slot) bool { return o.account == s.account }) {
			accounts++
		}
		told = append(told, *s)
	}
	of := byPeer(told)
	for _, own := range of {
		n += attempts(sums(own))
	}
	return n, len(of), accounts
}

// account adds up what the witnesses say of what a prefix is charged with.
func (w *watch) account(c charge, p netip.Prefix) []Sum {
	slots := w.slots
	if c.of.challenges {
		slots = w.due()
	}
	var own []slot
	for i := range slots {
		if s := &slots[i]; c.of.of(s) && (w.docket.GroupBy != ByAccount || s.peer.Value() == p) {
			own = append(own, *s)
		}
	}
	return told(own)
}

// Sum is what one witness says through one origin of the attempts on one
// service, and in how many lines.
type Sum struct {
	Service, Witness, Origin string
	Attempts, Lines          int
}

// sums adds up the lanes of the slots of one peer, in order of first sight.
func sums(slots []slot) []Sum {
	type count struct {
		lane  unique.Handle[lane]
		lines int
	}
	var counts []count // few: one for each rule and origin
next:
	for _, s := range slots {
		for i := range counts {
			if counts[i].lane == s.lane {
				counts[i].lines += int(s.lines)
				continue next
			}
		}
		counts = append(counts, count{s.lane, int(s.lines)})
	}
	var sums []Sum
lanes:
	for _, c := range counts {
		l := c.lane.Value()
		n := (c.lines + l.perAttempt - 1) / l.perAttempt * l.weight
		for i := range sums {
			if s := &sums[i]; s.Service == l.service && s.Witness == l.witness && s.Origin == l.origin {
				s.Attempts += n
				s.Lines += c.lines
				continue lanes
			}
		}
		sums = append(sums, Sum{l.service, l.witness, l.origin, n, c.lines})
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
