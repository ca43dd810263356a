package enforce

import (
	"cmp"
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"bailiff/decide"
)

// Log is the dry run: an [Enforcer] that touches no firewall, writes down what
// it would do, and remembers what would stand. Its methods may be called from
// any goroutine.
type Log struct {
	log *slog.Logger

	mu   sync.Mutex
	bans map[netip.Prefix]decide.Decision
}

var _ Enforcer = (*Log)(nil)

// NewLog returns a dry run that writes to logger; nil discards.
func NewLog(logger *slog.Logger) *Log {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return &Log{log: logger.With("part", "dry-run"), bans: make(map[netip.Prefix]decide.Decision)}
}

// Apply implements [Enforcer]. It never fails.
func (l *Log) Apply(_ context.Context, decisions []decide.Decision) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for _, d := range decisions {
		switch {
		case d.Simulated:
		case d.Active(now):
			l.log.Info("would ban", "prefix", d.Prefix, "until", d.Until, "jail", d.Jail, "rule", d.Rule)
			l.bans[d.Prefix.Masked()] = d
		case d.Action == decide.Lift:
			l.log.Info("would lift", "prefix", d.Prefix, "jail", d.Jail)
			delete(l.bans, d.Prefix.Masked())
		}
	}
	return nil
}

// Sync implements [Enforcer]. It never fails.
func (l *Log) Sync(_ context.Context, bans []decide.Decision) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	clear(l.bans)
	for _, d := range bans {
		if d.Active(now) && !d.Simulated {
			l.bans[d.Prefix.Masked()] = d
		}
	}
	l.log.Info("would enforce", "bans", len(l.bans))
	return nil
}

// Standing returns the bans that would be in force at now, sorted by prefix.
func (l *Log) Standing(now time.Time) []decide.Decision {
	l.mu.Lock()
	defer l.mu.Unlock()
	var standing []decide.Decision
	for prefix, d := range l.bans {
		if !d.Active(now) {
			delete(l.bans, prefix) // over: nobody will ask again
			continue
		}
		standing = append(standing, d)
	}
	slices.SortFunc(standing, func(a, b decide.Decision) int {
		return cmp.Or(a.Prefix.Addr().Compare(b.Prefix.Addr()), cmp.Compare(a.Prefix.Bits(), b.Prefix.Bits()))
	})
	return standing
}

// Close implements [Enforcer].
func (l *Log) Close() error { return nil }
