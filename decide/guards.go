package decide

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/gaissmai/bart"
)

// Guard is what must not be banned.
type Guard struct {
	Prefix netip.Prefix
	// Why says who wants it so: "own address", "never_ban".
	Why string
}

// GuardError says that a guard forbids a ban.
type GuardError struct {
	Prefix netip.Prefix
	Guard  Guard
}

// Error names the ban and the guard.
func (e *GuardError) Error() string {
	return fmt.Sprintf("%s may not be banned: %s is guarded (%s)", spelled(e.Prefix), spelled(e.Guard.Prefix), e.Guard.Why)
}

// guardTable finds the guard that overlaps a prefix.
type guardTable struct {
	table bart.Table[Guard]
}

// over returns a guard that covers p or lies within it.
func (t *guardTable) over(p netip.Prefix) (Guard, bool) {
	if !t.table.OverlapsPrefix(p) {
		return Guard{}, false
	}
	if g, ok := t.table.LookupPrefix(p); ok {
		return g, true
	}
	for _, g := range t.table.Subnets(p) {
		return g, true
	}
	return Guard{}, false
}

// SetGuards replaces the guards, and lifts the standing bans that overlap one.
func (e *Engine) SetGuards(guards []Guard, now time.Time) []Decision {
	e.guards = guardTable{}
	prefixes := make([]netip.Prefix, len(guards))
	for i, g := range guards {
		prefixes[i] = g.Prefix.Masked()
		e.guards.table.Insert(prefixes[i], g)
	}
	lifts, _ := e.lift(prefixes, "guard", "a guard covers it now", now)
	return lifts
}
