package decide

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"bailiff/rules"
)

// Engine decides. Make one with New, give it back what an earlier one handed
// out with Restore, and feed it with Observe.
type Engine struct {
	opt     Options
	history History
	jails   map[string][]int // pack -> indices of jails
	watches map[watchKey]*watch
	touched []*watch
	lanes   map[lane]*lane

	bans   map[netip.Prefix][]Decision // standing, of all jails
	fresh  []Decision                  // bans since Committed, which History may not know
	guards guardTable
	rung   map[string]time.Time // alarms, by what they are about

	stats Stats
}

type watchKey struct {
	jail   int
	prefix netip.Prefix
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
	// Evicted windows made room for others.
	Evicted uint64
	// HistoryErrors are bans decided without their history.
	HistoryErrors uint64
}

// New returns an engine that watches nobody yet. The history may be nil.
func New(opt Options, history History) (*Engine, error) {
	if err := opt.Validate(); err != nil {
		return nil, err
	}
	e := &Engine{
		history: history,
		watches: map[watchKey]*watch{},
		lanes:   map[lane]*lane{},
		bans:    map[netip.Prefix][]Decision{},
		rung:    map[string]time.Time{},
	}
	e.configure(opt)
	return e, nil
}

func (e *Engine) configure(opt Options) {
	e.opt = opt
	e.jails = map[string][]int{}
	for i, j := range opt.Jails {
		for _, pack := range j.Packs {
			e.jails[pack] = append(e.jails[pack], i)
		}
	}
}

// Observe judges one match. The decisions are the caller's; there are at most
// as many as jails over the match's pack.
func (e *Engine) Observe(m *rules.Match, now time.Time) []Decision {
	if m.Ambiguous() {
		e.stats.Ambiguous++
		return e.alarmAmbiguous(m, now)
	}
	if !m.Addr.IsValid() || !bannable(m.Addr) {
		return nil
	}
	var out []Decision
	key := e.key(m.Addr)
	refused := e.refused(key, m.Time) // before a jail of this match bans it
	for _, jail := range e.jails[m.Rule.Pack] {
		e.stats.Observed++
		switch m.Event {
		case rules.Failure:
			out = append(out, e.failure(jail, key, m, refused, now)...)
		case rules.Success:
			e.success(jail, key, m)
		case rules.Challenge, rules.Ignore, rules.Info:
		}
	}
	return out
}

// failure counts one failure in one jail, unless the key was refused already.
func (e *Engine) failure(jail int, key netip.Prefix, m *rules.Match, refused bool, now time.Time) []Decision {
	j := &e.opt.Jails[jail]
	w := e.watch(jail, key)
	w.remember(m.Line)
	if refused || m.Time.UnixNano() <= w.settled {
		e.stats.Settled++
		if w.enforced != 0 && now.UnixNano() > w.enforced+int64(effectAfter) {
			w.after++
		}
		return nil
	}
	if !w.add(m, e.lane(m), j.FindTime) {
		e.stats.Late++
		return nil
	}
	e.stats.Counted++
	e.touch(w)
	attempts := w.attempts()
	if attempts < j.MaxRetry {
		return nil
	}
	return e.sentence(j, w, m, attempts, now)
}

// success forgets the failures of one address on the account that it has now
// opened.
func (e *Engine) success(jail int, key netip.Prefix, m *rules.Match) {
	w := e.watches[watchKey{jail, key}]
	if w == nil || m.Account == "" {
		return
	}
	before := len(w.slots)
	w.slots = slices.DeleteFunc(w.slots, func(s slot) bool {
		return s.account == m.Account && s.lane.service == m.Rule.Service && s.at <= m.Time.UnixNano()
	})
	if len(w.slots) != before {
		e.touch(w)
	}
}

