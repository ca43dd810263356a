package decide

import (
	"iter"
	"net/netip"
	"time"
)

// docket is one jail and the addresses that it watches. Its rows order them by
// how many lines count against them, and each row by how long they have been
// silent, so that whoever has to go is found at once.
type docket struct {
	Jail
	watches map[netip.Prefix]*watch
	rows    [rowCount]row
}

// rowCount is how many there are; the last is for that many lines and more.
const rowCount = 16

// row is a list of watches, the one silent longest first.
type row struct{ first, last *watch }

func (r *row) push(w *watch) {
	w.before, w.next = r.last, nil
	if r.last != nil {
		r.last.next = w
	} else {
		r.first = w
	}
	r.last = w
}

func (r *row) remove(w *watch) {
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
func (e *Engine) watch(d *docket, p netip.Prefix, now time.Time) *watch {
	w := d.watches[p]
	if w == nil {
		if e.watched >= e.opt.MaxKeys {
			e.evict()
		}
		w = &watch{docket: d, prefix: p}
		d.watches[p] = w
		e.watched++
	} else {
		d.rows[w.row].remove(w)
	}
	w.seen = now.UnixNano()
	d.rows[w.row].push(w)
	return w
}

// seat moves a watch into the row for the lines that it holds now.
func (d *docket) seat(w *watch) {
	if n := uint8(min(len(w.slots), rowCount-1)); n != w.row {
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
	w.slots, w.settled, w.evidence = nil, 0, nil
	if w.stored {
		e.touch(w)
	}
	w.docket.rows[w.row].remove(w)
	delete(w.docket.watches, w.prefix)
	e.watched--
}

// evict forgets the window with the fewest lines, and of several the one silent
// longest: a flood of addresses pushes out itself.
func (e *Engine) evict() {
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
	return budget
}

// overlapping yields the watches that overlap p.
func (d *docket) overlapping(p netip.Prefix) iter.Seq[*watch] {
	return func(yield func(*watch) bool) {
		if !p.IsSingleIP() {
			for _, w := range d.watches {
				if w.prefix.Overlaps(p) && !yield(w) {
					return
				}
			}
			return
		}
		for _, key := range []netip.Prefix{p, site(p.Addr())} {
			if w := d.watches[key]; w != nil && !yield(w) {
				return
			}
			if p.Addr().Is4() {
				return
			}
		}
	}
}
