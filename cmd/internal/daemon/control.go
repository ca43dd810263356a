package daemon

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"bailiff/cmd/internal/admin"
	"bailiff/config"
	"bailiff/decide"
	"bailiff/enforce"
)

// api is what the control socket answers with.
func (d *daemon) api() admin.Options {
	return admin.Options{
		Socket: d.opt.Config.Socket,
		Logger: d.log.With("part", "admin"),
		List:   d.list, Ban: d.ban, Unban: d.unban, Held: d.held, SettleHeld: d.settleHeld, Why: d.why, Status: d.status,
		Orders: d.orders, Give: d.give, End: d.end, Jail: d.jailStatusOf, Reload: d.reload,
	}
}

// list returns the standing bans of one jail, or of all.
func (d *daemon) list(ctx context.Context, jail string) ([]admin.Ban, error) {
	var bans []decide.Decision
	if err := d.pipe.ask(ctx, func() { bans = d.pipe.engine.Bans(time.Now()) }); err != nil {
		return nil, err
	}
	if jail != "" {
		bans = slices.DeleteFunc(bans, func(b decide.Decision) bool { return b.Jail != jail })
	}
	return d.show(ctx, bans)
}

// show adds to bans what the firewall refused. That is asked outside the judge:
// reading a hundred thousand counters takes longer than a ban may.
func (d *daemon) show(ctx context.Context, bans []decide.Decision) ([]admin.Ban, error) {
	refused := map[netip.Prefix]enforce.Traffic{}
	if m, ok := d.police.firewall.(enforce.Meter); ok && len(bans) > 0 {
		if counted, err := m.Refused(ctx); err == nil {
			refused = counted
		}
	}
	var leaks map[netip.Prefix]int
	if err := d.pipe.ask(ctx, func() { leaks = d.pipe.engine.Leaks() }); err != nil {
		return nil, err
	}
	out := make([]admin.Ban, len(bans))
	for i := range bans {
		out[i] = admin.BanOf(&bans[i])
		if out[i].Leaks = leaks[bans[i].Prefix]; bans[i].Simulated {
			out[i].Leaks = 0
		}
		t := refused[bans[i].Prefix]
		out[i].Packets, out[i].Bytes = t.Packets, t.Bytes
	}
	return out, nil
}

// ban is an operator's ban: same guards, same record.
func (d *daemon) ban(ctx context.Context, req admin.BanRequest) ([]admin.Ban, error) {
	var admitted decide.Decision
	var refusal error
	err := d.pipe.ask(ctx, func() {
		var order decide.Decision
		if order, refusal = d.order(req, time.Now()); refusal != nil {
			return
		}
		if admitted, refusal = d.pipe.engine.Admit(order, order.At); refusal == nil {
			d.pipe.settle(context.WithoutCancel(ctx), []decide.Decision{admitted}, nil)
		}
	})
	if guarded := (*decide.GuardError)(nil); errors.As(refusal, &guarded) {
		hint := "take it out of never_ban if you mean it; bailiff's own guards cannot be overruled"
		if strings.HasPrefix(guarded.Guard.Why, "allowed") {
			hint = "bailiff allow --end " + admin.ShortPrefix(guarded.Guard.Prefix) + " ends that"
		}
		refusal = admin.Refuse(http.StatusConflict, hint, "%v", guarded)
	} else if ordered := (*admin.Error)(nil); refusal != nil && !errors.As(refusal, &ordered) {
		refusal = admin.Refuse(http.StatusBadRequest, "", "%v", refusal)
	}
	if err := errors.Join(err, refusal); err != nil {
		return nil, err
	}
	return d.show(ctx, []decide.Decision{admitted})
}

// order makes a decision of a request. It runs on the judge.
func (d *daemon) order(req admin.BanRequest, now time.Time) (decide.Decision, error) {
	order := decide.Decision{Prefix: req.Prefix, At: now, Jail: req.Jail, Origin: "operator", Reason: req.Reason, Spoofable: req.Spoofable}
	length := d.law.config.BanTime
	if req.Jail != "" {
		i := slices.IndexFunc(d.law.decide.Jails, func(j decide.Jail) bool { return j.Name == req.Jail })
		if i < 0 {
			return order, admin.Refuse(http.StatusNotFound, "bailiff status lists the jails", "there is no jail %q", req.Jail)
		}
		j := &d.law.decide.Jails[i]
		length, order.Ports, order.Verdict, order.Simulated = j.BanTime, j.Ports, j.Verdict, j.Simulate
	}
	if len(req.Ports) > 0 {
		order.Ports = req.Ports
	}
	if req.For != "" {
		var err error
		if length, err = config.ParseDuration(req.For); err != nil {
			return order, admin.Refuse(http.StatusBadRequest, `write it like "90s", "10m", "1d", "5w" or "forever"`, "%v", err)
		}
	}
	if length < time.Second {
		return order, admin.Refuse(http.StatusBadRequest, "", "a ban lasts a second at least")
	}
	if length != decide.Forever {
		order.Until = now.Add(length)
	}
	return order, nil
}

// unban lifts what overlaps the prefixes, and returns the bans as they were.
func (d *daemon) unban(ctx context.Context, req admin.UnbanRequest) ([]admin.Ban, error) {
	prefixes := req.Prefixes
	if req.All {
		prefixes = everything
	}
	var length time.Duration
	if req.Allow != "" {
		var err error
		if length, err = howLong(req.Allow); err != nil {
			return nil, err
		}
	}
	var lifts, ended []decide.Decision
	var refusal error
	err := d.pipe.ask(ctx, func() {
		now := time.Now()
		for _, p := range prefixes {
			orders, bans := d.pipe.engine.Lift(p, "operator", now)
			lifts, ended = append(lifts, orders...), append(ended, bans...)
			if req.Forget {
				refusal = cmp.Or(refusal, d.pipe.engine.Forgive(p, bans, now))
			}
			if req.Allow != "" {
				order := decide.Order{Kind: decide.Allow, Prefix: p, Until: until(now, length), Reason: "unban --allow"}
				orders, bans, err := d.pipe.engine.Give(order, now)
				lifts, ended, refusal = append(lifts, orders...), append(ended, bans...), cmp.Or(refusal, err)
			}
		}
		d.pipe.settle(context.WithoutCancel(ctx), lifts, nil)
	})
	if err := errors.Join(err, refusal); err != nil {
		return nil, err
	}
	if req.Forget || req.Allow != "" {
		_ = d.store.Sync() // the store itself says that it is in trouble
	}
	out := make([]admin.Ban, len(ended))
	for i := range ended {
		out[i] = admin.BanOf(&ended[i])
	}
	return out, nil
}
