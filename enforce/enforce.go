// Package enforce makes a firewall agree with the decisions.
//
// An [Enforcer] is told what is to hold and makes it so; what it does is
// idempotent, and Sync heals whatever came between. [Log] (log.go) only writes
// down; package nft drives the kernel. Both pass the suite in enforcetest.
package enforce

import (
	"context"
	"net/netip"

	"bailiff/decide"
)

// Enforcer makes one firewall agree with the decisions. Its methods are called
// from one goroutine at a time.
type Enforcer interface {
	// Apply carries out decisions in order: a Ban makes the prefix refused
	// until exactly Until, whether that is later or earlier than what stood
	// before, and a Lift ends it. Alarms, simulated and spent decisions, and
	// bans that ended before now are passed over. The caller has resolved
	// which of several bans of one prefix holds. On an error some of the
	// decisions may have been carried out; Sync repairs.
	Apply(ctx context.Context, decisions []decide.Decision) error
	// Sync makes the firewall hold exactly these bans and no others,
	// creating whatever is missing. Bans that stand already keep their
	// packet counters.
	Sync(ctx context.Context, bans []decide.Decision) error
	// Close releases resources. Bans outlive it.
	Close() error
}

// Meter is implemented by enforcers that know what the firewall refused.
type Meter interface {
	// Refused returns packets and bytes refused per banned prefix since it
	// was banned.
	Refused(ctx context.Context) (map[netip.Prefix]Traffic, error)
}

// Traffic is an amount of refused traffic.
type Traffic struct {
	Packets, Bytes uint64
}

// Watcher is implemented by enforcers that notice a foreign change.
type Watcher interface {
	// Broken yields a value when somebody else changed what was enforced
	// (nft flush ruleset); the remedy is Sync. Values coalesce.
	Broken() <-chan struct{}
}
