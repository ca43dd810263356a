package sender

import "math/bits"

// Scheme is how a sender numbers its lines.
type Scheme uint8

// The schemes. Numbers of one are never compared with those of another.
const (
	// Unnumbered lines carry no number.
	Unnumbered Scheme = iota
	// SequenceID is the parameter of RFC 5424 section 7.3.1; 1 follows 2^31-1.
	SequenceID
	// CiscoCount stands in front of the stamp: "<187>37972: …".
	CiscoCount
	// AudioCodesCount is the S in front of the message: "<132>[S=643] …".
	AudioCodesCount
)

// Number is what a line says of its place among the others of its sender.
type Number struct {
	Scheme Scheme
	N      uint32
}

const (
	// window is how far apart two numbers of one counter are at most when
	// datagrams overtake each other. What is missing further back is lost.
	window = 64
	// longestGap is the most lines that one gap loses. What lies further apart
	// is a counter that was set anew.
	longestGap = 100_000
	// convincing is how many lines must follow on each other before a jump in
	// their numbers means anything.
	convincing = 8
	// counters is how many counters of one sender are told apart: a relay sends
	// the lines of several hosts, and a host those of several daemons.
	counters = 4
	// patience is how many seconds a number may be late.
	patience = 5
)

// counter is one sequence of numbers that a sender writes.
type counter struct {
	scheme Scheme
	of     uint32 // hash of the host that the lines name
	high   uint32 // the highest number
	first  uint32 // that with which the counter was found
	early  uint32 // lines since then with smaller numbers
	seen   uint64 // bit i: high-i has come, or is of before the counter was found
	run    int    // lines since it was found, up to convincing
	grew   uint64 // when high last did, in lines of the sender
	since  int64  // the second in which something was first missing from seen
	before int8   // index of the counter that it may continue, -1: none
	mark   uint64 // when that one had grown when this one was found
}

// loss counts the lines that a sender numbered and that never came. Numbers tell
// that only together: one that is far from the last may mean that lines were lost,
// that the sender was restarted, or that somebody else writes through it too. So a
// jump counts as a gap when the numbers behind it go on and those before it do not.
type loss struct {
	counters [counters]counter
	clock    uint64
	lost     uint64
}

// add takes note of one number, received in a second. A line that comes twice
// changes nothing.
func (l *loss) add(n Number, of uint32, second int64) {
	l.clock++
	nearest, distance := -1, int64(window+1)
	last, latest := -1, uint64(0)
	for i := range l.counters {
		c := &l.counters[i]
		if c.scheme != n.Scheme || c.of != of {
			continue
		}
		if d := n.from(c.high); abs(d) < distance {
			nearest, distance = i, abs(d)
		}
		if c.grew > latest {
			last, latest = i, c.grew
		}
	}
	if nearest < 0 {
		i := l.oldest(last)
		l.counters[i] = counter{
			scheme: n.Scheme, of: of, high: n.N, first: n.N, seen: ^uint64(0), run: 1, grew: l.clock,
			before: int8(last), mark: latest,
		}
		l.forget(i)
		return
	}
	c := &l.counters[nearest]
	switch d := n.from(c.high); {
	case d > 0:
		// Whatever leaves the window without having come is lost; shifting by
		// 64 leaves nothing.
		gone := c.seen >> (window - d)
		l.lost += uint64(int(d) - bits.OnesCount64(gone))
		c.seen = c.seen<<d | 1
		c.high, c.grew = n.N, l.clock
		if d > 1 && c.since == 0 {
			c.since = second
		}
	case d > -window:
		c.seen |= 1 << -d
		if n.from(c.first) < 0 {
			c.early++
		}
	}
	if c.seen == ^uint64(0) {
		c.since = 0
	}
	if c.run++; c.run == convincing {
		l.resolve(c)
	}
}

// oldest is where the next counter is kept: in the one that has not grown for the
// longest time, but not in the place of except.
func (l *loss) oldest(except int) int {
	best := -1
	for i := range l.counters {
		if i != except && (best < 0 || l.counters[i].grew < l.counters[best].grew) {
			best = i
		}
	}
	return best
}

// forget makes sure that nobody continues the counter that stood at i before.
func (l *loss) forget(i int) {
	for j := range l.counters {
		if j != i && l.counters[j].before == int8(i) {
			l.counters[j].before = -1
		}
	}
}

// resolve says what the jump was at which c was found, and if c is what became of
// another counter ends that.
func (l *loss) resolve(c *counter) {
	if c.before < 0 {
		return
	}
	old := &l.counters[c.before]
	c.before = -1
	if old.grew != c.mark {
		return // both go on: they are two
	}
	if old.run > 1 {
		l.resolve(old) // another gap shortly before
	}
	l.lost += uint64(old.missing())
	if d := (Number{c.scheme, c.first}).from(old.high); d > 0 && d <= longestGap {
		l.lost += uint64(max(0, d-1-int64(c.early)))
	}
	*old = counter{}
}

// missing is how many numbers within the window have not come.
func (c *counter) missing() int { return window - bits.OnesCount64(c.seen) }

// settle counts as lost what is late by more than patience.
func (l *loss) settle(second int64) {
	for i := range l.counters {
		c := &l.counters[i]
		if c.since != 0 && second-c.since > patience {
			l.lost += uint64(c.missing())
			c.seen, c.since = ^uint64(0), 0
		}
	}
}

// from is how far n lies behind high, negative in front of it.
func (n Number) from(high uint32) int64 {
	if n.Scheme == SequenceID {
		const ring = 1<<31 - 1
		d := (int64(n.N) - int64(high)) % ring
		switch {
		case d > ring/2:
			d -= ring
		case d < -ring/2:
			d += ring
		}
		return d
	}
	return int64(int32(n.N - high))
}

func abs(d int64) int64 {
	if d < 0 {
		return -d
	}
	return d
}
