package decide

import (
	"iter"
	"maps"
	"net/netip"
	"slices"
	"time"

	"bailiff/rules"
)

// docket is one jail and the addresses that it watches. Its rows order them by
// how many lines count against them, and each row by how long they have been
// silent, so that whoever has to go is found at once.
type docket struct {
	Jail
	watches map[key]*watch
	// over has the ends of the last bans of peers where a ban is not of a
	// window's key: what is stamped up to then counts in no window.
	over    map[netip.Prefix]sentenced
	aired   int64 // when what is old of it was last thrown out
	rows    [rowCount]row
	unheard map[string]uint64      // matches of senders that the jail does not count, by source
	idle    uint64                 // matches that came while it was paused
	scores  map[*rules.Rule]*Score // those of the engine, since Scores

	crowds    *crowds // of all jails: those in row 1
	forgotten forgotten
}

// sentenced is until when the last bans of a peer last: one on proven evidence, and
// one on spoofable evidence.
type sentenced struct{ proven, doubted int64 }

// apart says that the jail bans peers whose windows are another's or several.
func (j *Jail) apart() bool { return j.GroupBy == ByAccount || j.GroupBy == ByAddressAccount }

// condemn notes a ban of the jail.
func (d *docket) condemn(b *Decision) {
	if !d.apart() {
		return
	}
	s := d.over[b.Prefix]
	if b.Spoofable {
		s.doubted = max(s.doubted, end(b.Until))
	} else {
		s.proven = max(s.proven, end(b.Until))
	}
	d.over[b.Prefix] = s
}

// rowCount is how many there are: one for windows that hold nothing, one for those of a
// single spoofable attempt, whose sender may not exist, one for each number of attempts from
// one on, and the last for those who are to be forgotten last.
const (
	rowCount   = 16
	rowCrowded = 1
)

// rank is the row of a watch.
func (w *watch) rank() uint8 {
	if len(w.slots) == 0 {
		return 0
	}
	if w.repeats || w.settled != 0 {
		return rowCount - 1 // banned before
	}
	n, bar := weigh(w.slots, true), w.bar(false)
	if most := w.docket.MaxChallenges; most > 0 {
		challenges := 0
		for i := range w.slots {
			if s := &w.slots[i]; s.lane.Value().challenge {
				challenges += int(s.lines)
			}
		}
		n = max(n, challenges*bar/most)
	}
	switch {
	case n <= 1 && !slices.ContainsFunc(w.slots, func(s slot) bool { return !s.doubted }):
		return rowCrowded
	case 2*n >= bar:
		return rowCount - 1 // half of the attempts
	}
	return uint8(min(max(n, 1)+1, rowCount-2))
}

// row is a list of watches, the one silent longest first.
type row struct {
	first, last *watch
	n           int
}

func (r *row) push(w *watch) {
	r.n++
	w.before, w.next = r.last, nil
	if r.last != nil {
		r.last.next = w
	} else {
		r.first = w
	}
	r.last = w
}

func (r *row) remove(w *watch) {
	r.n--
	if w.before != nil {
		w.before.next = w.next
	} else {
		r.first = w.next
	}
	if w.next != nil {
		w.next.before = w.before
	} else {
		r.last = w.before
	}
}

// watch returns the window of a key, making it and room for it if need be, as
// one that was heard of now.
func (e *Engine) watch(d *docket, k key, now time.Time) *watch {
	w, more := d.watches[k], 1
	if w != nil {
		d.leave(w) // it makes room for nobody now
		more = 0
	}
	for e.load+more > e.opt.MaxKeys && e.evict(now) {
	}
	if w == nil {
		w = &watch{docket: d, key: k}
		d.watches[k] = w
		e.watched++
		e.measure(w)
	}
	w.seen = now.UnixNano()
	d.enter(w, w.row)
	return w
}

// usual is how many slots a window has before it takes the room of more than one.
const usual = 16

// measure notes how much room a window takes.
func (e *Engine) measure(w *watch) {
	size := 1 + len(w.slots)/usual
	e.load += size - w.size
	w.size = size
}

// seat moves a watch into the row for what it holds now.
func (d *docket) seat(w *watch) {
	if n := w.rank(); n != w.row || n == rowCrowded && w.place() != w.crowd.place {
		d.leave(w)
		d.enter(w, n)
	}
}

// enter puts a watch at the end of a row.
func (d *docket) enter(w *watch, row uint8) {
	w.row = row
	if d.rows[row].push(w); row == rowCrowded {
		d.crowds.enter(w)
	}
}

// leave takes a watch out of its row.
func (d *docket) leave(w *watch) {
	if d.rows[w.row].remove(w); w.crowd != nil {
		d.crowds.leave(w)
	}
}

