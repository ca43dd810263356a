package decide

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/gaissmai/bart"
)

// OrderKind is what an order is about.
type OrderKind uint8

const (
	// Allow has a prefix guarded: what overlaps it is not banned.
	Allow OrderKind = iota
	// Pause has a jail, or all, decide nothing.
	Pause
	// Forget has the bans that a prefix covers, up to the time of the order, make no
	// later one longer.
	Forget
)

// Order is what an operator said for a time, beside the configuration. It is a plain value
// that the store keeps.
type Order struct {
	Kind   OrderKind
	Prefix netip.Prefix // of Allow and Forget
	Jail   string       // of Pause; "" is every jail
	// At is when it was given, and Until when it ends by itself; the zero time: never.
	At, Until time.Time
	Reason    string
	// Ended orders are handed out once, for the store to delete.
	Ended bool
}

// orderKey tells orders apart: a second one on the same takes the place of the first.
type orderKey struct {
	kind   OrderKind
	prefix netip.Prefix
	jail   string
}

func (o *Order) key() orderKey { return orderKey{o.Kind, o.Prefix, o.Jail} }

// maxOrders bounds how many orders of each kind are in force: what was forgotten, which
// nobody ends, must leave room for what is allowed.
const maxOrders = 10_000

// orders are those in force, and what follows from them.
type orders struct {
	all      map[orderKey]Order
	kinds    [Forget + 1]int // how many of each kind there are
	touched  map[orderKey]Order
	next     time.Time // when the first of them ends; zero: none does
	allowed  guardTable
	paused   map[string]bool
	forgiven bart.Table[time.Time]
}

func newOrders() orders {
	return orders{all: map[orderKey]Order{}, touched: map[orderKey]Order{}, paused: map[string]bool{}}
}

// renew works out again what follows.
func (o *orders) renew() {
	o.next, o.allowed, o.paused, o.forgiven = time.Time{}, guardTable{}, map[string]bool{}, bart.Table[time.Time]{}
	for _, order := range o.all {
		o.follow(&order)
	}
}

// put puts an order in force, in place of an earlier one on the same.
func (o *orders) put(order Order) {
	k := order.key()
	if _, there := o.all[k]; !there {
		o.kinds[k.kind]++
	}
	o.all[k] = order
	o.follow(&order)
}

// follow adds what follows from one order. That of an earlier one on the same it replaces,
// but for its end, which may be looked for in vain.
func (o *orders) follow(order *Order) {
	if !order.Until.IsZero() && (o.next.IsZero() || order.Until.Before(o.next)) {
		o.next = order.Until
	}
	switch order.Kind {
	case Allow:
		o.allowed.table.Insert(order.Prefix, order.guard())
	case Pause:
		o.paused[order.Jail] = true
	case Forget:
		o.forgiven.Insert(order.Prefix, order.At)
	}
}

// guard is what an Allow is to a ban.
func (o *Order) guard() Guard {
	why := "allowed"
	if !o.Until.IsZero() {
		why += " until " + o.Until.Local().Format(time.DateTime)
	}
	if o.Reason != "" {
		why += ": " + o.Reason
	}
	return Guard{Prefix: o.Prefix, Why: why}
}

// expire ends the orders whose time is over. It costs nothing while there is none.
func (o *orders) expire(now time.Time) {
	if o.next.IsZero() || now.Before(o.next) {
		return
	}
	for k, order := range o.all {
		if !order.Until.IsZero() && !order.Until.After(now) {
			o.end(k)
		}
	}
	o.renew()
}

func (o *orders) end(k orderKey) {
	order := o.all[k]
	order.Ended = true
	delete(o.all, k)
	o.kinds[k.kind]--
	o.touched[k] = order
}

// setBack puts right what was said by a clock that was ahead.
func (o *orders) setBack(now time.Time) {
	for k, order := range o.all {
		if ahead := order.At.Sub(now); ahead > 0 {
			if order.At = now; !order.Until.IsZero() {
				order.Until = order.Until.Add(-ahead)
			}
			o.all[k], o.touched[k] = order, order
		}
	}
	o.renew()
}

// Give puts an order in force, in place of an earlier one on the same, and lifts what an
// Allow covers: each of lifts ends the ban at its place in ended, and counts as the
// operator's. The error says why the order makes no sense.
func (e *Engine) Give(o Order, now time.Time) (lifts, ended []Decision, err error) {
	o.At, o.Ended = now, false
	switch o.Kind {
	case Allow, Forget:
		if !o.Prefix.IsValid() {
			return nil, nil, errors.New("an order without a prefix")
		}
		o.Prefix, o.Jail = plainPrefix(o.Prefix), ""
	case Pause:
		o.Prefix = netip.Prefix{}
	}
	if !o.Until.IsZero() && !o.Until.After(now) {
		return nil, nil, errors.New("it would be over already")
	}
	e.orders.expire(now)
	if _, there := e.orders.all[o.key()]; !there && e.orders.kinds[o.Kind] >= maxOrders {
		return nil, nil, fmt.Errorf("%d orders of the kind are in force, and no more are taken", maxOrders)
	}
	e.orders.put(o)
	e.orders.touched[o.key()] = o
	if o.Kind == Allow {
		lifts, ended = e.lift([]netip.Prefix{o.Prefix}, "operator", o.guard().Why, now)
		e.blame(o.Prefix, ended)
	}
	return lifts, ended, nil
}

