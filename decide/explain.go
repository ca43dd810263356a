package decide

import (
	"net/netip"
	"slices"
	"time"
)

// Explanation is what the engine knows of a prefix.
type Explanation struct {
	Bans   []Decision
	Guards []Guard
	Jails  []JailView
	// Strikes are the earlier bans that still count, oldest first.
	Strikes []Strike
}

// JailView is how far one key is from a ban in one jail.
type JailView struct {
	Jail     string
	Prefix   netip.Prefix
	Attempts int
	MaxRetry int
	FindTime time.Duration
	Sums     []Sum
	// Next is how long the next ban would be; Forever has no end. NextStrike
	// is its number.
	Next       time.Duration
	NextStrike int
	Evidence   []string
	// After is how many lines came during the ban, two seconds or more after
	// it was decided: the ban is without effect.
	After int
}

// Explain tells what is known of p and of what it overlaps.
func (e *Engine) Explain(p netip.Prefix, now time.Time) Explanation {
	out := Explanation{Guards: e.Guards(p)}
	for _, b := range e.Bans(now) {
		if b.Prefix.Overlaps(p) {
			out.Bans = append(out.Bans, b)
		}
	}
	key := p
	if p.IsSingleIP() {
		key = e.key(p.Addr())
	}
	forget := now.Add(-e.opt.Escalation.ForgetAfter)
	out.Strikes = e.record(key, "", forget)
	for _, w := range e.watches {
		if !w.prefix.Overlaps(p) {
			continue
		}
		j := &e.opt.Jails[w.jail]
		d := Decision{Jail: j.Name, Prefix: w.prefix, At: now}
		d.ID = id(&d)
		earlier, _ := e.strikes(&d)
		out.Jails = append(out.Jails, JailView{
			Jail: j.Name, Prefix: w.prefix, MaxRetry: j.MaxRetry, FindTime: j.FindTime,
			Attempts: w.attempts(), Sums: w.sums(), Evidence: slices.Clone(w.evidence), After: w.after,
			Next: e.opt.Escalation.length(j.BanTime, earlier, d.ID), NextStrike: earlier + 1,
		})
	}
	slices.SortFunc(out.Jails, func(a, b JailView) int {
		return slices.Compare([]string{a.Jail, a.Prefix.String()}, []string{b.Jail, b.Prefix.String()})
	})
	return out
}

// Watched returns how many keys each jail watches.
func (e *Engine) Watched() map[string]int {
	n := map[string]int{}
	for _, w := range e.watches {
		n[e.opt.Jails[w.jail].Name]++
	}
	return n
}

// Reconfigure changes the policy. Windows of jails that are gone are forgotten;
// the others, and all bans, stand.
func (e *Engine) Reconfigure(opt Options) error {
	if err := opt.Validate(); err != nil {
		return err
	}
	old := e.opt.Jails
	watches := e.watches
	e.watches = map[watchKey]*watch{}
	e.configure(opt)
	for _, w := range watches {
		jail := slices.IndexFunc(opt.Jails, func(j Jail) bool { return j.Name == old[w.jail].Name })
		if jail < 0 {
			continue
		}
		w.jail = jail
		e.watches[watchKey{jail, w.prefix}] = w
	}
	e.touched = slices.DeleteFunc(e.touched, func(w *watch) bool { return e.watches[watchKey{w.jail, w.prefix}] != w })
	return nil
}
