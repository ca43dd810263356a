package decide

import (
	"cmp"
	"net/netip"
	"slices"
	"time"
	"unique"
)

// Explanation is what the engine knows of a prefix. What there may be very much of in a
// wide one is capped, and its number beside it.
type Explanation struct {
	// Bans stand on what overlaps the prefix, by address; Standing is how many.
	Bans     []Decision
	Standing int
	Guards   []Guard
	// Trunks are never banned on spoofable evidence alone.
	Trunks []Guard
	// Jails are those that remember the prefix or something in it, closest to a ban
	// first; Windows is how many windows they have.
	Jails   []JailView
	Windows int
	// Strikes are the earlier bans that still count, oldest first.
	Strikes []Strike
	// Forgotten is what made room for others.
	Forgotten []Forgotten
	// Held are the bans that wait for room, the next one first; Waiting is how many.
	Held    []Held
	Waiting int
	// Known are the accounts that were opened from there, the last one first; Pairs
	// is how many.
	Known []Known
	Pairs int
}

// The caps of an Explanation.
const (
	maxViews = 20
	maxBans  = 100
)

// JailView is how far one key is from a ban in one jail.
type JailView struct {
	Jail string
	// Prefix or Account, or both, are what the jail watches.
	Prefix   netip.Prefix
	Account  string
	Attempts int
	MaxRetry int
	FindTime time.Duration
	// Peers of Distinct different addresses, or accounts, are there, in jails that
	// ask for more than one.
	Peers, Distinct int
	// KnownGood attempts were on accounts that this address has opened before,
	// and have a bar of their own, KnownGoodBar.
	KnownGood, KnownGoodBar int
	// Unanswered of MaxChallenges requests for credentials were followed by no
	// login.
	Unanswered, MaxChallenges int
	Sums                      []Sum
	// First and Last are when the oldest and the newest of the attempts were made;
	// zero: there are none. Each counts for FindTime.
	First, Last time.Time
	// Ladder is how long the next bans would be, without jitter; Forever has no end.
	// NextStrike is the number of the first.
	Ladder     []time.Duration
	NextStrike int
	Evidence   []string
	// After is how many lines came during the ban, two seconds or more after
	// it was decided: the ban is without effect.
	After int
	// Simulate is the jail's.
	Simulate bool
}

// Explain tells what is known of p and of what it overlaps.
func (e *Engine) Explain(p netip.Prefix, now time.Time) Explanation {
	out := Explanation{Guards: e.Guards(p), Trunks: e.trunks.overlapping(p), Forgotten: e.Forgotten(p)}
	out.Bans = e.bansOn(p, now)
	out.Standing = len(out.Bans)
	out.Bans = out.Bans[:min(len(out.Bans), maxBans)]
	key := p
	if p.IsSingleIP() {
		key = e.key(peerOf(p.Addr()))
	}
	out.Strikes = e.remembered(e.record(key, "", now.Add(-e.opt.Escalation.ForgetAfter)), key)
	var found []*watch
	for _, d := range e.dockets {
		found = slices.AppendSeq(found, d.overlapping(p))
		found = slices.AppendSeq(found, d.accusing(p))
	}
	out.Windows = len(found)
	slices.SortFunc(found, func(a, b *watch) int {
		return cmp.Or(cmp.Compare(len(b.slots), len(a.slots)), cmp.Compare(a.docket.Name, b.docket.Name),
			a.key.prefix.Addr().Compare(b.key.prefix.Addr()), cmp.Compare(a.key.account, b.key.account))
	})
	for _, w := range found[:min(len(found), maxViews)] {
		out.Jails = append(out.Jails, e.view(w, key, now))
	}
	if len(e.held) > 0 {
		out.Held = slices.DeleteFunc(e.Held(), func(h Held) bool { return !h.Prefix.Overlaps(p) })
		out.Waiting = len(out.Held)
		out.Held = out.Held[:min(len(out.Held), maxViews)]
	}
	out.Known = e.known.of(key)
	out.Pairs = len(out.Known)
	out.Known = out.Known[:min(len(out.Known), maxViews)]
	return out
}

// overlapping returns the guards that overlap p.
func (t *guardTable) overlapping(p netip.Prefix) []Guard {
	var out []Guard
	for _, g := range t.table.Supernets(p) {
		out = append(out, g)
	}
	for _, g := range t.table.Subnets(p) {
		if !slices.Contains(out, g) {
			out = append(out, g)
		}
	}
	return out
}

// Guards returns the guards that overlap p, and what an operator has allowed of it.
func (e *Engine) Guards(p netip.Prefix) []Guard {
	return append(e.guards.overlapping(p), e.orders.allowed.overlapping(p)...)
}

