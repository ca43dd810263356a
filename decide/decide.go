// Package decide turns matches into bans.
//
// It is pure: no I/O, no clock, no goroutine. An [Engine] (engine.go) is fed
// matches and the time, asks a [History] what an address did before, and
// answers with decisions. Everything it must remember over a restart is a
// value that it hands out ([Window], [Decision]) and takes back.
//
// # Concurrency
//
// An Engine belongs to one goroutine.
package decide

import (
	"net/netip"
	"time"
)

// Action is what a decision orders.
type Action uint8

// The actions, spelled in JSON as ban, lift and alarm.
const (
	// Ban refuses the prefix until Until.
	Ban Action = iota
	// Lift ends the ban of the prefix in the jail.
	Lift
	// Alarm changes nothing and tells a person: a guard stopped a ban, a
	// line was ambiguous.
	Alarm
)

// String returns the JSON spelling.
func (a Action) String() string {
	switch a {
	case Ban:
		return "ban"
	case Lift:
		return "lift"
	case Alarm:
		return "alarm"
	}
	return "action?"
}

// Verdict is what the firewall does with a packet of a banned source.
type Verdict uint8

// The verdicts, spelled in TOML as drop and reject.
const (
	Drop Verdict = iota
	Reject
)

// Port is one transport port that a ban is limited to.
type Port struct {
	// Proto is "tcp" or "udp".
	Proto string `json:"proto"`
	Port  uint16 `json:"port"`
}

// Decision is one ban, lift or alarm. It is a plain value: stored, enforced,
// published and shown as it is.
type Decision struct {
	// ID derives from jail, prefix and At: a line read twice decides the
	// same thing again, and is recognised.
	ID     string
	Action Action
	Prefix netip.Prefix
	// At is the time of the attempt that completed the window (event time).
	At time.Time
	// Until is when the ban ends; the zero time means until lifted.
	Until time.Time
	// Jail and Rule are what decided; Rule is "pack/name" of the completing
	// match. Both are empty for an operator's ban without a jail.
	Jail, Rule string
	// Origin is who decided: "rules", "operator"; "senders" of alarms about them.
	Origin string
	// Strike is which ban of this prefix it is, counted from 1. A ban on
	// spoofable evidence is none: it has the number of those before it.
	Strike int
	// Attempts is how many attempts the window held when it was complete.
	Attempts int
	// Ports limits the ban; empty means all traffic.
	Ports   []Port
	Verdict Verdict
	// Spoofable says that only evidence which a third party could have made
	// completes the window: the ban is short, limited to ports, and no strike.
	Spoofable bool
	// Simulated decisions are recorded and not enforced.
	Simulated bool
	// Spent says that the ban was over before it was decided (an old log
	// was read): it is a strike, and nothing is enforced.
	Spent bool
	// Reason is a sentence for a person: why an alarm rang, what an
	// operator said.
	Reason string
	// Evidence holds the lines that caused it, oldest first, capped in
	// number and length, raw.
	Evidence []string
	// Sums are what the witnesses said of the attempts: how many lines were merged
	// into how many.
	Sums []Sum
}

// Active says whether the ban is in force at now.
func (d *Decision) Active(now time.Time) bool {
	return d.Action == Ban && !d.Spent && (d.Until.IsZero() || now.Before(d.Until))
}

// Strike is one earlier ban.
type Strike struct {
	Prefix    netip.Prefix
	Jail      string
	At, Until time.Time
	// Spoofable bans are no strikes: History hands them out so that a log that
	// is read twice is recognised.
	Spoofable bool
}

// History tells what an address did before. The store satisfies it.
type History interface {
	// Strikes returns the bans of exactly p that ended at or after since,
	// oldest first; jail "" asks for all jails. Simulated bans are none.
	Strikes(p netip.Prefix, jail string, since time.Time) ([]Strike, error)
}
