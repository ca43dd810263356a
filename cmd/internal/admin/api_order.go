package admin

import (
	"net/netip"
	"slices"
	"time"

	"bailiff/decide"
)

// Order is what an operator said for a time: that nothing of Prefix is banned ("allow"),
// or that Jail decides nothing ("pause").
type Order struct {
	Kind string `json:"kind"`
	// Prefix is that of an allow, null for a pause.
	Prefix *netip.Prefix `json:"prefix"`
	// Jail is that of a pause; "" is every jail.
	Jail   string     `json:"jail"`
	Since  time.Time  `json:"since"`
	Until  *time.Time `json:"until"` // nil: until it is ended
	Reason string     `json:"reason,omitempty"`
}

// The kinds of order.
const (
	Allow = "allow"
	Pause = "pause"
)

// OrderOf returns o as the API shows it.
func OrderOf(o *decide.Order) Order {
	out := Order{Kind: Pause, Jail: o.Jail, Since: o.At, Until: until(o.Until), Reason: o.Reason}
	if o.Kind == decide.Allow {
		out.Kind, out.Prefix = Allow, &o.Prefix
	}
	return out
}

// allowed is how many prefixes are.
func (s *Status) allowed() (n int) {
	for i := range s.Orders {
		if s.Orders[i].Kind == Allow {
			n++
		}
	}
	return n
}

// paused says that the jail decides nothing.
func (s *Status) paused(jail string) bool {
	return slices.ContainsFunc(s.Orders, func(o Order) bool { return o.Kind == Pause && (o.Jail == "" || o.Jail == jail) })
}

// OrderRequest asks for orders of a kind, or for their end.
type OrderRequest struct {
	Kind string `json:"kind"`
	// Prefixes are those to allow; All, of an end, is every one.
	Prefixes []netip.Prefix `json:"prefixes,omitempty"`
	All      bool           `json:"all,omitempty"`
	// Jail is the one to pause; "" is every jail, and of an end every pause.
	Jail string `json:"jail,omitempty"`
	// For is how long, spelled as in the configuration; "forever" is until it is ended.
	For    string `json:"for,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Force allows a prefix wider than [CheckWidth] lets pass.
	Force bool `json:"force,omitempty"`
}

// OrderResult says what is in force now, or what was ended.
type OrderResult struct {
	Orders []Order `json:"orders"`
	// Lifted are the bans of what is allowed.
	Lifted []Ban `json:"lifted"`
	// Unsaved says why the orders do not outlast the daemon yet; empty where they do.
	Unsaved string `json:"unsaved,omitempty"`
}
