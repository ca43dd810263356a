package decide

import (
	"maps"
	"net/netip"
	"slices"
	"time"
	"unique"

	"github.com/gaissmai/bart"

	"bailiff/rules"
)

// Engine decides. Make one with New, give it back what an earlier one handed
// out with Restore, and feed it with Observe.
type Engine struct {
	opt     Options
	history History
	dockets []*docket
	packs   map[string][]*docket // by the pack that they judge
	watched int                  // watches of all dockets
	load    int                  // how much room they take
	touched []*watch
	crowds  *crowds
	askedAt int64 // in which second asked were asked about before they were forgotten
	asked   int

	bans    bart.Table[[]Decision] // in force, by prefix: one of each jail
	census  Census                 // how many those are
	ends    endings                // when they end
	fresh   []Decision             // bans since Committed, which History may not know
	guards  guardTable
	trunks  guardTable
	orders  orders
	known   acquaintance
	guessed map[string]guesses // by account
	rung    map[bell]time.Time

	budgets map[budgetKey]budget
	held    map[heldKey]hold
	// heldTouched are those that HeldTouched has to hand out.
	heldTouched map[heldKey]bool
	leaks       map[netip.Prefix]int // by banned prefix
	notices     []Decision           // alarms that no match asked for, for Observe to hand out
	scores      map[scoreKey]*Score  // since Scores
	leaked      bool                 // the match at hand is among them

	stats Stats
}

// Stats counts what became of matches.
type Stats struct {
	// Observed counts matches and jails they were put before.
	Observed uint64
	// Counted added to a window.
	Counted uint64
	// Late were older than the window.
	Late uint64
	// Settled came during a ban or before it was enforced.
	Settled uint64
	// Ambiguous had more than one reading.
	Ambiguous uint64
	// Guarded would have banned a guarded address.
	Guarded uint64
	// Doubted would have banned on spoofable evidence.
	Doubted uint64
	// Held bans waited for room under the ceiling; of them HeldDropped were
	// given up.
	Held, HeldDropped uint64
	// Evicted windows made room for others. They held so many attempts.
	Evicted, EvictedProven, EvictedSpoofable uint64
	// HistoryErrors are bans decided without their history.
	HistoryErrors uint64
}

// New returns an engine that watches nobody yet. The history may be nil.
func New(opt Options, history History) (*Engine, error) {
	e := &Engine{history: history, crowds: newCrowds(), rung: map[bell]time.Time{}, orders: newOrders(), census: Census{Jails: map[string]int{}}, known: newAcquaintance(), guessed: map[string]guesses{}, budgets: map[budgetKey]budget{}, held: map[heldKey]hold{}, heldTouched: map[heldKey]bool{}, leaks: map[netip.Prefix]int{}, scores: map[scoreKey]*Score{}}
	if err := e.Reconfigure(opt); err != nil {
		return nil, err
	}
	return e, nil
}

// Reconfigure changes the policy. Windows of jails that are gone are forgotten;
// the others, and all bans that are enforced, stand.
func (e *Engine) Reconfigure(opt Options) error {
	if err := opt.Validate(); err != nil {
		return err
	}
	e.known.keep = opt.KnownFor
	old := e.dockets
	e.opt, e.dockets, e.packs = opt, nil, map[string][]*docket{}
	for _, j := range opt.Jails {
		d := &docket{watches: map[key]*watch{}, over: map[netip.Prefix]sentenced{}, scores: map[*rules.Rule]*Score{}, unheard: map[string]uint64{}, crowds: e.crowds}
		if i := slices.IndexFunc(old, func(d *docket) bool { return d.Name == j.Name }); i >= 0 {
			d = old[i]
			old = slices.Delete(old, i, i+1)
		}
		if d.Simulate && !j.Simulate {
			e.awake(d)
		}
		if j.Simulate {
			e.unparkOf(j.Name)
		}
		d.Jail = j
		e.dockets = append(e.dockets, d)
		for _, pack := range j.Packs {
			e.packs[pack] = append(e.packs[pack], d)
		}
	}
	for _, d := range old {
		e.clear(d)
		e.unparkOf(d.Name)
	}
	return nil
}

// awake has a jail that only simulated begin afresh: nobody whom it would have
// banned may go on because of that.
func (e *Engine) awake(d *docket) {
	e.clear(d)
	for p, bans := range maps.Collect(e.bans.All()) {
		e.keep(p, slices.DeleteFunc(slices.Clone(bans), func(b Decision) bool { return b.Jail == d.Name && b.Simulated }))
	}
}

// clear forgets all windows of a jail.
func (e *Engine) clear(d *docket) {
	for _, w := range d.watches {
		e.drop(w)
	}
}

// Observe judges one match. The decisions are the caller's; there are at most
// as many as jails over the match's pack.
func (e *Engine) Observe(m *rules.Match, now time.Time) []Decision {
	if m.Ambiguous() {
		e.stats.Ambiguous++
		return e.alarmAmbiguous(m, now)
	}
	peer := peerOf(m.Addr)
	if !bannable(peer) {
		return nil
	}
	switch m.Event {
	case rules.Success:
		if slices.ContainsFunc(e.packs[m.Rule.Pack], func(d *docket) bool { return d.hears(m) }) {
			defer e.greet(peer, m)
		}
	case rules.Failure:
		e.suspect(peer, m)
	default:
	}
	var out []Decision
	e.leaked = false
	over := e.during(peer, m.Time) // before a jail of this match bans it
	for _, d := range e.packs[m.Rule.Pack] {
		e.stats.Observed++
		if !d.hears(m) {
			d.unheard[m.Source]++
			continue
		}
		if (m.Event == rules.Failure || m.Event == rules.Challenge) && e.paused(d.Name, now) {
			d.idle++
			continue
		}
		k, ok := e.keyOf(d, peer, m)
		if !ok {
			continue
		}
		switch m.Event {
		case rules.Failure:
			out = append(out, e.count(d, k, peer, m, over, now)...)
		case rules.Challenge:
			if d.MaxChallenges > 0 {
				out = append(out, e.count(d, k, peer, m, over, now)...)
			}
		case rules.Success:
			out = append(out, e.success(d.watches[k], peer, m, now)...)
		case rules.Ignore, rules.Info:
		}
	}
	if len(e.notices) > 0 {
		out, e.notices = append(out, e.notices...), nil
	}
	return out
}

