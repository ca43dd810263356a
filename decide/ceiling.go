package decide

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Ceiling bounds how many bans are made, so that a rule gone wrong, or somebody who
// sends packets in everybody's name, is an alarm and not an outage. What is above
// it is held: decided, shown, and let through as there is room again.
type Ceiling struct {
	// Proven and Spoofable are how many new bans each rule may make a minute on
	// evidence of that class; zero is no bound.
	Proven, Spoofable int
	// Space4 and Space6 are how much of the address space bans may cover at a
	// time, as a length of prefix: 8 is a 256th of IPv4. Zero is no bound.
	Space4, Space6 int
}

// maxHeld bounds the bans that are held. Beyond it the newest first offenders are
// dropped, and counted.
const maxHeld = 10_000

// budget is the room for one rule and class of evidence.
type budget struct {
	left float64
	at   time.Time
}

type budgetKey struct {
	rule      string
	spoofable bool
}

// Held is a ban that waits for room: what an engine must be given back after a restart. It is
// a plain value.
type Held struct {
	Decision
	// Why says what there was no room in.
	Why string
	// Window and Account are the key of the window that it is of.
	Window  netip.Prefix
	Account string
	// Over says that the ban of Prefix in Jail waits no more: the store deletes it.
	Over bool
}

type heldKey struct {
	prefix netip.Prefix
	jail   string
}

// hold is a ban that waits, with the window that it is of.
type hold struct {
	Held
	docket *docket
	key    key
}

// limit returns the bound of a class.
func (c *Ceiling) limit(spoofable bool) int {
	if spoofable {
		return c.Spoofable
	}
	return c.Proven
}

// room takes a ban's place in its budget, or says why there is none.
func (e *Engine) room(d *Decision, now time.Time) (why string) {
	limit := e.opt.Ceiling.limit(d.Spoofable)
	if d.Simulated || d.Spent {
		return ""
	}
	if !e.roomFor(d.Prefix) {
		return "the bans that stand cover as much of the address space as they may"
	}
	if limit == 0 {
		return ""
	}
	k := budgetKey{d.Rule, d.Spoofable}
	b, ok := e.budgets[k]
	if !ok {
		b = budget{left: float64(limit), at: now}
	}
	if since := now.Sub(b.at); since > 0 {
		b.left, b.at = min(float64(limit), b.left+since.Minutes()*float64(limit)), now
	} else if since < 0 {
		b.at = now // the clock was set back
	}
	if b.left < 1 {
		e.budgets[k] = b
		return fmt.Sprintf("rule %s has made %d bans within a minute", d.Rule, limit)
	}
	b.left--
	e.budgets[k] = b
	return ""
}

// roomFor says whether the bans may cover p besides.
func (e *Engine) roomFor(p netip.Prefix) bool {
	more4, more6 := extent(p)
	c := &e.opt.Ceiling
	return (c.Space4 == 0 || e.census.Space4+more4 <= 1<<(32-c.Space4)) && (c.Space6 == 0 || e.census.Space6+more6 <= 1<<(64-c.Space6))
}

// extent is how many addresses, or /64 of IPv6, a prefix holds.
func extent(p netip.Prefix) (space4, space6 int64) {
	if p.Addr().Is4() {
		return 1 << (32 - p.Bits()), 0
	}
	return 0, 1 << max(0, 64-p.Bits())
}

// hold puts a ban aside, in place of one on worse evidence. Its window stays as it is.
func (e *Engine) hold(w *watch, d Decision, why string, now time.Time) []Decision {
	k := heldKey{d.Prefix, d.Jail}
	if e.waits(k, d.Spoofable) {
		return nil
	}
	e.stats.Held++
	e.scoreOf(d.Jail, d.Rule).Held++
	if len(e.held) >= maxHeld {
		e.dropHeld()
	}
	e.park(hold{Held{Decision: d, Why: why, Window: w.key.prefix, Account: w.key.account}, w.docket, w.key})
	if !e.ring(bell{name: "ceiling " + d.Rule}, now) {
		return nil
	}
	alarm := Decision{
		Action: Alarm, Prefix: d.Prefix, At: d.At, Jail: d.Jail, Rule: d.Rule, Origin: "rules", Spoofable: d.Spoofable, Evidence: d.Evidence,
		Reason: "bans are held back: " + why + "; bailiff held lists them",
	}
	alarm.ID = id(&alarm)
	return []Decision{alarm}
}

