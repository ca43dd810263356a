package admin

import (
	"bytes"
	"fmt"
	"time"
)

// Orders writes a table of what is in force.
func (p *Printer) Orders(orders []Order, now time.Time) error {
	var b bytes.Buffer
	if len(orders) == 0 {
		b.WriteString("none\n")
		return p.flush(&b)
	}
	rows := [][]string{{"WHAT", "SINCE", "UNTIL", "REASON"}}
	for i := range orders {
		o := &orders[i]
		until := end(o.Until, now)
		if o.Until == nil {
			until = "ended"
		}
		rows = append(rows, []string{o.about(), clock(o.Since, now), until, Safe(o.Reason)})
	}
	p.table(&b, "", rows)
	return p.flush(&b)
}

// about names what an order is about.
func (o *Order) about() string {
	switch {
	case o.Prefix != nil:
		return ShortPrefix(*o.Prefix)
	case o.Jail == "":
		return "all jails"
	}
	return "jail " + o.Jail
}

// Ordered says what came of a request: what is in force now, or no longer, and whom that
// has freed.
func (p *Printer) Ordered(r *OrderResult, ended bool, now time.Time) error {
	var b bytes.Buffer
	for i := range r.Orders {
		o := &r.Orders[i]
		verb := map[string]string{Allow: "allowed", Pause: "paused"}[o.Kind]
		if ended {
			verb = "no longer " + verb
		}
		fmt.Fprintf(&b, "%s %s", p.paint(bold, verb), o.about())
		if !ended {
			if o.Until == nil {
				b.WriteString(" until it is ended")
			} else {
				b.WriteString(" until " + end(o.Until, now))
			}
		}
		b.WriteByte('\n')
	}
	if r.Unsaved != "" {
		fmt.Fprintf(&b, "%s this is forgotten when bailiff stops: %s\n", p.paint(yellow, "warning:"), Safe(r.Unsaved))
	}
	if err := p.flush(&b); err != nil || len(r.Lifted) == 0 {
		return err
	}
	return p.Lifted(r.Lifted)
}
