// Package sender keeps what can be known of those who send to a source: how much
// and when, in which dialect, how their clocks go, and what was lost on the way.
//
// A source asks its [Table] for the [Sender] of a peer and tells it of every line.
// None of this chooses who is banned. What lines claim (a stamp, a number, a host)
// tells of the sender's clock and of losses and of nothing else.
//
// # Time
//
// A stamp without a zone or a year is read in the zone and the year that fit when
// it was received. The zone is the nearest quarter of an hour on which lines of
// several seconds agreed, unless it was configured, so that a clock that is wrong
// by a multiple of that is taken for one in another zone.
//
// # Concurrency
//
// All methods may be called at any time and concurrently.
package sender

import (
	"net/netip"
	"strings"
	"sync"
	"time"

	"bailiff/ingest"
)

// Key is a sender as the transport knows it: an address, or a name.
type Key struct {
	Addr netip.Addr
	Name string
}

// String returns the name or the address.
func (k Key) String() string {
	if k.Name != "" || !k.Addr.IsValid() {
		return k.Name
	}
	return k.Addr.String()
}

// Stamp is when a sender says that it wrote a line.
type Stamp struct {
	// Year is 0 where the stamp has none. Without a Month there is no stamp.
	Year, Month, Day int
	// OfDay is the time since midnight.
	OfDay time.Duration
	// Offset is the zone, if Zoned.
	Offset time.Duration
	Zoned  bool
	// Fractional says that the stamp tells fractions of a second.
	Fractional bool
}

// Line is what a sender is told of one line of it.
type Line struct {
	Received time.Time
	Dialect  ingest.Dialect
	Stamp    Stamp
	Number   Number
	// Host is whom the line names as its writer, borrowed.
	Host []byte
}

// Sender is one row of a table.
type Sender struct {
	table *Table
	key   Key
	named bool // by the operator
	rest  bool // many senders, of which only the lines are counted

	mu     sync.Mutex
	gone   bool // no longer in the table
	origin string
	trust  ingest.Trust
	zone   *time.Location // configured; nil: inferred

	lines    uint64
	dialects uint16 // a bit for each
	last     time.Time
	minute   int64 // of the last line, since 1970
	count    [2]uint64

	// Stamps with a zone, and without.
	clocks [2]clock
	year   int
	jumps  uint64
	loss   loss
	told   [2]time.Time // when Jumped and Losing were last noted
	toldOf uint64       // losses of which Losing told
}

// Heard takes note of a line and returns when its stamp says that it was written,
// the zero time if it has no stamp or it is not known in which zone. It returns
// false, and has taken no note, if the table has forgotten the sender: ask it again.
func (s *Sender) Heard(l *Line) (written time.Time, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone {
		return time.Time{}, false
	}
	nanos := l.Received.UnixNano()
	second := nanos / 1e9
	s.lines++
	s.dialects |= 1 << l.Dialect
	s.last = l.Received
	if m := second / 60; m != s.minute {
		s.count[1] = 0
		if m == s.minute+1 {
			s.count[1] = s.count[0]
		}
		s.minute, s.count[0] = m, 0
	}
	s.count[0]++
	if s.rest {
		if local, _, ok := l.Stamp.since1970(nanos); ok && l.Stamp.Zoned {
			written = time.Unix(0, local-l.Stamp.Offset.Nanoseconds())
		}
		return written, true
	}
	if l.Number.Scheme != Unnumbered {
		s.loss.add(l.Number, hash(l.Host), second)
	}
	return s.clock(l, nanos, second), true
}

// clock follows the clock by one stamp and returns what that says.
func (s *Sender) clock(l *Line, nanos, second int64) time.Time {
	local, year, ok := l.Stamp.since1970(nanos)
	if !ok {
		return time.Time{}
	}
	c := &s.clocks[0]
	if l.Stamp.Zoned {
		local -= l.Stamp.Offset.Nanoseconds()
	} else {
		c = &s.clocks[1]
		c.guess = s.zone == nil
	}
	// One line of a second tells as much as all of them.
	if second != c.second && c.follows(hash(l.Host), second) {
		if !l.Stamp.Zoned && s.zone != nil {
			_, offset := l.Received.In(s.zone).Zone()
			c.zone, c.zoned = time.Duration(offset)*time.Second, true
			// The level is that of the clock in its zone, so that the two days
			// a year on which that changes are no jumps.
			c.level, c.candidate = c.level-c.base+c.zone, c.candidate-c.base+c.zone
			c.base = c.zone
		}
		distance := time.Duration(local - nanos)
		if !l.Stamp.Fractional {
			distance += time.Second / 2
		}
		if jump, jumped := c.sample(distance, second); jumped {
			s.jumps++
			s.note(Jumped, l.Received, func() string { return jumpText(jump) })
		}
		if l.Stamp.Year == 0 {
			s.year = year
		}
	}
	switch {
	case l.Stamp.Zoned:
		return time.Unix(0, local)
	case c.zoned:
		return time.Unix(0, local-c.zone.Nanoseconds())
	}
	return time.Time{}
}

