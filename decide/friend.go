package decide

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"bailiff/rules"
)

const (
	// stalePace is the shortest average time between the failures of a device that
	// only keeps trying: who guesses does not wait so long.
	stalePace = 5 * time.Second
	// officePace is the same of all failures behind one address, where several devices
	// keep trying.
	officePace = time.Second
	// staleFor is how lately others behind the same address must have logged in for
	// it to be a place where people work.
	staleFor = 24 * time.Hour
)

// stale returns the accounts of a window of failures on accounts that are known good, if it
// is that of devices with an old password: each account fails at a steady pace, behind an
// address where as many other accounts log in. Else it returns none.
func (e *Engine) stale(w *watch, at time.Time) []string {
	of := map[string][]slot{}
	var all []slot
	for _, s := range w.slots {
		if s.known {
			of[s.account] = append(of[s.account], s)
			all = append(all, s)
		}
	}
	steady := pace(all) >= officePace
	for _, own := range of {
		steady = steady && pace(own) >= stalePace
	}
	failing := slices.Sorted(maps.Keys(of))
	if !steady || e.known.others(w.key.prefix, failing, at.Add(-staleFor).UnixNano()) < len(failing) {
		return nil
	}
	return failing
}

// pace is the average time between the attempts of slots, which are in order; of a single
// one it is endless.
func pace(slots []slot) time.Duration {
	n := attempts(sums(slots))
	if n < 2 {
		return Forever
	}
	return time.Duration(slots[len(slots)-1].at-slots[0].at) / time.Duration(n-1)
}

// maxNamed is how many accounts an alarm names.
const maxNamed = 5

// alarmStale tells which devices have an old password, once an hour for each.
func (e *Engine) alarmStale(w *watch, c charge, accounts []string, m *rules.Match, now time.Time) []Decision {
	news := false
	for _, account := range accounts {
		news = e.ring(bell{name: "stale " + w.docket.Name + " " + account, guard: w.key.prefix}, now) || news
	}
	if !news {
		return nil
	}
	reason := fmt.Sprintf("account %s at %s keeps failing where it used to log in, and others there do log in: a device has an old password", accounts[0], w.key.prefix)
	if n := len(accounts); n > 1 {
		names := strings.Join(accounts[:min(n, maxNamed)], ", ")
		if n > maxNamed {
			names += ", …"
		}
		reason = fmt.Sprintf("%d accounts at %s keep failing where they used to log in (%s), and others there do log in: devices have an old password", n, w.key.prefix, names)
	}
	d := Decision{
		Action: Alarm, Prefix: w.key.prefix, At: m.Time, Jail: w.docket.Name, Rule: m.Rule.String(), Origin: "rules", Attempts: c.attempts, Evidence: slices.Clone(w.evidence),
		Reason: reason,
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
