// Package config reads bailiff's one configuration file, strictly.
//
// [Load] turns the file into a [Config] or into [Errors]: all that is wrong, in
// the order of the file, each with its line and, where there is one, a remedy.
// Nothing is guessed and nothing is passed over: a key that means nothing is an
// error that names the nearest one that does. Every key has a default, and
// [Default] is the configuration of an empty file.
//
// The methods of Config compose the Options of the other packages (options.go).
//
// # Concurrency
//
// A Config is a value that nobody changes after Load.
package config

import (
	"net/netip"
	"time"

	"bailiff/decide"
	"bailiff/ingest"
	"bailiff/rules/tomlkeys"
)

// The default places, and how large a file is read.
const (
	DefaultPath     = "/etc/bailiff/bailiff.toml"
	DefaultStateDir = "/var/lib/bailiff"
	DefaultSocket   = "/run/bailiff/bailiff.sock"
	DefaultRulesDir = "/etc/bailiff/rules.d"

	maxFile = 1 << 20
)

// Config is a configuration that holds together in itself. Whether it fits the
// packs that there are, Resolve says.
type Config struct {
	// File is what was read; empty for the built-in configuration.
	File string

	StateDir string // the store's directory
	Socket   string // path of the control socket
	// RulesDir holds the operator's packs. It may be missing if it is
	// DefaultRulesDir.
	RulesDir string
	// NeverBan are the operator's guards.
	NeverBan NeverBan
	// Trunks are whom spoofable evidence alone never bans: providers, whom
	// somebody could silence by packets in their name.
	Trunks NeverBan

	Journald []Journald
	Syslog   []Syslog
	Files    []File
	Pipes    []Pipe
	// Origins are the senders that have a name.
	Origins    []ingest.Origin
	Escalation decide.Escalation
	Ceiling    decide.Ceiling
	// BanTime is that of [defaults], which operators' bans without a jail and
	// a length of their own get.
	BanTime time.Duration
	// KnownFor is how long an account that was opened from an address is known
	// good there.
	KnownFor time.Duration
	// Jails are in the order of the file.
	Jails []Jail
	// Units are the systemd units (globs) whose journal entries a pack believes
	// instead of its own, by the pack's name.
	Units map[string][]string

	lines tomlkeys.Lines // for what Resolve finds
}

// NeverBan is what no ban may touch: addresses, and where to find others.
type NeverBan struct {
	Prefixes []netip.Prefix // addresses are prefixes of full length
	Sets     []Set
	// Files are absolute paths of lists, see ReadList.
	Files []string
	// Names are host names, whose addresses are asked for again and again.
	Names []string
}

// Set names a set of the kernel's nftables, written "@family table/set".
type Set struct {
	Family, Table, Name string
}

// String returns the form of the configuration file.
func (s Set) String() string { return "@" + s.Family + " " + s.Table + "/" + s.Name }

// Syslog is one listener.
type Syslog struct {
	Feed
	Connections

	// Name is the name of the source; empty means Listen.
	Name string
	// Identifier is that of lines that carry none.
	Identifier string
	// Scheme is udp, tcp, tls, unix or unixgram. Addr is set for the first
	// three, Path for the others.
	Scheme string
	Addr   netip.AddrPort
	Path   string
	// Socket is the name of a socket that systemd opens; Scheme is systemd then.
	Socket string
	// AllowUID are the users whose processes a loopback or unix listener
	// takes lines from.
	AllowUID []int
	// AllowFrom are the senders that a listener off loopback takes lines
	// from.
	AllowFrom []netip.Prefix
	// Wire is what the key path says: "protected" or "open" for UDP off
	// loopback, and empty where that is no question.
	Wire string
	// MaxSkew is how far the stamp of a line may be from the time of its
	// arrival to be believed.
	MaxSkew time.Duration
}

// Listen returns the URL of the listener, as the configuration file has it.
func (s *Syslog) Listen() string {
	if s.Socket != "" {
		return "systemd:" + s.Socket
	}
	if s.Path != "" {
		return s.Scheme + "://" + s.Path
	}
	return s.Scheme + "://" + s.Addr.String()
}

// Jail is a policy over packs.
type Jail struct {
	decide.Jail
	Enabled bool
}

// Default returns the built-in configuration, that of an empty file.
func Default() *Config {
	r := reader{}
	return r.config(map[string]any{})
}
