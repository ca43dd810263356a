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
	scores  map[*rules.Rule]*Score // those of the engine, since Scores
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
// single spoofable line, whose sender may not exist, one for each number of lines from
// one on, and the last for those who are to be forgotten last.
const rowCount = 16

// rank is the row of a watch.
func (w *watch) rank() uint8 {
	n := len(w.slots)
	switch {
	case n == 0:
		return 0
	case w.repeats || w.settled != 0 || 2*n >= w.bar(false):
		// Who was banned before, or has used half of the attempts.
		return rowCount - 1
	case n == 1 && w.slots[0].doubted && w.slots[0].lines == 1:
		return 1
	}
	return uint8(min(n+1, rowCount-2))
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
	w := d.watches[k]
	if w == nil {
		if e.watched >= e.opt.MaxKeys {
			e.evict(now)
		}
		w = &watch{docket: d, key: k}
		d.watches[k] = w
		e.watched++
		w.repeats = d.RepeatMaxRetry > 0 && e.repeats(d, k.prefix, now)
	} else {
		d.rows[w.row].remove(w)
	}
	w.seen = now.UnixNano()
	d.rows[w.row].push(w)
	return w
}

// seat moves a watch into the row for what it holds now.
func (d *docket) seat(w *watch) {
	if n := w.rank(); n != w.row {
		d.rows[w.row].remove(w)
		w.row = n
		d.rows[n].push(w)
	}
}

// touch notes that a window changed.
func (e *Engine) touch(w *watch) {
	w.docket.seat(w)
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
	w.docket.rows[w.row].remove(w)
	delete(w.docket.watches, w.key)
	e.watched--
}

// evict forgets a window of the first row that has one, and of several the one silent
// longest: a flood of addresses pushes out itself, and first of all a flood of packets
// with invented senders.
func (e *Engine) evict(now time.Time) {
	for n := range rowCount {
		var oldest *watch
		for _, d := range e.dockets {
			if w := d.rows[n].first; w != nil && (oldest == nil || w.seen < oldest.seen) {
				oldest = w
			}
		}
		if oldest != nil {
			e.drop(oldest)
			e.stats.Evicted++
			if e.ring(bell{name: "evicted"}, now) {
				e.notices = append(e.notices, e.alarmEvicted(oldest, now))
			}
			return
		}
	}
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
	if old := now.Add(-d.FindTime).UnixNano(); d.aired < old {
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
