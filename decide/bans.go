package decide

import (
	"cmp"
	"container/heap"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"
)

// stand records a ban as decided.
func (e *Engine) stand(d Decision) {
	d.Evidence, d.Sums = nil, nil // they are on record; here they would fill the memory
	e.fresh = append(e.fresh, d)
	e.banned(&d)
	if !d.Spent {
		e.raise(d)
	}
}

// raise puts a ban in force, in place of an earlier one of the same jail: the
// store too has room for one.
func (e *Engine) raise(b Decision) {
	bans, _ := e.bans.Get(b.Prefix)
	bans = slices.DeleteFunc(slices.Clone(bans), func(o Decision) bool { return o.Jail == b.Jail })
	e.keep(b.Prefix, append(bans, b))
	if !b.Until.IsZero() {
		heap.Push(&e.ends, ending{b.Until, b.Prefix})
	}
}

// keep leaves these bans on a prefix, and no others.
func (e *Engine) keep(p netip.Prefix, bans []Decision) {
	old, _ := e.bans.Get(p)
	e.census.add(old, -1)
	e.census.add(bans, 1)
	if len(bans) == 0 {
		e.bans.Delete(p)
		delete(e.leaks, p)
	} else {
		e.bans.Insert(p, bans)
	}
}

// Census counts bans in force.
type Census struct {
	// Jails has the bans of each jail; those of none are under "".
	Jails map[string]int
	// Enforced is on how many prefixes a ban stands that is not simulated.
	Enforced int
	// Space4 and Space6 are how many IPv4 addresses, and how many /64 of IPv6,
	// those prefixes hold, each counted for itself.
	Space4, Space6 int64
}

func (c *Census) add(bans []Decision, n int) {
	enforced := false
	for i := range bans {
		c.Jails[bans[i].Jail] += n
		enforced = enforced || !bans[i].Simulated
	}
	if enforced {
		space4, space6 := extent(bans[0].Prefix)
		c.Enforced += n
		c.Space4 += int64(n) * space4
		c.Space6 += int64(n) * space6
	}
}

// Census counts the bans in force, as of the last Expire. Unlike Bans it looks at
// none of them.
func (e *Engine) Census() Census {
	return Census{Jails: maps.Clone(e.census.Jails), Enforced: e.census.Enforced, Space4: e.census.Space4, Space6: e.census.Space6}
}

// Admit takes a ban that was not decided from matches: an operator's. The
// caller sets Prefix, At, Until, Jail, Ports, Verdict, Simulated, Origin and
// Reason; Admit completes it. It takes the place of a ban of the same jail. The
// error is a *GuardError if a guard is in the way.
func (e *Engine) Admit(d Decision, now time.Time) (Decision, error) {
	e.orders.expire(now)
	d.Prefix = plainPrefix(d.Prefix)
	if d.Prefix.IsSingleIP() && !bannable(d.Prefix.Addr()) {
		return Decision{}, fmt.Errorf("%s is no address of a peer", d.Prefix.Addr())
	}
	if !d.Until.IsZero() && !d.Until.After(now) {
		return Decision{}, errors.New("the ban would be over already")
	}
	if g, ok := e.guarded(d.Prefix); ok {
		return Decision{}, &GuardError{Prefix: d.Prefix, Guard: g}
	}
	d.Action = Ban
	d.ID = id(&d)
	if d.Strike = e.earlier(e.strikes(&d, 0), &d).strikes; !d.Spoofable {
		d.Strike++
	}
	for _, docket := range e.dockets {
		if !d.refuses() && docket.Name != d.Jail {
			continue
		}
		for w := range docket.overlapping(d.Prefix) {
			if w.key.prefix.Bits() >= d.Prefix.Bits() {
				e.settle(e.watch(docket, w.key, now), end(d.Until))
			}
		}
	}
	e.stand(d)
	return d, nil
}

// Lift ends every ban that overlaps p, and forgets the open windows there: a
// person has looked at it. Each of lifts ends the ban at its place in ended.
func (e *Engine) Lift(p netip.Prefix, origin string, now time.Time) (lifts, ended []Decision) {
	lifts, ended = e.lift([]netip.Prefix{p}, origin, "", now)
	e.unparkWithin(p)
	if origin == "operator" {
		e.blame(p, ended)
	}
	for _, d := range e.dockets {
		for w := range d.overlapping(p) {
			e.acquit(d, w.key, now)
		}
		e.excuse(d, p)
	}
	return lifts, ended
}