// bansOn returns the bans that stand at now on what overlaps p, by address.
func (e *Engine) bansOn(p netip.Prefix, now time.Time) []Decision {
	var out []Decision
	add := func(bans []Decision) {
		for _, b := range bans {
			if b.Active(now) {
				out = append(out, b)
			}
		}
	}
	for _, bans := range e.bans.Supernets(p) {
		add(bans)
	}
	for on, bans := range e.bans.Subnets(p) {
		if on != p { // which is among those that cover it
			add(bans)
		}
	}
	slices.SortFunc(out, byPrefix)
	return out
}

// of returns the accounts that were opened from what p overlaps, the last one first.
func (a *acquaintance) of(p netip.Prefix) []Known {
	var out []Known
	add := func(home netip.Prefix, accounts map[string]int64) {
		for account, at := range accounts {
			out = append(out, Known{home, account, time.Unix(0, at)})
		}
	}
	if p == site(p.Addr()) || p.IsSingleIP() {
		add(p, a.homes[p])
	} else {
		for home, accounts := range a.homes {
			if home.Overlaps(p) {
				add(home, accounts)
			}
		}
	}
	slices.SortFunc(out, func(a, b Known) int {
		return cmp.Or(b.Last.Compare(a.Last), a.Prefix.Addr().Compare(b.Prefix.Addr()), cmp.Compare(a.Account, b.Account))
	})
	return out
}

// viewSteps is how many of the next sentences are foretold.
const viewSteps = 3

// view is what would count if the next line came now, and be the sentence of who is asked
// for if the window is that of an account.
func (e *Engine) view(w *watch, asked netip.Prefix, now time.Time) JailView {
	j := &w.docket.Jail
	d := Decision{Jail: j.Name, Prefix: w.key.prefix, At: now}
	if !d.Prefix.IsValid() {
		d.Prefix = asked
	}
	earlier := e.earlier(e.strikes(&d, 0), &d)
	if j.RepeatMaxRetry > 0 {
		w.repeats = e.repeats(w.docket, w.key.prefix, now)
	}
	still := watch{docket: w.docket, key: w.key}
	still.slots = slices.DeleteFunc(slices.Clone(w.slots), func(s slot) bool { return s.at <= now.Add(-j.FindTime).UnixNano() })
	v := JailView{
		Jail: j.Name, Prefix: w.key.prefix, Account: w.key.account, MaxRetry: w.bar(false), FindTime: j.FindTime, Simulate: j.Simulate,
		KnownGoodBar: w.bar(true), MaxChallenges: j.MaxChallenges, Evidence: slices.Clone(w.evidence), After: w.after, NextStrike: earlier.strikes + 1,
	}
	plain := e.opt.Escalation
	plain.Jitter = 0
	for range viewSteps {
		v.Ladder = append(v.Ladder, plain.length(j.BanTime, earlier, ""))
		earlier.strikes, earlier.weight = earlier.strikes+1, earlier.weight+1
	}
	var peers, accounts int
	v.Attempts, peers, accounts = still.tell(still.slots, which{spoofable: true})
	if j.Distinct > 1 {
		v.Distinct, v.Peers = j.Distinct, accounts
		if j.shared() {
			v.Peers = peers
		}
	}
	v.KnownGood, _, _ = still.tell(still.slots, which{spoofable: true, known: true})
	v.Unanswered, _, _ = still.tell(still.due(), which{spoofable: true, challenges: true})
	if n := len(still.slots); n > 0 {
		v.First, v.Last = time.Unix(0, still.slots[0].at), time.Unix(0, still.slots[n-1].at)
	}
	v.Sums = told(slices.DeleteFunc(still.slots, func(s slot) bool { return s.lane.Value().challenge }))
	return v
}

// told adds up what the witnesses say in the slots, as attempts are counted: of each
// peer for itself.
func told(slots []slot) []Sum {
	of := map[unique.Handle[netip.Prefix]][]slot{}
	var order []unique.Handle[netip.Prefix]
	for i := range slots {
		s := &slots[i]
		if of[s.peer] == nil {
			order = append(order, s.peer)
		}
		of[s.peer] = append(of[s.peer], *s)
	}
	var out []Sum
	for _, peer := range order {
	next:
		for _, s := range sums(of[peer]) {
			for i := range out {
				if o := &out[i]; o.Service == s.Service && o.Witness == s.Witness && o.Origin == s.Origin {
					o.Attempts, o.Lines = o.Attempts+s.Attempts, o.Lines+s.Lines
					continue next
				}
			}
			out = append(out, s)
		}
	}
	return out
}

// Watched returns how many keys each jail watches.
func (e *Engine) Watched() map[string]int {
	n := map[string]int{}
	for _, d := range e.dockets {
		n[d.Name] = len(d.watches)
	}
	return n
}