// hears says whether the jail counts what the sender of a match says.
func (j *Jail) hears(m *rules.Match) bool {
	return m.Trust >= j.MinTrust &&
		(len(j.Sources) == 0 || slices.Contains(j.Sources, m.Source) || slices.Contains(j.Sources, m.Origin))
}

// Unheard returns how many matches each jail did not count because of their sender.
func (e *Engine) Unheard() map[string]uint64 {
	n := map[string]uint64{}
	for _, d := range e.dockets {
		for _, of := range d.unheard {
			n[d.Name] += of
		}
	}
	return n
}

// doubts says that a third party could have made the match, and that the jail
// minds.
func (j *Jail) doubts(m *rules.Match) bool {
	return j.Spoofable != SpoofableFull && m.Evidence() == rules.Spoofable
}

// count counts one failure or challenge in one window, unless one of the bans that
// held its peer then keeps it out.
func (e *Engine) count(d *docket, k key, peer netip.Addr, m *rules.Match, over []Decision, now time.Time) []Decision {
	w := e.watch(d, k, now)
	score := e.matched(d, m)
	doubted := d.doubts(m)
	refused := slices.ContainsFunc(over, func(b Decision) bool {
		return (b.refuses() || b.Jail == d.Name) && (doubted || !b.Spoofable)
	})
	at, floor := m.Time.UnixNano(), max(w.settled, d.over[e.key(peer)].proven)
	if doubted {
		floor = max(floor, w.doubted, d.over[e.key(peer)].doubted)
	}
	if refused || at <= floor {
		e.stats.Settled++
		score.During += uint64(m.Count)
		w.remember(m.Line)
		if w.enforced != 0 && at > w.enforced+int64(effectAfter) {
			w.after++
		}
		e.leak(w, over, at)
		return nil
	}
	if len(w.slots) == 0 {
		w.evidence = nil // it belongs to what is over
	}
	w.remember(m.Line)
	familiar := m.Event == rules.Failure && d.KnownGoodFactor > 1 && !d.canary(m.Account) && e.known.knows(e.key(peer), accountOf(m), at)
	if d.RepeatMaxRetry > 0 { // anew: another jail may have banned it meanwhile, and strikes are forgotten
		w.repeats = e.repeats(d, w.key.prefix, now)
	}
	if !w.add(m, e.party(d, peer), floor, familiar) {
		e.stats.Late++
		score.Late += uint64(m.Count)
		return nil
	}
	e.stats.Counted++
	e.touch(w)
	if e.waits(heldKey{e.key(peer), d.Name}, doubted) {
		return nil // whoever floods while a ban waits must not be judged at each line
	}
	c, ok := w.full()
	if !ok {
		return nil
	}
	return e.sentence(w, c, m, now)
}

// leak notes a line that came although a ban should have refused what it is about, once
// however many jails it is put before.
func (e *Engine) leak(w *watch, over []Decision, at int64) {
	if e.leaked {
		return
	}
	for i := range over {
		b := &over[i]
		if !b.Simulated && (b.refuses() || b.Jail == w.docket.Name) && at > max(nanos(b.At), w.enforced)+int64(effectAfter) {
			e.leaks[b.Prefix]++
			e.leaked = true
			return
		}
	}
}

// Leaks returns how many lines came from each banned prefix two seconds or more after it
// was banned: those bans are without effect. The map is the caller's.
func (e *Engine) Leaks() map[netip.Prefix]int { return maps.Clone(e.leaks) }

// party is how slots name a peer: not at all where the window is its own.
func (e *Engine) party(d *docket, peer netip.Addr) (p unique.Handle[netip.Prefix]) {
	if d.shared() {
		p = unique.Make(e.key(peer))
	}
	return p
}

// success forgets the failures of one address on the account that it has now
// opened, and the challenges that it may have answered.
func (e *Engine) success(w *watch, peer netip.Addr, m *rules.Match, now time.Time) []Decision {
	alarm := e.alarmLogin(peer, w, m, now)
	if w == nil {
		return alarm
	}
	before, party := len(w.slots), e.party(w.docket, peer)
	w.slots = slices.DeleteFunc(w.slots, func(s slot) bool {
		l := s.lane.Value()
		return s.peer == party && l.service == m.Rule.Service && s.at <= m.Time.UnixNano() && (l.challenge || m.Account != "" && s.account == m.Account)
	})
	if len(w.slots) != before {
		e.touch(w)
	}
	return alarm
}

// settle empties a window: what is stamped up to last counts no more.
func (e *Engine) settle(w *watch, last int64) {
	w.after, w.enforced, w.evidence = 0, 0, nil
	w.slots, w.settled = nil, max(w.settled, last)
	e.touch(w)
}

// settleDoubted does so for spoofable evidence alone.
func (e *Engine) settleDoubted(w *watch, last int64) {
	w.after, w.enforced = 0, 0
	w.doubted = max(w.doubted, last)
	w.slots = slices.DeleteFunc(w.slots, func(s slot) bool { return s.doubted && s.at <= w.doubted })
	e.touch(w)
}

// Stats returns the totals since New.
func (e *Engine) Stats() Stats { return e.stats }