// waits says that a ban is held which evidence of a class makes no better.
func (e *Engine) waits(k heldKey, spoofable bool) bool {
	h, there := e.held[k]
	return there && (spoofable || !h.Spoofable)
}

// dropHeld makes room among what is held: for many, because finding the last takes
// sorting all.
func (e *Engine) dropHeld() {
	waiting := e.waiting()
	for _, h := range waiting[len(waiting)-maxHeld/16:] {
		e.unpark(heldKey{h.Prefix, h.Jail})
		e.stats.HeldDropped++
	}
}

// waiting are the bans that are held, in the order in which they are let through:
// repeat offenders first, then proven evidence, then those that wait longest.
func (e *Engine) waiting() []hold {
	out := make([]hold, 0, len(e.held))
	for _, h := range e.held {
		out = append(out, h)
	}
	slices.SortFunc(out, func(a, b hold) int {
		class := 0
		if a.Spoofable != b.Spoofable {
			if class = 1; b.Spoofable {
				class = -1
			}
		}
		return cmp.Or(cmp.Compare(b.Strike, a.Strike), class, a.At.Compare(b.At), byPrefix(a.Decision, b.Decision))
	})
	return out
}

// Held returns the bans that wait, those that are let through first in front.
func (e *Engine) Held() []Held {
	var out []Held
	for _, h := range e.waiting() {
		out = append(out, h.Held)
	}
	return out
}

// Waiting is how many bans are held.
func (e *Engine) Waiting() int { return len(e.held) }

// Release lets through what there is room for again. Call it about once a second.
func (e *Engine) Release(now time.Time) []Decision {
	if len(e.held) == 0 {
		return nil
	}
	var out []Decision
	full := map[budgetKey]bool{}
	for _, h := range e.waiting() {
		k := budgetKey{h.Rule, h.Spoofable}
		switch {
		case !h.Until.IsZero() && !h.Until.After(now):
			e.unpark(heldKey{h.Prefix, h.Jail}) // it would be over by now
			e.stats.HeldDropped++
		case h.Spoofable && h.docket.Spoofable == SpoofableShort && e.friend(h.Prefix):
			e.unpark(heldKey{h.Prefix, h.Jail}) // it was opened meanwhile, or became a trunk
			e.stats.Doubted++
		case full[k] || e.paused(h.Jail, now):
		case e.room(&h.Decision, now) != "":
			full[k] = true
		default:
			out = append(out, e.letThrough(h, now)...)
		}
	}
	return out
}

// letThrough makes a ban of what was held, unless a guard has come between.
func (e *Engine) letThrough(h hold, now time.Time) []Decision {
	e.unpark(heldKey{h.Prefix, h.Jail})
	if _, guarded := e.guarded(h.Prefix); guarded {
		e.stats.Guarded++
		return nil
	}
	if w := h.docket.watches[h.key]; w != nil {
		e.close(w, charge{spoofable: h.Spoofable}, &h.Decision, now)
	}
	h.docket.condemn(&h.Decision)
	e.stand(h.Decision)
	out := []Decision{h.Decision}
	if !h.Spoofable {
		out = append(out, e.promote(&h.docket.Jail, h.Decision, now, now)...)
	}
	return out
}

// ReleaseHeld lets through, or drops, the bans that are held on what p covers,
// whatever room there is: a person has looked at them.
func (e *Engine) ReleaseHeld(p netip.Prefix, drop bool, now time.Time) []Decision {
	var out []Decision
	for _, h := range e.waiting() {
		if !p.Overlaps(h.Prefix) || p.Bits() > h.Prefix.Bits() {
			continue
		}
		if !drop {
			out = append(out, e.letThrough(h, now)...)
			continue
		}
		e.unpark(heldKey{h.Prefix, h.Jail})
		if w := h.docket.watches[h.key]; w != nil {
			e.settle(w, nanos(now))
		}
	}
	return out
}