// sentence bans the key of a complete window, and settles it.
func (e *Engine) sentence(j *Jail, w *watch, m *rules.Match, attempts int, now time.Time) []Decision {
	if g, ok := e.guards.over(w.prefix); ok {
		e.stats.Guarded++
		e.settle(w, m.Time)
		return e.alarmGuarded(j, w.prefix, g, m, now)
	}
	d := Decision{
		Action: Ban, Prefix: w.prefix, At: m.Time, Jail: j.Name, Rule: m.Rule.String(), Origin: "rules",
		Attempts: attempts, Ports: j.Ports, Verdict: j.Verdict, Simulated: j.Simulate,
		Evidence: slices.Clone(w.evidence),
	}
	d.ID = id(&d)
	earlier, known := e.strikes(&d)
	if known {
		e.settle(w, m.Time)
		return nil
	}
	d.Strike = earlier + 1
	d.Until = until(d.At, e.opt.Escalation.length(j.BanTime, earlier, d.ID))
	d.Spent = !d.Until.IsZero() && !d.Until.After(now)
	last := d.Until
	if last.IsZero() {
		last = never
	}
	e.settle(w, last)
	w.enforced = now.UnixNano()
	e.stand(d)
	return []Decision{d}
}

// settle empties a window: what is stamped up to last counts no more.
func (e *Engine) settle(w *watch, last time.Time) {
	w.slots, w.after, w.enforced = nil, 0, 0
	w.settled = max(w.settled, last.UnixNano())
	e.touch(w)
}

// watch returns the window of a key, making it and room for it if need be.
func (e *Engine) watch(jail int, p netip.Prefix) *watch {
	key := watchKey{jail, p}
	w := e.watches[key]
	if w == nil {
		if len(e.watches) >= e.opt.MaxKeys {
			e.evict()
		}
		w = &watch{jail: jail, prefix: p}
		e.watches[key] = w
	}
	return w
}

// evict forgets a sixteenth of the windows: those with the fewest lines, and of
// these the ones silent longest.
func (e *Engine) evict() {
	all := make([]*watch, 0, len(e.watches))
	for _, w := range e.watches {
		all = append(all, w)
	}
	slices.SortFunc(all, func(a, b *watch) int {
		return cmp.Or(cmp.Compare(len(a.slots), len(b.slots)), cmp.Compare(a.newest, b.newest))
	})
	for _, w := range all[:1+len(all)/16] {
		w.slots = nil
		e.touch(w)
		delete(e.watches, watchKey{w.jail, w.prefix})
		e.stats.Evicted++
	}
}

func (e *Engine) touch(w *watch) {
	if !w.touched {
		w.touched = true
		e.touched = append(e.touched, w)
	}
}

// Stats returns the totals since New.
func (e *Engine) Stats() Stats { return e.stats }

// alarmEvery is how often one alarm rings.
const alarmEvery = time.Hour

func (e *Engine) ring(about string, now time.Time) bool {
	if last, ok := e.rung[about]; ok && now.Sub(last) < alarmEvery {
		return false
	}
	e.rung[about] = now
	return true
}

func (e *Engine) alarmAmbiguous(m *rules.Match, now time.Time) []Decision {
	if !e.ring("ambiguous "+m.Rule.String(), now) {
		return nil
	}
	d := Decision{
		Action: Alarm, At: m.Time, Rule: m.Rule.String(), Origin: "rules", Evidence: []string{m.Line},
		Prefix: host(m.Candidates[0]),
		Reason: fmt.Sprintf("a line could mean any of %v, so it bans nobody: somebody may be writing addresses into what is logged", m.Candidates),
	}
	d.ID = id(&d)
	return []Decision{d}
}

func (e *Engine) alarmGuarded(j *Jail, p netip.Prefix, g Guard, m *rules.Match, now time.Time) []Decision {
	if !e.ring("guarded "+j.Name+" "+p.String(), now) {
		return nil
	}
	d := Decision{
		Action: Alarm, Prefix: p, At: m.Time, Jail: j.Name, Rule: m.Rule.String(), Origin: "rules", Evidence: []string{m.Line},
		Reason: fmt.Sprintf("%s would be banned, but %s guards it (%s)", p, g.Prefix, g.Why),
	}
	d.ID = id(&d)
	return []Decision{d}
}
