package store

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"bailiff/decide"
)

// Resilient is a store that protection can lean on while the disk is full or
// broken: what cannot be written is kept in memory, counts in every answer, and
// is written when there is room again. Its methods may be called from any
// goroutine.
type Resilient struct {
	opts   Options
	log    *slog.Logger
	opened chan struct{}

	mu     sync.Mutex
	store  *Store // nil until there is room to open it
	kept   backlog
	found  []decide.Window // what a store that was opened late held then
	cause  error           // why something is kept or the store is not open
	closed bool
}

// retryEvery is how often Run looks whether there is room again. A look costs
// one system call.
const retryEvery = time.Second

// OpenResilient opens the store, or goes without as long as there is too little
// room. All other errors of Open are returned.
func OpenResilient(opts Options) (*Resilient, error) {
	r := &Resilient{opts: opts, log: opts.Logger, opened: make(chan struct{}, 1)}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	s, err := Open(opts)
	if err != nil && !errors.Is(err, ErrNoSpace) {
		return nil, err
	}
	r.store, r.cause = s, err
	return r, nil
}

// Run catches up whenever that becomes possible, until ctx is done.
func (r *Resilient) Run(ctx context.Context) error {
	tick := time.NewTicker(retryEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			r.Retry()
		}
	}
}

// Retry tries to write what is kept, opening the store first if need be. It does
// nothing when all is well.
func (r *Resilient) Retry() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.retry()
}

func (r *Resilient) retry() {
	if r.cause == nil || r.closed {
		return
	}
	late := r.store == nil
	if late {
		s, err := Open(r.opts)
		if err != nil {
			r.cause = err
			return
		}
		found, err := s.Windows()
		if err != nil {
			r.cause = errors.Join(err, s.Close())
			return
		}
		r.store, r.found = s, append([]decide.Window{}, found...) // never nil
	}
	if err := r.store.Commit(r.kept.batch()); err != nil {
		r.cause = err
		return
	}
	r.log.Info("store is written again", "dir", r.opts.Dir,
		"decisions", len(r.kept.decisions), "forgotten", r.kept.forgotten)
	r.kept, r.cause = backlog{}, nil
	if late {
		r.opened <- struct{}{} // one late opening fits
	}
}

// Opened yields one value when a store that could not be opened at the start has
// been: the Bans and Windows of the time before are known only now.
func (r *Resilient) Opened() <-chan struct{} { return r.opened }

// Degraded returns why nothing is written at present, and nil when all is well.
func (r *Resilient) Degraded() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.cause
}

// Kept returns how many decisions wait to be written, and how many were given up
// because there were too many.
func (r *Resilient) Kept() (waiting, forgotten int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.kept.decisions), r.kept.forgotten
}

// Commit writes b, or keeps it. It fails only after Close.
func (r *Resilient) Commit(b Batch) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return ErrClosed
	}
	if r.cause == nil {
		err := r.store.Commit(b)
		if err == nil {
			return nil
		}
		r.cause = err
		r.log.Warn("store is not written; going on without", "dir", r.opts.Dir, "err", err)
	}
	r.kept.add(b)
	return nil
}

// Sync is Store.Sync. It does nothing while nothing is written.
func (r *Resilient) Sync() error {
	s, _ := r.read()
	if s == nil || r.Degraded() != nil {
		return nil
	}
	return s.Sync()
}

// Maintain is Store.Maintain. It does nothing while nothing is written.
func (r *Resilient) Maintain(ctx context.Context) error {
	s, _ := r.read()
	if s == nil || r.Degraded() != nil {
		return nil
	}
	return s.Maintain(ctx)
}

// Close writes what is kept if that is possible, and closes the store. What
// could not be written is lost, and the error says why.
func (r *Resilient) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil
	}
	r.retry()
	r.closed = true
	if r.store == nil {
		return r.cause
	}
	return errors.Join(r.cause, r.store.Close())
}

// read returns the store, nil if it is not open, and the decisions that are
// missing in it.
func (r *Resilient) read() (*Store, []decide.Decision) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.store, slices.Clip(r.kept.decisions)
}

// Bans is Store.Bans.
func (r *Resilient) Bans(now time.Time) ([]decide.Decision, error) {
	s, kept := r.read()
	var bans []decide.Decision
	if s != nil {
		var err error
		if bans, err = s.Bans(now); err != nil {
			return nil, err
		}
	}
	for _, d := range kept {
		if d.Action == decide.Alarm || d.Spent {
			continue
		}
		bans = slices.DeleteFunc(bans, func(b decide.Decision) bool {
			return b.Prefix == d.Prefix && b.Jail == d.Jail
		})
		if d.Active(now) {
			d.Evidence, d.Sums = nil, nil
			bans = append(bans, d)
		}
	}
	return bans, nil
}

// Windows returns the windows that an earlier process left open. After a late
// opening these are the windows as they were found, once: what this process has
// counted meanwhile is stored by then, and must not count twice.
func (r *Resilient) Windows() ([]decide.Window, error) {
	r.mu.Lock()
	s, found := r.store, r.found
	r.found = nil
	r.mu.Unlock()
	if found != nil || s == nil {
		return found, nil
	}
	return s.Windows()
}

// Strikes is Store.Strikes.
func (r *Resilient) Strikes(p netip.Prefix, jail string, since time.Time) ([]decide.Strike, error) {
	s, kept := r.read()
	var strikes []decide.Strike
	if s != nil {
		var err error
		if strikes, err = s.Strikes(p, jail, since); err != nil {
			return nil, err
		}
	}
	p = p.Masked()
	for _, d := range kept {
		if d.Prefix != p || jail != "" && d.Jail != jail {
			continue
		}
		switch {
		case d.Action == decide.Ban && !d.Simulated:
			strikes = append(strikes, decide.Strike{Prefix: p, Jail: d.Jail, At: d.At, Until: d.Until, Spoofable: d.Spoofable})
		case d.Action == decide.Lift:
			endStrike(strikes, &d)
		}
	}
	return slices.DeleteFunc(strikes, func(s decide.Strike) bool {
		return !s.Until.IsZero() && s.Until.Before(since)
	}), nil
}

// endStrike ends the newest ban of the lift's jail, if it stands then.
func endStrike(strikes []decide.Strike, lift *decide.Decision) {
	for i := len(strikes) - 1; i >= 0; i-- {
		if s := &strikes[i]; s.Jail == lift.Jail {
			if s.Until.IsZero() || s.Until.After(lift.At) {
				s.Until = lift.At
			}
			return
		}
	}
}

// Record is Store.Record.
func (r *Resilient) Record(p netip.Prefix, limit int) ([]decide.Decision, error) {
	s, kept := r.read()
	var decisions []decide.Decision
	for _, d := range slices.Backward(kept) {
		if d.Prefix.IsValid() && d.Prefix.Overlaps(p) {
			decisions = append(decisions, d)
		}
	}
	if s != nil {
		stored, err := s.Record(p, limit)
		if err != nil {
			return nil, err
		}
		decisions = append(decisions, stored...)
	}
	slices.SortStableFunc(decisions, func(a, b decide.Decision) int { return b.At.Compare(a.At) })
	return decisions[:min(limit, len(decisions))], nil
}

// Mark is Store.Mark.
func (r *Resilient) Mark(source string) (cursor []byte, ok bool, err error) {
	r.mu.Lock()
	s := r.store
	cursor, ok = r.kept.marks[source]
	r.mu.Unlock()
	if ok || s == nil {
		return cursor, ok, nil
	}
	return s.Mark(source)
}
