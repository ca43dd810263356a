package decide

import (
	"net/netip"
	"slices"
)

// park has a ban wait.
func (e *Engine) park(h hold) {
	k := heldKey{h.Prefix, h.Jail}
	e.held[k] = h
	e.heldTouched[k] = true
}

// unpark ends its wait.
func (e *Engine) unpark(k heldKey) {
	if _, there := e.held[k]; there {
		delete(e.held, k)
		e.heldTouched[k] = true
	}
}

// friend says that spoofable evidence alone must not touch a prefix.
func (e *Engine) friend(p netip.Prefix) bool {
	why, _ := e.spared(p)
	return why != ""
}

// unparkWithin ends the wait of what overlaps p: a person has looked at it.
func (e *Engine) unparkWithin(p netip.Prefix) {
	for k := range e.held {
		if k.prefix.Overlaps(p) {
			e.unpark(k)
		}
	}
}

// unparkOf ends the wait of all bans of a jail.
func (e *Engine) unparkOf(jail string) {
	for k := range e.held {
		if k.jail == jail {
			e.unpark(k)
		}
	}
}

// HeldTouched returns the held bans that changed since the last call, and those that
// wait no more.
func (e *Engine) HeldTouched() []Held {
	if len(e.heldTouched) == 0 {
		return nil
	}
	out := make([]Held, 0, len(e.heldTouched))
	for k := range e.heldTouched {
		if h, there := e.held[k]; there {
			out = append(out, h.Held)
		} else {
			out = append(out, Held{Decision: Decision{Prefix: k.prefix, Jail: k.jail}, Over: true})
		}
	}
	clear(e.heldTouched)
	return out
}

// Wait takes back what HeldTouched handed out. It adds to what waits already. What is
// of no jail any more, or of one that groups otherwise or enforces nothing now, is given up.
func (e *Engine) Wait(held []Held) {
	for _, h := range held {
		k := heldKey{h.Prefix, h.Jail}
		if _, there := e.held[k]; there || h.Over {
			continue
		}
		of := key{h.Window, h.Account}
		n := slices.IndexFunc(e.dockets, func(d *docket) bool { return d.Name == h.Jail })
		if n < 0 || e.dockets[n].Simulate || !e.dockets[n].fits(of) || len(e.held) >= maxHeld {
			e.heldTouched[k] = true
			continue
		}
		e.held[k] = hold{h, e.dockets[n], of}
	}
}