// forgetFor is how long bans stay forgotten at least, however soon they would be anyway:
// somebody may raise forget_after.
const forgetFor = 365 * 24 * time.Hour

// Forgive has the bans of p, and those that were lifted for it, make no later one longer. The
// error is that of Give.
func (e *Engine) Forgive(p netip.Prefix, lifted []Decision, now time.Time) error {
	prefixes := []netip.Prefix{plainPrefix(p)}
	if p.IsSingleIP() {
		prefixes = append(prefixes, site(peerOf(p.Addr())))
	}
	for i := range lifted {
		prefixes = append(prefixes, lifted[i].Prefix)
	}
	for _, p := range prefixes {
		if e.orders.forgave(p, now) {
			continue
		}
		e.orders.widen(p)
		if _, _, err := e.Give(Order{Kind: Forget, Prefix: p, Until: now.Add(max(e.opt.Escalation.ForgetAfter, forgetFor))}, now); err != nil {
			return err
		}
		for _, d := range e.dockets {
			for w := range d.overlapping(p) {
				w.repeats = false
			}
		}
	}
	return nil
}

// forgave says that what p did up to a time was forgotten just then.
func (o *orders) forgave(p netip.Prefix, now time.Time) bool {
	for _, at := range o.forgiven.Supernets(p) {
		if at.Equal(now) {
			return true
		}
	}
	return false
}

// widen ends what was forgotten inside of p: one order for p is about to say it.
func (o *orders) widen(p netip.Prefix) {
	for inside := range maps.Collect(o.forgiven.Subnets(p)) {
		o.end(orderKey{kind: Forget, prefix: inside})
		o.forgiven.Delete(inside)
	}
}

// End ends the orders of a kind that say returns true for, and returns them.
func (e *Engine) End(kind OrderKind, which func(*Order) bool) []Order {
	var ended []Order
	for k, o := range e.orders.all {
		if o.Kind == kind && which(&o) {
			e.orders.end(k)
			ended = append(ended, o)
		}
	}
	if len(ended) > 0 {
		e.orders.renew()
	}
	slices.SortFunc(ended, byOrder)
	return ended
}

// Orders returns those in force at now, by kind, and then by prefix or jail.
func (e *Engine) Orders(now time.Time) []Order {
	e.orders.expire(now)
	out := make([]Order, 0, len(e.orders.all))
	for _, o := range e.orders.all {
		out = append(out, o)
	}
	slices.SortFunc(out, byOrder)
	return out
}

func byOrder(a, b Order) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), a.Prefix.Addr().Compare(b.Prefix.Addr()), cmp.Compare(a.Prefix.Bits(), b.Prefix.Bits()), cmp.Compare(a.Jail, b.Jail))
}

// OrdersTouched returns the orders that changed since the last call.
func (e *Engine) OrdersTouched() []Order {
	var out []Order
	for _, o := range e.orders.touched {
		out = append(out, o)
	}
	clear(e.orders.touched)
	return out
}

// Obey takes back what OrdersTouched handed out, beside what was said since, and lifts what
// an Allow covers.
func (e *Engine) Obey(stored []Order, now time.Time) []Decision {
	var allowed []netip.Prefix
	for _, o := range stored {
		if _, later := e.orders.all[o.key()]; later || o.Ended {
			continue
		}
		e.orders.put(o)
		if o.Kind == Allow && (o.Until.IsZero() || o.Until.After(now)) {
			allowed = append(allowed, o.Prefix)
		}
	}
	e.orders.expire(now)
	lifts, _ := e.lift(allowed, "operator", "it is allowed", now)
	return lifts
}

// paused says whether the jail decides nothing now.
func (e *Engine) paused(jail string, now time.Time) bool {
	e.orders.expire(now)
	return e.orders.paused[""] || e.orders.paused[jail]
}

// Idle returns how many matches each jail did not count because it was paused.
func (e *Engine) Idle() map[string]uint64 {
	n := map[string]uint64{}
	for _, d := range e.dockets {
		n[d.Name] = d.idle
	}
	return n
}

// guarded returns a guard of p, or what an operator has allowed of it.
func (e *Engine) guarded(p netip.Prefix) (Guard, bool) {
	if g, ok := e.guards.over(p); ok {
		return g, true
	}
	return e.orders.allowed.over(p)
}

// earlier weighs the strikes that make the sentence of d longer, without those that an
// operator had forgotten.
func (e *Engine) earlier(strikes []Strike, d *Decision) past {
	return e.opt.Escalation.earlier(e.remembered(strikes, d.Prefix), d)
}

// remembered are the strikes of p that no operator had forgotten.
func (e *Engine) remembered(strikes []Strike, p netip.Prefix) []Strike {
	for _, at := range e.orders.forgiven.Supernets(p) {
		strikes = slices.DeleteFunc(slices.Clone(strikes), func(s Strike) bool { return !s.At.After(at) })
	}
	return strikes
}

// plainPrefix is p masked, and IPv4 where IPv6 holds one.
func plainPrefix(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked()
}
