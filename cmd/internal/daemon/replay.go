package daemon

import (
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"bailiff/config"
	"bailiff/decide"
	"bailiff/ingest"
	"bailiff/rules"
	"bailiff/store"
)

// Verdict is one ban that would have been made.
type Verdict struct {
	decide.Decision // without Evidence
	// LockedOut is when somebody logged in from the prefix during the ban, and
	// Returned when after it; the zero time if nobody did.
	LockedOut, Returned time.Time
}

// Replay decides what a configuration would have decided of a log, by the time of
// its lines: what the daemon would have, had it read them when they were written. It
// touches nothing, and belongs to one goroutine.
type Replay struct {
	law    law
	engine *decide.Engine
	record *memory
	clock  time.Time // of the newest line
	begins time.Time // of the first line that was decided on
	ticked time.Time

	bans   []Verdict
	open   map[netip.Prefix][]int // bans by prefix, in bans
	Lines  uint64                 // that were read,
	Found  uint64                 // and that matched
	Alarms uint64
}

// NewReplay reads the packs and the guards of a configuration.
func NewReplay(c *config.Config, log *slog.Logger) (*Replay, error) {
	d := &daemon{opt: Options{Config: c}, log: log, bench: defaultBench()}
	var err error
	if d.law, err = readLaw(c); err != nil {
		return nil, err
	}
	guards, err := d.guards(time.Time{})
	if err != nil {
		return nil, err
	}
	r := &Replay{law: d.law, open: map[netip.Prefix][]int{}}
	r.record = newMemory(d.law.decide.Escalation.ForgetAfter, 1<<20)
	if r.engine, err = decide.New(d.law.decide, r.record); err != nil {
		return nil, err
	}
	guards.put(r.engine, time.Time{})
	return r, nil
}

// Observe puts one line before the engine. Lines of before since are passed over.
func (r *Replay) Observe(e *ingest.Entry, since time.Time) {
	r.Lines++
	if e.Time.Before(since) {
		return
	}
	if r.begins.IsZero() || e.Time.Before(r.begins) {
		r.begins = e.Time
	}
	matches := r.law.set.AppendMatches(nil, e)
	if e.Time.After(r.clock) {
		r.clock = e.Time
	}
	if len(matches) == 0 {
		return
	}
	r.Found++
	r.tick()
	for i := range matches {
		r.keep(r.engine.Observe(&matches[i], r.clock))
		if m := &matches[i]; m.Event == rules.Success && m.Addr.IsValid() {
			r.login(m.Addr.Unmap(), m.Time)
		}
	}
}

// tick does what the daemon does each second. A pause in the log is one second.
func (r *Replay) tick() {
	if r.clock.Sub(r.ticked) < time.Second {
		return
	}
	r.ticked = r.clock
	r.engine.Expire(r.clock)
	r.keep(r.engine.Release(r.clock))
}

// keep records what was decided.
func (r *Replay) keep(decisions []decide.Decision) {
	if len(decisions) == 0 {
		r.engine.Touched()
		return
	}
	for i := range decisions {
		d := &decisions[i]
		if d.Action != decide.Ban {
			r.Alarms++
			continue
		}
		d.Evidence = nil
		r.open[d.Prefix] = append(r.open[d.Prefix], len(r.bans))
		r.bans = append(r.bans, Verdict{Decision: *d})
	}
	_ = r.record.Commit(store.Batch{Decisions: decisions}) // memory takes all
	r.engine.Touched()
	r.engine.KnownTouched()
	r.engine.HeldTouched()
	r.engine.Committed()
}

// login marks the bans of an address that logged in.
func (r *Replay) login(a netip.Addr, at time.Time) {
	for bits := a.BitLen(); bits >= 8; bits-- {
		p, err := a.Prefix(bits)
		if err != nil {
			return
		}
		for _, i := range r.open[p] {
			v := &r.bans[i]
			switch {
			case at.Before(v.At):
			case (v.Until.IsZero() || at.Before(v.Until)) && v.LockedOut.IsZero():
				v.LockedOut = at
			case !v.Until.IsZero() && !at.Before(v.Until) && v.Returned.IsZero():
				v.Returned = at
			}
		}
	}
}

// Span returns the times of the oldest and of the newest line.
func (r *Replay) Span() (from, to time.Time) { return r.begins, r.clock }

// Held is how many bans a ceiling held back to the end.
func (r *Replay) Held() int { return len(r.engine.Held()) }

// Stats tells what became of the matches.
func (r *Replay) Stats() decide.Stats { return r.engine.Stats() }

// Bans returns the bans in the order of their time. The slice is the caller's.
func (r *Replay) Bans() []Verdict {
	out := slices.Clone(r.bans)
	slices.SortStableFunc(out, func(a, b Verdict) int { return a.At.Compare(b.At) })
	return out
}
