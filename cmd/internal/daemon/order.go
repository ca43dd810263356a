package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"bailiff/cmd/internal/admin"
	"bailiff/config"
	"bailiff/decide"
)

// orders returns what operators said that is in force; what they had forgotten is not, as
// nobody ends that.
func (d *daemon) orders(ctx context.Context) ([]admin.Order, error) {
	var inForce []decide.Order
	if err := d.pipe.ask(ctx, func() { inForce = d.pipe.engine.Orders(time.Now()) }); err != nil {
		return nil, err
	}
	return spelled(inForce), nil
}

func spelled(orders []decide.Order) []admin.Order {
	out := []admin.Order{}
	for i := range orders {
		if orders[i].Kind != decide.Forget {
			out = append(out, admin.OrderOf(&orders[i]))
		}
	}
	return out
}

// give puts orders in force. On an error those before the one that it is about hold.
func (d *daemon) give(ctx context.Context, req admin.OrderRequest) (admin.OrderResult, error) {
	length, err := howLong(req.For)
	if err != nil {
		return admin.OrderResult{}, err
	}
	var given []decide.Order
	var ended []decide.Decision
	var refusal error
	err = d.pipe.ask(ctx, func() {
		now := d.pipe.now()
		var orders []decide.Order
		if orders, refusal = d.ordered(req, length, now); refusal != nil {
			return
		}
		var lifts []decide.Decision
		for _, o := range orders {
			more, bans, err := d.pipe.engine.Give(o, now)
			if err != nil {
				refusal = admin.Refuse(http.StatusBadRequest, "bailiff allow --list says what holds", "%v", err)
				break
			}
			o.At = now
			given, lifts, ended = append(given, o), append(lifts, more...), append(ended, bans...)
		}
		d.pipe.settle(context.WithoutCancel(ctx), lifts, nil)
	})
	if err := errors.Join(err, refusal); err != nil {
		return admin.OrderResult{}, err
	}
	return d.settled(given, ended), nil
}

// settled is what came of a request about orders, once it is on the disk.
func (d *daemon) settled(orders []decide.Order, lifted []decide.Decision) admin.OrderResult {
	_ = d.store.Sync() // the store itself says that it is in trouble
	out := admin.OrderResult{Orders: spelled(orders), Lifted: []admin.Ban{}}
	for i := range lifted {
		out.Lifted = append(out.Lifted, admin.BanOf(&lifted[i]))
	}
	if err := d.store.Degraded(); err != nil {
		out.Unsaved = err.Error()
	}
	return out
}

// howLong reads how long an order holds; Forever is until it is ended.
func howLong(text string) (time.Duration, error) {
	length, err := config.ParseDuration(text)
	if err == nil && length <= 0 {
		err = fmt.Errorf("%q is no time", text)
	}
	if err != nil {
		return 0, admin.Refuse(http.StatusBadRequest, `write it like "90s", "10m", "1d", "5w" or "forever"`, "%v", err)
	}
	return length, nil
}

// until is when what holds from now on ends; the zero time for Forever.
func until(now time.Time, length time.Duration) time.Time {
	if length == decide.Forever {
		return time.Time{}
	}
	return now.Add(length)
}

// ordered are the orders that a request asks for. It runs on the judge.
func (d *daemon) ordered(req admin.OrderRequest, length time.Duration, now time.Time) ([]decide.Order, error) {
	order := decide.Order{Kind: decide.Pause, Jail: req.Jail, Reason: req.Reason}
	order.Until = until(now, length)
	if req.Kind == admin.Pause {
		if req.Jail != "" && !slices.ContainsFunc(d.law.decide.Jails, func(j decide.Jail) bool { return j.Name == req.Jail }) {
			return nil, admin.Refuse(http.StatusNotFound, "bailiff status lists the jails", "there is no jail %q", req.Jail)
		}
		return []decide.Order{order}, nil
	}
	var out []decide.Order
	for _, p := range req.Prefixes {
		order.Kind, order.Prefix = decide.Allow, p
		out = append(out, order)
	}
	return out, nil
}

// end ends orders, and returns which.
func (d *daemon) end(ctx context.Context, req admin.OrderRequest) (admin.OrderResult, error) {
	var ended []decide.Order
	err := d.pipe.ask(ctx, func() {
		kind, which := decide.Pause, func(o *decide.Order) bool { return req.Jail == "" || o.Jail == req.Jail }
		if req.Kind == admin.Allow {
			kind, which = decide.Allow, func(o *decide.Order) bool { return req.All || slices.Contains(req.Prefixes, o.Prefix) }
		}
		ended = d.pipe.engine.End(kind, which)
		d.pipe.settle(context.WithoutCancel(ctx), nil, nil)
	})
	if err != nil {
		return admin.OrderResult{}, err
	}
	return d.settled(ended, nil), nil
}
