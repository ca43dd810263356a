package daemon

import (
	"context"
	"fmt"
	"net/netip"
	"testing"

	"bailiff/cmd/internal/admin"
	"bailiff/decide"
)

// An operator lets a ban through that waits, and drops the others.
func TestSettleHeld(t *testing.T) {
	p, rec := newSpine(t, decide.DefaultJail("ssh", "sshd"))
	opt := decide.DefaultOptions()
	opt.Jails, opt.Ceiling = []decide.Jail{decide.DefaultJail("ssh", "sshd")}, decide.Ceiling{Proven: 1}
	if err := p.engine.Reconfigure(opt); err != nil {
		t.Fatal(err)
	}
	d := &daemon{pipe: p}
	h := p.read(nil, newAccount())
	for i := range 4 {
		guesses(h, fmt.Sprintf("198.51.100.%d", i+1), "", 5)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { p.judge(ctx); close(done) }()
	held, err := d.held(ctx)
	for err == nil && len(held) < 3 { // the judge is still at it
		held, err = d.held(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	made, err := d.settleHeld(ctx, admin.HeldRequest{Prefixes: []netip.Prefix{netip.MustParsePrefix("198.51.100.3/32")}})
	if err != nil || len(made) != 1 || made[0].Prefix.String() != "198.51.100.3/32" {
		t.Errorf("let through %+v, %v", made, err)
	}
	dropped, err := d.settleHeld(ctx, admin.HeldRequest{All: true, Drop: true})
	if err != nil || len(dropped) != 2 {
		t.Errorf("dropped %+v, %v", dropped, err)
	}
	if held, err := d.held(ctx); err != nil || len(held) != 0 {
		t.Errorf("%+v are held still, %v", held, err)
	}
	close(p.queue)
	<-done
	stop()
	bans := 0
	for _, b := range rec.batches {
		bans += len(b.Decisions)
	}
	if bans != 3 { // the first, the alarm of the ceiling, and the one let through
		t.Errorf("%d decisions are on record, want 3", bans)
	}
}
