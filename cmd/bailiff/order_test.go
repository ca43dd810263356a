package main

import (
	"context"
	"net/http"
	"slices"
	"time"

	"bailiff/cmd/internal/admin"
)

func (f *fake) inForce(context.Context) ([]admin.Order, error) { return f.orders, nil }

func (f *fake) give(_ context.Context, r admin.OrderRequest) (admin.OrderResult, error) {
	if r.Jail == "nowhere" {
		return admin.OrderResult{}, admin.Refuse(http.StatusNotFound, "bailiff status lists the jails", "there is no jail %q", r.Jail)
	}
	order := admin.Order{Kind: r.Kind, Jail: r.Jail, Since: f.now, Reason: r.Reason}
	if r.For != "forever" {
		until := f.now.Add(time.Hour)
		order.Until = &until
	}
	out := admin.OrderResult{Orders: []admin.Order{order}, Lifted: []admin.Ban{}}
	if r.Kind == admin.Allow {
		out.Orders, out.Unsaved = nil, "disk full"
		for _, p := range r.Prefixes {
			order.Prefix = &p
			out.Orders = append(out.Orders, order)
			for _, b := range f.bans {
				if b.Prefix.Overlaps(p) {
					out.Lifted = append(out.Lifted, b)
				}
			}
		}
	}
	f.orders = append(f.orders, out.Orders...)
	return out, nil
}

func (f *fake) end(_ context.Context, r admin.OrderRequest) (admin.OrderResult, error) {
	out := admin.OrderResult{Orders: []admin.Order{}, Lifted: []admin.Ban{}}
	f.orders = slices.DeleteFunc(f.orders, func(o admin.Order) bool {
		named := o.Kind == admin.Pause && (r.Jail == "" || o.Jail == r.Jail) || o.Kind == admin.Allow && (r.All || o.Prefix != nil && slices.Contains(r.Prefixes, *o.Prefix))
		if o.Kind != r.Kind || !named {
			return false
		}
		out.Orders = append(out.Orders, o)
		return true
	})
	return out, nil
}