// touch notes that a window changed.
func (e *Engine) touch(w *watch) {
	w.docket.seat(w)
	e.measure(w)
	if !w.touched {
		w.touched = true
		e.touched = append(e.touched, w)
	}
}

// drop forgets a window, and has it deleted where it is stored.
func (e *Engine) drop(w *watch) {
	w.slots, w.settled, w.doubted, w.evidence = nil, 0, 0, nil
	if w.stored {
		e.touch(w)
	}
	w.docket.leave(w)
	delete(w.docket.watches, w.key)
	e.watched--
	e.load -= w.size
	w.size = 0
}

// The bounds of asking History about those who are to be forgotten: a read of the disk
// takes as long as several matches.
const (
	sparedAtOnce = 8
	askedASecond = 2000
)

// evict forgets the first window that can be spared: a flood of addresses pushes out itself,
// and first of all a flood of packets with invented senders. Who turns out to have been
// banned before is passed over, as long as asking takes no more than a small part of the time.
// It returns false if there is none.
func (e *Engine) evict(now time.Time) bool {
	w := e.dispensable()
	for range sparedAtOnce {
		if w == nil || w.repeats || w.row == 0 || w.row == rowCount-1 || !e.mayAsk(now) || !e.repeats(w.docket, w.key.prefix, now) {
			break
		}
		w.repeats = true
		w.docket.seat(w)
		w = e.dispensable()
	}
	if w == nil {
		return false
	}
	e.forget(w, now)
	if e.ring(bell{name: "evicted"}, now) {
		e.notices = append(e.notices, e.alarmEvicted(w, now))
	}
	e.drop(w)
	return true
}

// mayAsk says whether there is time to ask History about one more.
func (e *Engine) mayAsk(now time.Time) bool {
	if e.history == nil {
		return false
	}
	if second := now.Unix(); second != e.askedAt {
		e.askedAt, e.asked = second, 0
	}
	e.asked++
	return e.asked <= askedASecond
}

// dispensable is the window that goes first: one of the first row that has any, of the
// fullest neighbourhood where all are of single spoofable attempts, and of several the one
// silent longest.
func (e *Engine) dispensable() (oldest *watch) {
	for n := range rowCount {
		if n == rowCrowded {
			if c := e.crowds.fullest(); c != nil {
				return c.first
			}
			continue
		}
		for _, d := range e.dockets {
			if w := d.rows[n].first; w != nil && (oldest == nil || w.seen < oldest.seen) {
				oldest = w
			}
		}
		if oldest != nil {
			return oldest
		}
	}
	return nil
}

// sweep forgets windows that were silent for find_time by our own clock: only
// that clock says so, because an old log that is being read is not silent. It
// forgets at most budget.
func (d *docket) sweep(e *Engine, now time.Time, budget int) int {
	for n := range d.rows {
		for budget > 0 {
			w := d.rows[n].first
			if w == nil || time.Duration(now.UnixNano()-w.seen) < d.FindTime {
				break
			}
			e.drop(w)
			budget--
		}
	}
	old := now.Add(-d.FindTime).UnixNano()
	if d.forgotten.sweep(old); d.aired < old {
		d.aired = now.UnixNano()
		maps.DeleteFunc(d.over, func(_ netip.Prefix, s sentenced) bool { return max(s.proven, s.doubted) < old })
	}
	return budget
}

// overlapping yields the watches of prefixes that overlap p.
func (d *docket) overlapping(p netip.Prefix) iter.Seq[*watch] {
	return func(yield func(*watch) bool) {
		var keys []netip.Prefix
		switch {
		case d.GroupBy == ByAccount:
			return
		case p.IsSingleIP() && d.GroupBy == ByAddress:
			keys = []netip.Prefix{p, site(p.Addr())}
		case p.IsSingleIP() && d.GroupBy == ByPrefix:
			keys = []netip.Prefix{d.network(p.Addr())}
		default:
			for k, w := range d.watches {
				if k.prefix.Overlaps(p) && !yield(w) {
					return
				}
			}
			return
		}
		for i, k := range keys {
			if w := d.watches[key{prefix: k}]; w != nil && (i == 0 || k != keys[0]) && !yield(w) {
				return
			}
		}
	}
}

// accusing yields the watches of accounts in which a peer that overlaps p is named.
func (d *docket) accusing(p netip.Prefix) iter.Seq[*watch] {
	return func(yield func(*watch) bool) {
		if d.GroupBy != ByAccount {
			return
		}
		for _, w := range d.watches {
			named := slices.ContainsFunc(w.slots, func(s slot) bool { return s.peer.Value().Overlaps(p) })
			if named && !yield(w) {
				return
			}
		}
	}
}
