package decide

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"time"
)

// stand records a ban as decided.
func (e *Engine) stand(d Decision) {
	e.fresh = append(e.fresh, d)
	if !d.Spent {
		e.bans[d.Prefix] = append(e.bans[d.Prefix], d)
	}
}

// Admit takes a ban that was not decided from matches: an operator's. The
// caller sets Prefix, At, Until, Jail, Ports, Verdict, Origin and Reason; Admit
// completes it. The error is a *GuardError if a guard is in the way.
func (e *Engine) Admit(d Decision, now time.Time) (Decision, error) {
	d.Prefix = d.Prefix.Masked()
	if d.Prefix.Addr().Is4In6() && d.Prefix.Bits() >= 96 {
		d.Prefix = netip.PrefixFrom(d.Prefix.Addr().Unmap(), d.Prefix.Bits()-96)
	}
	if !bannable(d.Prefix.Addr()) && d.Prefix.Bits() > 0 && d.Prefix.IsSingleIP() {
		return Decision{}, fmt.Errorf("%s is no address of a peer", d.Prefix.Addr())
	}
	if !d.Until.IsZero() && !d.Until.After(now) {
		return Decision{}, errors.New("the ban would be over already")
	}
	if g, ok := e.guards.over(d.Prefix); ok {
		return Decision{}, &GuardError{Prefix: d.Prefix, Guard: g}
	}
	d.Action = Ban
	d.ID = id(&d)
	earlier, known := e.strikes(&d)
	if known {
		return Decision{}, fmt.Errorf("%s was banned at %s already", d.Prefix, d.At)
	}
	d.Strike = earlier + 1
	end := d.Until
	if end.IsZero() {
		end = never
	}
	e.settleAll(d.Prefix, end)
	e.stand(d)
	return d, nil
}

// Lift ends every ban that overlaps p, and forgets the open windows there: a
// person has looked at it. The decisions name what was lifted.
func (e *Engine) Lift(p netip.Prefix, origin string, now time.Time) []Decision {
	lifted := e.lift(func(b *Decision) bool { return b.Prefix.Overlaps(p) }, origin, "", now)
	for _, w := range e.watches {
		if w.prefix.Overlaps(p) {
			w.evidence, w.settled = nil, 0
			e.settle(w, now)
		}
	}
	return lifted
}

// lift ends the bans that which selects.
func (e *Engine) lift(which func(*Decision) bool, origin, reason string, now time.Time) []Decision {
	var out []Decision
	for p, bans := range e.bans {
		bans = slices.DeleteFunc(bans, func(b Decision) bool {
			if !which(&b) {
				return false
			}
			d := b
			d.Action, d.At, d.Origin, d.Reason, d.Evidence = Lift, now, origin, reason, nil
			d.ID = id(&d)
			out = append(out, d)
			return true
		})
		e.keep(p, bans)
	}
	slices.SortFunc(out, byPrefix)
	return out
}

func (e *Engine) keep(p netip.Prefix, bans []Decision) {
	if len(bans) == 0 {
		delete(e.bans, p)
	} else {
		e.bans[p] = bans
	}
}

func byPrefix(a, b Decision) int {
	return cmp.Or(a.Prefix.Addr().Compare(b.Prefix.Addr()), cmp.Compare(a.Prefix.Bits(), b.Prefix.Bits()),
		a.At.Compare(b.At), cmp.Compare(a.Jail, b.Jail))
}

// never is when a ban without an end is over, for a window.
var never = time.Unix(0, math.MaxInt64)

// settleAll settles the windows inside p.
func (e *Engine) settleAll(p netip.Prefix, last time.Time) {
	for _, w := range e.watches {
		if w.prefix.Overlaps(p) {
			e.settle(w, last)
		}
	}
}

// Bans returns the bans that stand at now, simulated ones too, by address.
func (e *Engine) Bans(now time.Time) []Decision {
	var out []Decision
	for _, bans := range e.bans {
		for _, b := range bans {
			if b.Active(now) {
				out = append(out, b)
			}
		}
	}
	slices.SortFunc(out, byPrefix)
	return out
}

// Standing returns the ban that a firewall has to hold for a prefix, which can
// hold one: a ban of all traffic before one of some ports, and then the one that
// ends last.
func (e *Engine) Standing(p netip.Prefix) (Decision, bool) {
	var best *Decision
	for i := range e.bans[p] {
		if b := &e.bans[p][i]; !b.Simulated && (best == nil || holdsBefore(b, best)) {
			best = b
		}
	}
	if best == nil {
		return Decision{}, false
	}
	return *best, true
}

func holdsBefore(a, b *Decision) bool {
	if (len(a.Ports) == 0) != (len(b.Ports) == 0) {
		return len(a.Ports) == 0
	}
	return endsLater(a, b)
}

func endsLater(a, b *Decision) bool {
	if a.Until.IsZero() || b.Until.IsZero() {
		return a.Until.IsZero() && !b.Until.IsZero()
	}
	return a.Until.After(b.Until)
}

// refused says whether a ban that is enforced keeps the prefix out at a time:
// what is logged then left before it did.
func (e *Engine) refused(p netip.Prefix, at time.Time) bool {
	return slices.ContainsFunc(e.bans[p], func(b Decision) bool {
		return !b.Simulated && len(b.Ports) == 0 && (b.Until.IsZero() || !at.After(b.Until))
	})
}

// Standings returns what a firewall has to hold at now: one ban a prefix.
func (e *Engine) Standings(now time.Time) []Decision {
	var out []Decision
	for _, b := range e.Bans(now) {
		if holds, ok := e.Standing(b.Prefix); ok && holds.ID == b.ID {
			out = append(out, b)
		}
	}
	return out
}

// Expire forgets bans that have ended and windows that have run empty. It
// returns the bans that hold now because one that held before them has ended.
func (e *Engine) Expire(now time.Time) []Decision {
	var next []Decision
	for p, bans := range e.bans {
		left := slices.DeleteFunc(bans, func(b Decision) bool { return !b.Active(now) })
		e.keep(p, left)
		if len(left) == len(bans) {
			continue
		}
		if b, ok := e.Standing(p); ok {
			next = append(next, b)
		}
	}
	for key, w := range e.watches {
		find := e.opt.Jails[w.jail].FindTime
		if w.settled < now.UnixNano() && (len(w.slots) == 0 || w.newest <= now.Add(-find).UnixNano()) {
			w.slots, w.settled = nil, 0
			e.touch(w)
			delete(e.watches, key)
		}
	}
	for about, at := range e.rung {
		if now.Sub(at) >= alarmEvery {
			delete(e.rung, about)
		}
	}
	slices.SortFunc(next, byPrefix)
	return next
}
