package config

import (
	"cmp"
	"log/slog"
	"time"

	"bailiff/decide"
	"bailiff/ingest/syslog"
	"bailiff/store"
)

// Store returns the options of the store.
func (c *Config) Store(log *slog.Logger) store.Options {
	opts := store.DefaultOptions()
	opts.Dir, opts.Logger = c.StateDir, log
	opts.Retain = margin(c.Escalation.ForgetAfter)
	longest := time.Duration(0)
	for _, j := range c.Jails {
		longest = max(longest, j.FindTime)
	}
	opts.RetainWindow = margin(longest)
	opts.RetainKnown = margin(c.KnownFor)
	return opts
}

// margin returns how long the store keeps what must be kept for d: a day more,
// for clocks that are set, and 0, which is for ever, where that cannot be told.
func margin(d time.Duration) time.Duration {
	const day = 24 * time.Hour
	if d > Forever-day {
		return 0
	}
	return d + day
}

// Decide returns the policy of the engine: the jails that are enabled.
func (c *Config) Decide() decide.Options {
	opts := decide.DefaultOptions()
	opts.Escalation, opts.Ceiling, opts.KnownFor = c.Escalation, c.Ceiling, c.KnownFor
	for _, j := range c.Jails {
		if j.Enabled {
			opts.Jails = append(opts.Jails, j.Jail)
		}
	}
	return opts
}

// source returns the name of the source.
func (s *Syslog) source() string { return cmp.Or(s.Name, s.Listen()) }

// Options returns the options of the listener.
func (s *Syslog) Options() syslog.Options {
	opts := syslog.DefaultOptions()
	opts.Name, opts.Listen = s.Name, s.Listen()
	opts.Identifier, opts.Trust = s.Identifier, s.Trust
	opts.AllowUID, opts.AllowFrom = s.AllowUID, s.AllowFrom
	opts.Path = s.Wire
	opts.MaxSkew = s.MaxSkew
	s.Connections.set(&opts)
	return opts
}
