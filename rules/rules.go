// Package rules turns rule packs into one immutable matcher.
//
// A pack (pack.go) is one TOML file of rules for one daemon. [Compile] makes a
// [Set] of any number of packs (set.go), and Set.AppendMatches says of one
// entry which rules it matches and which address stands in the one position
// where the daemon, not the attacker, wrote it.
package rules

import (
	"net/netip"
	"time"

	"bailiff/ingest"
)

// Event says what a matched line means.
type Event uint8

// The events of a rule, spelled in TOML as failure, success, challenge, ignore
// and info.
const (
	// Failure is a refused attempt; it counts.
	Failure Event = iota
	// Success is a completed login with a password or a key.
	Success
	// Challenge is a request for credentials that every healthy login meets.
	Challenge
	// Ignore says that the line means nothing; it stops the other rules of
	// its pack.
	Ignore
	// Info is shown and counted in metrics, and decides nothing.
	Info
)

// String returns the TOML spelling.
func (e Event) String() string {
	switch e {
	case Failure:
		return "failure"
	case Success:
		return "success"
	case Challenge:
		return "challenge"
	case Ignore:
		return "ignore"
	case Info:
		return "info"
	}
	return "event?"
}

// Evidence says how sure it is that the peer of a line sent what the line is
// about.
type Evidence uint8

// The classes of evidence, spelled in TOML as spoofable and proven.
const (
	// Spoofable may have been sent by anybody in the peer's name: a single UDP
	// packet. It is the class of what states none.
	Spoofable Evidence = iota
	// Proven came over TCP or TLS, or answered a challenge that was sent to
	// the peer.
	Proven
)

// String returns the TOML spelling.
func (e Evidence) String() string {
	switch e {
	case Spoofable:
		return "spoofable"
	case Proven:
		return "proven"
	}
	return "evidence?"
}

// Rule is what a match carries of the rule that made it. Rules are shared and
// never change after Compile.
type Rule struct {
	// Pack and Name identify the rule, "asterisk" and "sip-wrong-password".
	Pack, Name string
	Event      Event
	// Service is what was attacked ("sip", "ssh"); attempts on different
	// services add up.
	Service string
	// Witness is the channel of the daemon that prints this line. Lines of
	// one witness add up; of several witnesses the largest sum counts.
	Witness string
	// PerAttempt is how many such lines the channel prints for one attempt;
	// at least 1.
	PerAttempt int
	// Weight is how many attempts one attempt counts for; at least 1.
	Weight int
	// Evidence is the class of what the rule reads; see Match.Evidence.
	Evidence Evidence
}

// String returns "pack/name".
func (r *Rule) String() string { return r.Pack + "/" + r.Name }

// Match is one rule found in one entry. It owns its memory.
type Match struct {
	Rule  *Rule
	Event Event
	// Addr is the address of the peer that the daemon spoke of, unmapped and
	// without zone; invalid if the line has none or is ambiguous.
	Addr netip.Addr
	// Candidates are the addresses that an ambiguous line could mean, in
	// order of position; empty unless there is more than one reading.
	Candidates []netip.Addr
	// Account is the normalised name of the account that was tried.
	Account string
	// Count is how many equal lines the entry stands for; at least 1.
	Count int
	// Time is the entry's time, Received when bailiff read it.
	Time, Received time.Time
	// Source names the source; Origin the sender within it (see
	// ingest.Entry.Origin), empty for this machine's journal. One log that
	// arrives by two ways differs in these two.
	Source, Origin string
	// Host is the host label of the line.
	Host string
	// Line is the message, with the fields that the rule asks for behind it
	// where they are no part of it, capped at MaxEvidence bytes and raw: whoever
	// prints it escapes it.
	Line string
	// Spoofable and Trust are the entry's.
	Spoofable bool
	Trust     ingest.Trust
}

// Evidence is the class of the match: the weaker of the rule's and that of the
// way by which the line came.
func (m *Match) Evidence() Evidence {
	if m.Spoofable {
		return Spoofable
	}
	return m.Rule.Evidence
}

// Ambiguous says that the line has more than one reading and must ban nobody.
func (m *Match) Ambiguous() bool { return len(m.Candidates) > 0 }

// MaxEvidence is how many bytes of a matched line are kept.
const MaxEvidence = 512
