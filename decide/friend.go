package decide

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"bailiff/rules"
)

const (
	// stalePace is the shortest average time between the failures of a device that
	// only keeps trying: who guesses does not wait so long.
	stalePace = 5 * time.Second
	// staleFor is how lately others behind the same address must have logged in for
	// it to be a place where people work.
	staleFor = 24 * time.Hour
)

// stale says that a window of failures on accounts that are known good is that of
// a device with an old password: one account, at a steady pace, behind an address
// where others log in.
func (e *Engine) stale(w *watch, at time.Time) bool {
	var account string
	var first, last int64
	lines := 0
	for i := range w.slots {
		s := &w.slots[i]
		if !s.known {
			continue
		}
		if lines == 0 {
			account, first = s.account, s.at
		}
		if s.account != account {
			return false
		}
		last = s.at
		lines += int(s.lines)
	}
	steady := lines > 1 && time.Duration(last-first)/time.Duration(lines-1) >= stalePace
	return steady && e.known.others(w.key.prefix, account, at.Add(-staleFor).UnixNano())
}

func (e *Engine) alarmStale(w *watch, c charge, m *rules.Match, now time.Time) []Decision {
	account := accountOf(m)
	if !e.ring(bell{name: "stale " + w.docket.Name + " " + account, guard: w.key.prefix}, now) {
		return nil
	}
	d := Decision{
		Action: Alarm, Prefix: w.key.prefix, At: m.Time, Jail: w.docket.Name, Rule: m.Rule.String(), Origin: "rules", Attempts: c.attempts, Evidence: slices.Clone(w.evidence),
		Reason: fmt.Sprintf("account %s at %s keeps failing where it used to log in, and others there do log in: a device has an old password", account, w.key.prefix),
	}
	d.ID = id(&d)
	return []Decision{d}
}

// spared says why spoofable evidence alone does not touch a prefix, and of which
// trunk that is, if of one; "" if it does.
func (e *Engine) spared(p netip.Prefix) (why string, trunk netip.Prefix) {
	if g, ok := e.trunks.over(p); ok {
		return "it is a trunk (" + g.Why + ")", g.Prefix
	}
	if e.known.friendly(p) {
		return "an account has been opened from there", netip.Prefix{}
	}
	return "", netip.Prefix{}
}

// SetTrunks replaces the addresses that spoofable evidence alone never bans: those
// of providers, which somebody could have silenced by packets in their name. The
// standing bans that are so are lifted.
func (e *Engine) SetTrunks(trunks []Guard, now time.Time) []Decision {
	e.trunks = guardTable{}
	for _, g := range trunks {
		e.trunks.table.Insert(g.Prefix.Masked(), g)
	}
	var freed []netip.Prefix
	for p, bans := range e.bans.All() {
		if _, ok := e.trunks.over(p); ok && len(bans) > 0 && !slices.ContainsFunc(bans, func(b Decision) bool { return !b.Spoofable }) {
			freed = append(freed, p)
		}
	}
	lifts, _ := e.lift(freed, "guard", "it is a trunk now", now)
	return lifts
}
