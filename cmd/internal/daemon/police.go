package daemon

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"bailiff/decide"
	"bailiff/enforce"
	"bailiff/enforce/nft"
)

// police keeps one firewall in agreement with the decisions and never gives up:
// what could not be applied is made whole by a Sync, at once after a foreign
// change and with growing pauses while the kernel refuses. Its methods belong to
// the judge's goroutine, except for trouble and repairs.
type police struct {
	firewall enforce.Enforcer
	log      *slog.Logger
	now      func() time.Time

	again   time.Time     // when to try the next Sync; zero: the firewall agrees
	backoff time.Duration // before the try after that

	touched time.Time // when somebody else changed the firewall last
	bouts   int       // how often that was since it was left alone for calm

	wrong   atomic.Pointer[error] // the last refusal; nil while all is well
	fought  atomic.Int64          // when patience ended last, in Unix nanoseconds
	failed  atomic.Uint64
	repairs atomic.Uint64
}

const (
	firstRetry = time.Second
	lastRetry  = time.Minute
	// A change by somebody else is repaired at once, patience times in a row, and then
	// with pauses up to lastPause: two who keep undoing what the other does must not take
	// the machine. Left alone for calm, the firewall is taken for ours again.
	patience  = 5
	lastPause = 10 * time.Second
	calm      = time.Minute
)

var errFought = errors.New("somebody else keeps changing it, perhaps a second bailiff; it is made whole again every ten seconds")

// trouble returns what keeps the firewall from agreeing, or nil.
func (p *police) trouble() error {
	if err := p.wrong.Load(); err != nil {
		return *err
	}
	if p.now().UnixNano()-p.fought.Load() < int64(calm) {
		return errFought
	}
	return nil
}

// disturbed repairs what somebody else changed, at once or soon.
func (p *police) disturbed(ctx context.Context, bans func(time.Time) []decide.Decision) {
	now := p.now()
	if now.Sub(p.touched) >= calm {
		p.bouts = 0
	}
	p.touched = now
	if !p.again.IsZero() {
		return // a repair is due
	}
	if p.bouts++; p.bouts <= patience {
		p.repair(ctx, bans(now))
		return
	}
	if p.bouts == patience+1 {
		p.log.Error("somebody else keeps changing the firewall, perhaps a second bailiff; it is repaired with pauses now")
	}
	p.fought.Store(now.UnixNano())
	p.again = now.Add(min(firstRetry<<min(p.bouts-patience-1, 10), lastPause))
}

func (p *police) broken() <-chan struct{} {
	if w, ok := p.firewall.(enforce.Watcher); ok {
		return w.Broken()
	}
	return nil
}

// begin makes the firewall hold exactly these bans at the start. The error says that it can
// hold none. One ban that it will not take is no reason to leave the machine without the
// others, and without those to come.
func (p *police) begin(ctx context.Context, bans []decide.Decision) error {
	err := p.firewall.Sync(ctx, bans)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, nft.ErrPermission), errors.Is(err, nft.ErrUnsupported), ctx.Err() != nil:
		return err
	}
	p.refused(err)
	p.postpone()
	return nil
}

// apply enforces decisions. While a repair is due it still tries: a new ban
// must not wait for the old ones, nor may its failure put the repair off.
func (p *police) apply(ctx context.Context, decisions []decide.Decision) {
	err := p.firewall.Apply(ctx, decisions)
	if err == nil {
		return
	}
	p.refused(err)
	if p.again.IsZero() {
		p.postpone()
	}
}

// repair makes the firewall hold exactly these bans.
func (p *police) repair(ctx context.Context, bans []decide.Decision) {
	if err := p.firewall.Sync(ctx, bans); err != nil {
		p.refused(err)
		p.postpone()
		return
	}
	p.repairs.Add(1)
	p.again, p.backoff = time.Time{}, 0
	p.wrong.Store(nil)
	p.log.Warn("firewall made to agree again", "bans", len(bans))
}

// retry syncs if an earlier failure makes it due.
func (p *police) retry(ctx context.Context, bans func(time.Time) []decide.Decision) {
	if now := p.now(); !p.again.IsZero() && !now.Before(p.again) {
		p.repair(ctx, bans(now))
	}
}

// refused notes a refusal, and tells of the first.
func (p *police) refused(err error) {
	p.failed.Add(1)
	if p.wrong.Swap(&err) == nil {
		p.log.Error("firewall refuses; bans are decided and will be enforced when it takes them", "err", err)
	}
}

// postpone sets when to try the next Sync.
func (p *police) postpone() {
	p.backoff = min(max(2*p.backoff, firstRetry), lastRetry)
	p.again = p.now().Add(p.backoff)
}