// lift ends the bans that overlap one of the prefixes. Their windows start
// afresh.
func (e *Engine) lift(within []netip.Prefix, origin, reason string, now time.Time) (lifts, ended []Decision) {
	for _, p := range within {
		for _, bans := range e.bans.Subnets(p) {
			ended = append(ended, bans...)
		}
		for _, bans := range e.bans.Supernets(p) {
			ended = append(ended, bans...)
		}
	}
	slices.SortFunc(ended, byPrefix)
	ended = slices.CompactFunc(ended, func(a, b Decision) bool { return byPrefix(a, b) == 0 })
	for _, d := range ended {
		e.keep(d.Prefix, nil)
		for i := range e.fresh {
			if f := &e.fresh[i]; f.Prefix == d.Prefix && f.Jail == d.Jail && end(f.Until) > nanos(now) {
				f.Until = now
			}
		}
		if i := slices.IndexFunc(e.dockets, func(o *docket) bool { return o.Name == d.Jail }); i >= 0 {
			e.pardon(e.dockets[i], d.Prefix, now)
		}
		d.Action, d.At, d.Origin, d.Reason = Lift, now, origin, reason
		d.ID = id(&d)
		lifts = append(lifts, d)
	}
	return lifts, ended
}

// acquit starts a window afresh: only what is stamped after now counts.
func (e *Engine) acquit(d *docket, k key, now time.Time) {
	w := e.watch(d, k, now)
	w.settled, w.doubted = 0, 0
	e.settle(w, nanos(now))
}

// pardon starts the windows of a prefix afresh whose ban in the jail has ended.
func (e *Engine) pardon(d *docket, p netip.Prefix, now time.Time) {
	delete(d.over, p)
	switch d.GroupBy {
	case ByAddress, ByPrefix:
		e.acquit(d, key{prefix: p}, now)
	case ByAddressAccount:
		for w := range d.overlapping(p) {
			e.acquit(d, w.key, now)
		}
	case ByAccount:
		e.excuse(d, p)
	}
}

// excuse takes the attempts of a peer out of the windows of accounts.
func (e *Engine) excuse(d *docket, p netip.Prefix) {
	for w := range d.accusing(p) {
		w.slots = slices.DeleteFunc(w.slots, func(s slot) bool { return s.peer.Value().Overlaps(p) })
		e.touch(w)
	}
}

func byPrefix(a, b Decision) int {
	return cmp.Or(a.Prefix.Addr().Compare(b.Prefix.Addr()), cmp.Compare(a.Prefix.Bits(), b.Prefix.Bits()),
		a.At.Compare(b.At), cmp.Compare(a.Jail, b.Jail))
}

// during returns the bans that a peer was under at a time, or came to be before
// it was known what is stamped so: what is logged then left before they held.
func (e *Engine) during(peer netip.Addr, at time.Time) []Decision {
	if e.bans.Size() == 0 {
		return nil
	}
	var out []Decision
	for _, bans := range e.bans.Supernets(host(peer)) {
		for _, b := range bans {
			if b.Until.IsZero() || !at.After(b.Until) {
				out = append(out, b)
			}
		}
	}
	return out
}

// Bans returns the bans that stand at now, simulated ones too, by address.
func (e *Engine) Bans(now time.Time) []Decision {
	out := make([]Decision, 0, e.bans.Size())
	for _, bans := range e.bans.AllSorted() {
		for _, b := range bans {
			if b.Active(now) {
				out = append(out, b)
			}
		}
	}
	return out
}

// Standing returns the ban that a firewall has to hold at now for a prefix, which
// can hold one: a ban of all traffic before one of some ports, and then the one
// that ends last.
func (e *Engine) Standing(p netip.Prefix, now time.Time) (Decision, bool) {
	bans, _ := e.bans.Get(p)
	return standing(bans, now)
}

// Standings returns what a firewall has to hold at now: one ban a prefix.
func (e *Engine) Standings(now time.Time) []Decision {
	out := make([]Decision, 0, e.bans.Size())
	for _, bans := range e.bans.AllSorted() {
		if b, ok := standing(bans, now); ok {
			out = append(out, b)
		}
	}
	return out
}

func standing(bans []Decision, now time.Time) (Decision, bool) {
	var best *Decision
	for i := range bans {
		if b := &bans[i]; b.Active(now) && !b.Simulated && (best == nil || holdsBefore(b, best)) {
			best = b
		}
	}
	if best == nil {
		return Decision{}, false
	}
	return *best, true
}

func holdsBefore(a, b *Decision) bool {
	if a.refuses() != b.refuses() {
		return a.refuses()
	}
	return end(a.Until) > end(b.Until)
}

// refuses says that nothing of the prefix gets through.
func (d *Decision) refuses() bool { return !d.Simulated && len(d.Ports) == 0 }