// since1970 returns the nanoseconds from 1970 to s, both in the zone of s, and its
// year. Where s has no year that is the one which brings it closest to now, also
// over New Year.
func (s *Stamp) since1970(now int64) (nanos int64, year int, ok bool) {
	if s.Month == 0 {
		return 0, 0, false
	}
	const day = int64(24 * time.Hour)
	if s.Year != 0 {
		if s.Year < 1970 || s.Year > 2200 || s.Month == 2 && s.Day == 29 && !leap(s.Year) {
			return 0, 0, false
		}
		return date(s.Year, s.Month, s.Day)*day + s.OfDay.Nanoseconds(), s.Year, true
	}
	this := time.Unix(0, now).UTC().Year()
	for _, y := range [...]int{this, this - 1, this + 1} {
		if s.Month == 2 && s.Day == 29 && !leap(y) {
			continue
		}
		t := date(y, s.Month, s.Day)*day + s.OfDay.Nanoseconds()
		if !ok || abs(t-now) < abs(nanos-now) {
			nanos, year, ok = t, y, true
		}
	}
	return nanos, year, ok
}

// hash is FNV-1a (RFC 9923).
func hash(b []byte) uint32 {
	h := uint32(2166136261)
	for _, c := range b {
		h = (h ^ uint32(c)) * 16777619
	}
	return h
}

// State is what is known of one sender at a moment.
type State struct {
	// Name is the address or the name of the sender, "" for the senders that
	// have no row of their own.
	Name string
	Addr netip.Addr
	// Origin and Trust are those of its lines, Named that the operator gave it
	// the name.
	Origin string
	Trust  ingest.Trust
	Named  bool

	Lines uint64
	// PerMinute is how many lines came in the last minute.
	PerMinute float64
	Last      time.Time
	// Dialects are those of its lines.
	Dialects []ingest.Dialect

	// Skew is by how much its clock is fast, if Clocked.
	Skew    time.Duration
	Clocked bool
	// Zone is that of its stamps without one, if Zoned; Inferred if nobody
	// configured it.
	Zone            time.Duration
	Zoned, Inferred bool
	// Year is that of its last stamp without one; 0 if there was none.
	Year int
	// Jumps is how often its clock jumped.
	Jumps uint64

	// Lost is how many lines did not come that it numbered, if Numbered.
	Lost     uint64
	Numbered bool
}

// Dialect joins the words of the dialects.
func (s *State) Dialect() string {
	words := make([]string, len(s.Dialects))
	for i, d := range s.Dialects {
		words[i] = d.String()
	}
	return strings.Join(words, " ")
}

// state is called with the lock held.
func (s *Sender) state(now time.Time) State {
	out := State{
		Name: s.key.String(), Addr: s.key.Addr, Origin: s.origin, Trust: s.trust, Named: s.named,
		Lines: s.lines, PerMinute: s.perMinute(now), Last: s.last, Year: s.year, Jumps: s.jumps, Lost: s.loss.lost,
		Numbered: s.loss.clock > 0 || s.loss.lost > 0,
	}
	for d := ingest.Dialect(0); s.dialects>>d != 0; d++ {
		if s.dialects>>d&1 != 0 {
			out.Dialects = append(out.Dialects, d)
		}
	}
	// What stamps say of their zone is better than what we think.
	c := &s.clocks[0]
	if !c.known {
		c = &s.clocks[1]
		out.Zone, out.Zoned = c.zone, c.zoned
		out.Inferred = c.zoned && c.guess
	}
	out.Skew, out.Clocked = c.skew(), c.known
	return out
}

// perMinute is how many lines came within the last minute, as far as two counts of
// whole minutes tell.
func (s *Sender) perMinute(now time.Time) float64 {
	sec := now.Unix()
	left := 1 - float64(sec%60)/60
	switch sec/60 - s.minute {
	case 0:
		return float64(s.count[0]) + left*float64(s.count[1])
	case 1:
		return left * float64(s.count[0])
	}
	return 0
}
