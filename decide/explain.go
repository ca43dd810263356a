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
	// Forgotten is what made room for others.
	Forgotten []Forgotten
}

// JailView is how far one key is from a ban in one jail.
type JailView struct {
	Jail string
	// Prefix or Account, or both, are what the jail watches.
	Prefix   netip.Prefix
	Account  string
	Attempts int
	MaxRetry int
	FindTime time.Duration
	// KnownGood attempts were on accounts that this address has opened before,
	// and have a bar of their own, KnownGoodBar.
	KnownGood, KnownGoodBar int
	// Unanswered of MaxChallenges requests for credentials were followed by no
	// login.
	Unanswered, MaxChallenges int
	Sums                      []Sum
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
	out := Explanation{Guards: e.Guards(p), Forgotten: e.Forgotten(p)}
	for _, b := range e.Bans(now) {
		if b.Prefix.Overlaps(p) {
			out.Bans = append(out.Bans, b)
		}
	}
	key := p
	if p.IsSingleIP() {
		key = e.key(peerOf(p.Addr()))
	}
	out.Strikes = e.record(key, "", now.Add(-e.opt.Escalation.ForgetAfter))
	for _, d := range e.dockets {
		for w := range d.overlapping(p) {
			out.Jails = append(out.Jails, e.view(w, now))
		}
		for w := range d.accusing(p) {
			out.Jails = append(out.Jails, e.view(w, now))
		}
	}
	slices.SortFunc(out.Jails, func(a, b JailView) int {
		return slices.Compare([]string{a.Jail, a.Prefix.String(), a.Account}, []string{b.Jail, b.Prefix.String(), b.Account})
	})
	return out
}

// view is what would count if the next line came now.
func (e *Engine) view(w *watch, now time.Time) JailView {
	j := &w.docket.Jail
	d := Decision{Jail: j.Name, Prefix: w.key.prefix, At: now}
	d.ID = id(&d)
	var earlier past
	if d.Prefix.IsValid() {
		earlier = e.opt.Escalation.earlier(e.strikes(&d, 0), &d)
	}
	still := watch{docket: w.docket, key: w.key}
	still.slots = slices.DeleteFunc(slices.Clone(w.slots), func(s slot) bool { return s.at <= now.Add(-j.FindTime).UnixNano() })
	v := JailView{
		Jail: j.Name, Prefix: w.key.prefix, Account: w.key.account, MaxRetry: w.bar(false), FindTime: j.FindTime,
		KnownGoodBar: w.bar(true), MaxChallenges: j.MaxChallenges, Evidence: slices.Clone(w.evidence), After: w.after,
		Next: e.opt.Escalation.length(j.BanTime, earlier, d.ID), NextStrike: earlier.strikes + 1,
	}
	v.Attempts, _, _ = still.tell(still.slots, which{spoofable: true})
	v.KnownGood, _, _ = still.tell(still.slots, which{spoofable: true, known: true})
	v.Unanswered, _, _ = still.tell(still.due(), which{spoofable: true, challenges: true})
	v.Sums = sums(slices.DeleteFunc(still.slots, func(s slot) bool { return s.lane.Value().challenge }))
	return v
}

// Watched returns how many keys each jail watches.
func (e *Engine) Watched() map[string]int {
	n := map[string]int{}
	for _, d := range e.dockets {
		n[d.Name] = len(d.watches)
	}
	return n
}
