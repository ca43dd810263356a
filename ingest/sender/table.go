package sender

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	"bailiff/ingest"
)

const (
	// rows is how many senders have a row of their own.
	rows = 4096
	// stale is how long a sender must have been silent to make room, and crowd
	// how many do so at a time. So no flood of senders pushes out those that
	// send.
	stale = 10 * time.Minute
	crowd = 64
)

// Reporter is implemented by sources that know their senders.
type Reporter interface {
	Senders() *Table
}

// Table holds the senders of one source.
type Table struct {
	mu      sync.RWMutex
	senders map[Key]*Sender
	others  *Sender // of those without a row
	evicted uint64
	swept   time.Time

	news
}

// NewTable returns an empty table.
func NewTable() *Table {
	t := &Table{senders: map[Key]*Sender{}}
	t.others = &Sender{table: t, rest: true}
	return t
}

// Of returns the row of a sender that has just sent, and makes one with its sign if
// there is none. Where there is no room it returns the row of all others.
func (t *Table) Of(k Key, sign ingest.Sign, now time.Time) *Sender {
	t.mu.RLock()
	s, ok := t.senders[k]
	t.mu.RUnlock()
	if ok {
		return s
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if s, ok = t.senders[k]; ok {
		return s
	}
	if len(t.senders) >= rows && !t.sweep(now) {
		return t.others
	}
	s = &Sender{table: t, key: k, origin: sign.Origin, trust: sign.Trust}
	if sign.Of != nil {
		s.named, s.zone = true, sign.Of.Zone
	}
	t.senders[k] = s
	return s
}

// sweep makes room, at most once a second: of the senders that have long been
// silent those that were so for the longest time go, and count among the others.
// Those with a name stay.
func (t *Table) sweep(now time.Time) bool {
	if now.Sub(t.swept).Abs() < time.Second {
		return false
	}
	t.swept = now
	type old struct {
		s    *Sender
		last time.Time
	}
	var silent []old
	for _, s := range t.senders {
		s.mu.Lock()
		if !s.named && now.Sub(s.last) > stale {
			silent = append(silent, old{s, s.last})
		}
		s.mu.Unlock()
	}
	slices.SortFunc(silent, func(a, b old) int { return a.last.Compare(b.last) })
	for _, o := range silent[:min(len(silent), crowd)] {
		o.s.mu.Lock()
		o.s.gone = true
		lines, lost, jumps, dialects := o.s.lines, o.s.loss.lost, o.s.jumps, o.s.dialects
		o.s.mu.Unlock()
		delete(t.senders, o.s.key)
		t.evicted++
		t.others.mu.Lock()
		t.others.lines += lines
		t.others.loss.lost += lost
		t.others.jumps += jumps
		t.others.dialects |= dialects
		if t.others.last.Before(o.last) {
			t.others.last = o.last
		}
		t.others.mu.Unlock()
	}
	return len(silent) > 0
}

// States returns what is known of each sender, who was last heard first, and last
// of all the others if there are any; how many senders lost their row to others;
// and how many notices of strangers were held back because there were too many.
func (t *Table) States(now time.Time) (all []State, evicted, unsaid uint64) {
	t.mu.RLock()
	senders := make([]*Sender, 0, len(t.senders)+1)
	for _, s := range t.senders {
		senders = append(senders, s)
	}
	evicted = t.evicted
	t.mu.RUnlock()
	all = make([]State, 0, len(senders)+1)
	for _, s := range senders {
		s.mu.Lock()
		all = append(all, s.state(now))
		s.mu.Unlock()
	}
	slices.SortFunc(all, func(a, b State) int {
		return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(a.Name, b.Name))
	})
	t.others.mu.Lock()
	defer t.others.mu.Unlock()
	if t.others.lines > 0 {
		all = append(all, t.others.state(now))
	}
	t.newsMu.Lock()
	defer t.newsMu.Unlock()
	return all, evicted, t.unsaid
}

// Last brings up to date when each origin with a name was last heard.
func (t *Table) Last(heard map[string]time.Time) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, s := range t.senders {
		if !s.named {
			continue
		}
		s.mu.Lock()
		if s.last.After(heard[s.origin]) {
			heard[s.origin] = s.last
		}
		s.mu.Unlock()
	}
}

// Kind is what is noted of a sender.
type Kind uint8

// The kinds of what is noted.
const (
	// Jumped says that its clock is elsewhere than it was.
	Jumped Kind = iota
	// Losing says that lines of it are lost.
	Losing
)

// Notice is something that befell a sender.
type Notice struct {
	Kind   Kind
	Sender Key
	Origin string
	At     time.Time
	// Text is a sentence about the sender, without its name.
	Text string
}

const (
	// again is how often one thing is noted of one sender, and strangers how
	// many notices there are within that time of senders without a name. Who can
	// send in many names must not drown the others.
	again     = time.Hour
	strangers = 20
)

// news are the notices that nobody has taken yet.
type news struct {
	newsMu sync.Mutex
	notes  []Notice
	hour   time.Time // since when strange counts
	strange,
	unsaid uint64
}

// note is called with the lock of s held.
func (s *Sender) note(k Kind, now time.Time, text func() string) {
	if !s.told[k].IsZero() && now.Sub(s.told[k]).Abs() < again {
		return
	}
	s.told[k] = now
	t := s.table
	t.newsMu.Lock()
	defer t.newsMu.Unlock()
	if !s.named {
		if now.Sub(t.hour).Abs() >= again {
			t.hour, t.strange = now, 0
		}
		if t.strange >= strangers {
			t.unsaid++
			return
		}
		t.strange++
	}
	t.notes = append(t.notes, Notice{Kind: k, Sender: s.key, Origin: s.origin, At: now, Text: text()})
}

// Notices returns what befell senders since it was last called. It is meant to be
// called about once a second.
func (t *Table) Notices(now time.Time) (notes []Notice) {
	t.mu.RLock()
	for _, s := range t.senders {
		s.mu.Lock()
		s.account(now)
		s.mu.Unlock()
	}
	t.mu.RUnlock()
	t.newsMu.Lock()
	defer t.newsMu.Unlock()
	notes, t.notes = t.notes, nil
	return notes
}

// account counts what is late as lost and tells of losses.
func (s *Sender) account(now time.Time) {
	if s.loss.clock == 0 {
		return
	}
	s.loss.settle(now.Unix())
	if lost := s.loss.lost - s.toldOf; lost > 0 {
		before := s.told[Losing]
		s.note(Losing, now, func() string { return lossText(lost) })
		if s.told[Losing] != before {
			s.toldOf = s.loss.lost
		}
	}
}

func jumpText(jump time.Duration) string {
	way := "ahead"
	if jump < 0 {
		way = "back"
	}
	return fmt.Sprintf("set its clock %s by %v", way, jump.Abs().Round(time.Second))
}

func lossText(n uint64) string {
	if n == 1 {
		return "lost a line on its way to us: its numbers have a gap"
	}
	return fmt.Sprintf("lost %d lines on their way to us: its numbers have gaps", n)
}
