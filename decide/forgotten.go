package decide

import (
	"container/list"
	"iter"
	"net/netip"
	"slices"
	"time"
	"unique"
)

// Forgotten is what was known of a neighbourhood, an IPv4 /24 or an IPv6 /48, in one
// jail when windows there had to make room. It is shown, and bans nobody.
type Forgotten struct {
	Jail   string
	Prefix netip.Prefix
	// Windows were forgotten from Since to Last, and in them Proven and Spoofable
	// attempts. It ends when none was for the jail's find_time.
	Windows           int
	Proven, Spoofable int
	Since, Last       time.Time
}

// maxForgotten bounds the neighbourhoods that a jail counts so. Those go first of which
// nothing was forgotten for longest: one that has a thousandth of a flood stays.
const maxForgotten = 10_000

// forgotten counts what a jail forgot, by neighbourhood.
type forgotten struct {
	by    map[place]*list.Element
	order list.List // of *loss, the one quiet longest in front
}

type loss struct {
	place             place
	windows           int
	since, last       int64
	proven, spoofable int
}

// note counts a window that is about to be forgotten.
func (f *forgotten) note(p place, proven, spoofable int, now int64) {
	at, ok := f.by[p]
	if ok {
		f.order.MoveToBack(at)
	} else {
		if len(f.by) >= maxForgotten {
			f.drop(f.order.Front())
		}
		if f.by == nil {
			f.by = map[place]*list.Element{}
		}
		at = f.order.PushBack(&loss{place: p, since: now})
		f.by[p] = at
	}
	l := at.Value.(*loss)
	l.windows++
	l.proven += proven
	l.spoofable += spoofable
	l.last = now
}

func (f *forgotten) drop(e *list.Element) {
	delete(f.by, f.order.Remove(e).(*loss).place)
}

// sweep ends what has been quiet since before old.
func (f *forgotten) sweep(old int64) {
	for e := f.order.Front(); e != nil && e.Value.(*loss).last < old; e = f.order.Front() {
		f.drop(e)
	}
}

// losses are what the jail forgot lately, the one quiet longest first.
func (d *docket) losses() iter.Seq[Forgotten] {
	return func(yield func(Forgotten) bool) {
		for at := d.forgotten.order.Front(); at != nil; at = at.Next() {
			l := at.Value.(*loss)
			if !yield(Forgotten{d.Name, l.place.prefix(), l.windows, l.proven, l.spoofable, time.Unix(0, l.since), time.Unix(0, l.last)}) {
				return
			}
		}
	}
}

// Forgotten returns what was forgotten lately of the neighbourhoods that overlap p, the
// most attempts first.
func (e *Engine) Forgotten(p netip.Prefix) []Forgotten {
	var out []Forgotten
	for _, d := range e.dockets {
		for f := range d.losses() {
			if f.Prefix.Overlaps(p) {
				out = append(out, f)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Forgotten) int { return b.Proven + b.Spoofable - a.Proven - a.Spoofable })
	return out
}

// Crowded returns the neighbourhood of which the most attempts were forgotten lately.
func (e *Engine) Crowded() (most Forgotten, ok bool) {
	for _, d := range e.dockets {
		for f := range d.losses() {
			if f.Proven+f.Spoofable > most.Proven+most.Spoofable {
				most, ok = f, true
			}
		}
	}
	return most, ok
}

// forget counts a window that has to make room; one of several peers is of all of them.
func (e *Engine) forget(w *watch, now time.Time) {
	e.stats.Evicted++
	if len(w.slots) == 0 {
		return
	}
	if !w.docket.shared() {
		e.lose(w, w.key.prefix, w.slots, now)
		return
	}
	for peer, own := range byPeer(w.slots) {
		at := w.key.prefix
		if !at.IsValid() {
			at = peer.Value()
		}
		e.lose(w, at, own, now)
	}
}

// lose counts what one peer had in a window.
func (e *Engine) lose(w *watch, at netip.Prefix, slots []slot, now time.Time) {
	proven := weigh(slots, false)
	spoofable := weigh(slots, true) - proven
	e.stats.EvictedProven += uint64(proven)
	e.stats.EvictedSpoofable += uint64(spoofable)
	w.docket.forgotten.note(placeOf(at), proven, spoofable, now.UnixNano())
}

func byPeer(slots []slot) map[unique.Handle[netip.Prefix]][]slot {
	if len(slots) == 1 {
		return map[unique.Handle[netip.Prefix]][]slot{slots[0].peer: slots}
	}
	of := map[unique.Handle[netip.Prefix]][]slot{}
	for _, s := range slots {
		of[s.peer] = append(of[s.peer], s)
	}
	return of
}

// weigh adds up the attempts of the slots on evidence of a class, as tell does, without
// making garbage: it is asked for each line. Where there are very many kinds of them it says
// at least so many.
func weigh(slots []slot, spoofable bool) int {
	type part struct {
		slot  *slot
		lines int
	}
	var parts [16]part
	n := 0
next:
	for i := range slots {
		s := &slots[i]
		if s.lane.Value().challenge || !s.counts(spoofable) {
			continue
		}
		for k := range n {
			if o := parts[k].slot; o.lane == s.lane && o.peer == s.peer {
				parts[k].lines += int(s.lines)
				continue next
			}
		}
		if n == len(parts) {
			return n
		}
		parts[n] = part{s, int(s.lines)}
		n++
	}
	// What each witness says goes to the first part of it, and the most that one says
	// to the first of its service.
	var said [len(parts)]int
	total := 0
	for i, p := range parts[:n] {
		l := p.slot.lane.Value()
		told := (p.lines + l.perAttempt - 1) / l.perAttempt * l.weight
		for k := range i + 1 {
			o := parts[k].slot.lane.Value()
			if parts[k].slot.peer == p.slot.peer && o.service == l.service && o.witness == l.witness && o.origin == l.origin {
				said[k] += told
				break
			}
		}
	}
	for i, p := range parts[:n] {
		best := true
		for k, q := range parts[:n] {
			if q.slot.peer == p.slot.peer && q.slot.lane.Value().service == p.slot.lane.Value().service && (said[k] > said[i] || said[k] == said[i] && k < i) {
				best = false
			}
		}
		if best {
			total += said[i]
		}
	}
	return total
}
