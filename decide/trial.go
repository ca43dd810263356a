package decide

import (
	"net/netip"
	"slices"
	"time"

	"bailiff/rules"
)

// sentence bans those whom a complete window condemns, and settles it.
func (e *Engine) sentence(w *watch, c charge, m *rules.Match, now time.Time) []Decision {
	// The window may have been forgotten while a ban stood, or the log may be
	// read a second time: what the record says of this jail's bans holds.
	if e.served(w, m) {
		var complete bool
		if c, complete = w.full(); !complete {
			e.touch(w)
			return nil
		}
	}
	if c.known {
		if accounts := e.stale(w, m.Time); len(accounts) > 0 {
			e.settle(w, nanos(m.Time))
			return e.alarmStale(w, c, accounts, m, now)
		}
	}
	var out []Decision
	var last *Decision
	for _, p := range w.accused(c.spoofable) {
		if e.waits(heldKey{p, w.docket.Name}, c.spoofable) {
			continue
		}
		d, more := e.judge(w, c, p, m, now)
		if !d.held {
			last = &d.Decision
			if d.ID != "" {
				out = append(out, d.Decision)
			}
		}
		out = append(out, more...)
	}
	if last != nil { // else all of it waits for room, and the window stays complete
		e.close(w, c, last, now)
	}
	return out
}

// close settles a window that was judged: up to the end of the ban that came of it,
// if the window is the banned prefix's own, and else up to the match.
func (e *Engine) close(w *watch, c charge, d *Decision, now time.Time) {
	last := nanos(d.At)
	if d.Action == Ban && w.docket.GroupBy != ByAccount {
		last = end(d.Until)
	}
	if c.spoofable {
		e.settleDoubted(w, last)
	} else {
		e.settle(w, last)
	}
	if d.Action == Ban && !d.Spent {
		w.enforced = now.UnixNano()
	}
}

// served takes out of a window what bans on record have answered, and says
// whether there was any.
func (e *Engine) served(w *watch, m *rules.Match) bool {
	before, settled, doubted := len(w.slots), w.settled, w.doubted
	for _, p := range w.prefixes(func(*slot) bool { return true }) {
		if e.waits(heldKey{p, w.docket.Name}, true) {
			continue // its ban is none yet
		}
		d := Decision{Prefix: p, Jail: w.docket.Name, At: m.Time}
		proven, doubted := servedUntil(e.strikes(&d, w.docket.FindTime), &d, w.docket.FindTime)
		late := w.docket.over[p]
		w.serve(p, max(proven, late.proven), max(doubted, late.doubted))
	}
	return len(w.slots) != before || w.settled != settled || w.doubted != doubted
}

// serve takes out of the window what is stamped up to the end of a ban of p: all
// of it, and what is spoofable up to another. Either is 0 where there was none.
func (w *watch) serve(p netip.Prefix, proven, doubted int64) {
	alone := w.docket.GroupBy != ByAccount
	if alone {
		w.settled, w.doubted = max(w.settled, proven), max(w.doubted, doubted)
	}
	w.slots = slices.DeleteFunc(w.slots, func(s slot) bool {
		if !alone && s.peer.Value() != p {
			return false
		}
		return s.at <= proven || s.doubted && s.at <= doubted
	})
}

// finding is what comes of one prefix: a ban, or an alarm if something is in the way,
// which has no ID if it rang lately; or a ban that is held.
type finding struct {
	Decision
	held bool
}

// judge decides about one prefix that a complete window condemns, and about the
// network that it is in.
func (e *Engine) judge(w *watch, c charge, p netip.Prefix, m *rules.Match, now time.Time) (finding, []Decision) {
	j := &w.docket.Jail
	d := Decision{
		Action: Ban, Prefix: p, At: m.Time, Jail: j.Name, Rule: m.Rule.String(), Origin: "rules", Attempts: c.attempts, Reason: c.reason,
		Ports: j.Ports, Verdict: j.Verdict, Spoofable: c.spoofable, Simulated: j.Simulate, Evidence: slices.Clone(w.evidence), Sums: w.account(c, p),
	}
	if g, ok := e.guarded(p); ok {
		e.stats.Guarded++
		return finding{Decision: e.alarmGuarded(&d, g, now)}, nil
	}
	d.ID = id(&d)
	earlier := e.earlier(e.strikes(&d, j.FindTime), &d)
	length := e.opt.Escalation.length(j.BanTime, earlier, d.ID)
	d.Strike = earlier.strikes + 1
	if c.spoofable {
		d.Strike, length = earlier.strikes, e.opt.Escalation.atMost(min(j.BanTime, j.SpoofableBan))
		if why, trunk := e.spared(p); why != "" && j.Spoofable == SpoofableShort {
			e.stats.Doubted++
			return finding{Decision: e.alarmSpared(&d, why, trunk, now)}, nil
		}
		var unknown string
		if d.Ports, unknown = ports(j, w.services()); j.Spoofable == SpoofableAlarm || unknown != "" {
			e.stats.Doubted++
			return finding{Decision: e.alarmDoubted(&d, unknown, now)}, nil
		}
	}
	d.Until = until(d.At, length)
	d.Spent = !d.Until.IsZero() && !d.Until.After(now)
	if why := e.room(&d, now); why != "" {
		return finding{d, true}, e.hold(w, d, why, now)
	}
	e.unpark(heldKey{d.Prefix, d.Jail})
	w.docket.condemn(&d)
	e.stand(d)
	if d.Spoofable || d.Spent {
		return finding{Decision: d}, nil
	}
	return finding{Decision: d}, e.promote(j, d, d.At, now)
}

// services are those that the window's slots speak of.
func (w *watch) services() []string {
	var out []string
	for i := range w.slots {
		if s := w.slots[i].lane.Value().service; !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}
