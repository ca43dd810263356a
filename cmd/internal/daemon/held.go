package daemon

import (
	"context"
	"net/netip"
	"time"

	"bailiff/cmd/internal/admin"
	"bailiff/decide"
)

// everything covers all addresses.
var everything = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}

// held returns the bans that a ceiling holds back.
func (d *daemon) held(ctx context.Context) ([]admin.Held, error) {
	var waiting []decide.Held
	if err := d.pipe.ask(ctx, func() { waiting = d.pipe.engine.Held() }); err != nil {
		return nil, err
	}
	out := make([]admin.Held, len(waiting))
	for i := range waiting {
		out[i] = admin.Held{Ban: admin.BanOf(&waiting[i].Decision), Why: waiting[i].Why}
	}
	return out, nil
}

// settleHeld lets held bans through, or drops them.
func (d *daemon) settleHeld(ctx context.Context, req admin.HeldRequest) ([]admin.Ban, error) {
	prefixes := req.Prefixes
	if req.All {
		prefixes = everything
	}
	out := []admin.Ban{}
	err := d.pipe.ask(ctx, func() {
		now := time.Now()
		var made []decide.Decision
		for _, p := range prefixes {
			waiting := d.pipe.engine.Held()
			made = append(made, d.pipe.engine.ReleaseHeld(p, req.Drop, now)...)
			for i := range waiting {
				if w := &waiting[i]; p.Bits() <= w.Prefix.Bits() && p.Overlaps(w.Prefix) {
					out = append(out, admin.BanOf(&w.Decision))
				}
			}
		}
		d.pipe.settle(context.WithoutCancel(ctx), made, nil)
	})
	return out, err
}
