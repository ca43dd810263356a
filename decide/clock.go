package decide

import (
	"net/netip"
	"slices"
	"time"
)

// SetBack puts right what was noted by a clock that was ahead. Else whoever was heard by
// that clock could go on unseen until it is as late again, because all that is logged before
// is late in its window, and bans would last as much longer as the clock was wrong.
//
// What is stamped later than now counts as of now. A ban that was made later than now is
// lifted and made again, earlier by as much as the clock was set back; by is zero where
// nobody knows how much that was, and then the ban begins now. The decisions are the caller's,
// and the firewall has to hold Standings afterwards.
func (e *Engine) SetBack(now time.Time, by time.Duration) []Decision {
	var out, ahead []Decision
	for _, bans := range e.bans.All() {
		for i := range bans {
			if bans[i].At.After(now) {
				ahead = append(ahead, bans[i])
			}
		}
	}
	for _, b := range ahead {
		out = append(out, e.redate(b, now, by)...)
	}
	slices.SortStableFunc(out, func(a, b Decision) int { return byPrefix(Decision{Prefix: a.Prefix}, Decision{Prefix: b.Prefix}) })
	for k, h := range e.held {
		if h.At.After(now) {
			h.Decision = back(h.Decision, now, by)
			e.held[k] = h
			e.heldTouched[k] = true
		}
	}
	for _, d := range e.dockets {
		d.aired = min(d.aired, nanos(now))
		for p, s := range d.over {
			last := e.silence(p, now)
			d.over[p] = sentenced{min(s.proven, last), min(s.doubted, last)}
		}
		for _, w := range d.watches {
			e.recall(w, now)
		}
	}
	e.orders.setBack(now)
	e.known.setBack(nanos(now))
	for account, g := range e.guessed {
		g.last = min(g.last, nanos(now))
		e.guessed[account] = g
	}
	return out
}

// redate lifts a ban and makes it again.
func (e *Engine) redate(b Decision, now time.Time, by time.Duration) []Decision {
	lift := b
	lift.Action, lift.At, lift.Origin, lift.Reason = Lift, now, "clock", "the clock was set back; the ban is made again with its time put right"
	lift.ID = id(&lift)
	again := back(b, now, by)
	for i := range e.fresh {
		if f := &e.fresh[i]; f.Prefix == b.Prefix && f.Jail == b.Jail && f.At.Equal(b.At) {
			f.Until = now
		}
	}
	e.fresh = append(e.fresh, again)
	e.raise(again)
	return []Decision{lift, again}
}

// back is a ban as the clock would have had it that was set back.
func back(b Decision, now time.Time, by time.Duration) Decision {
	if by <= 0 || b.At.Add(-by).After(now) {
		by = b.At.Sub(now)
	}
	b.At = b.At.Add(-by)
	if !b.Until.IsZero() {
		b.Until = b.Until.Add(-by)
	}
	b.ID = id(&b)
	return b
}

// silence is up to when what a prefix does counts no more because of the bans that stand.
func (e *Engine) silence(p netip.Prefix, now time.Time) int64 {
	last := nanos(now)
	if p.IsValid() {
		for _, b := range e.during(p.Addr(), now) {
			last = max(last, end(b.Until))
		}
	}
	return last
}

// recall has nothing in a window be of a time that has not come.
func (e *Engine) recall(w *watch, now time.Time) {
	at := nanos(now)
	w.seen, w.enforced = min(w.seen, at), min(w.enforced, at)
	last := at
	if w.settled > at || w.doubted > at {
		last = e.silence(w.key.prefix, now)
	}
	ahead := w.settled > last || w.doubted > last
	w.settled, w.doubted = min(w.settled, last), min(w.doubted, last)
	for i := range w.slots {
		if w.slots[i].at > at {
			w.slots[i].at, ahead = at, true
		}
	}
	if ahead {
		e.touch(w)
	}
}

// setBack has nobody be known later than now.
func (a *acquaintance) setBack(now int64) {
	a.pruned = min(a.pruned, now)
	for p, accounts := range a.homes {
		for account, at := range accounts {
			if at > now {
				accounts[account] = now
				a.touched[pair{p, account}] = true
			}
		}
	}
}
