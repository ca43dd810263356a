package admin

import (
	"slices"
	"time"

	"bailiff/ingest"
)

// Status is the state of a running daemon.
type Status struct {
	Version string    `json:"version"`
	PID     int       `json:"pid"`
	Started time.Time `json:"started"`
	// Now is the daemon's clock when it answered.
	Now    time.Time `json:"now"`
	Config string    `json:"config"` // file, "" for the built-in default
	DryRun bool      `json:"dry_run,omitempty"`

	Sources []Source `json:"sources"`
	// Senders are those of each source, who was last heard first, and last of all
	// those without a row of their own.
	Senders []Sender `json:"senders"`
	Packs   []Pack   `json:"packs"`
	Jails   []Jail   `json:"jails"`
	// Rules are those of the jails that ever brought anything.
	Rules    []RuleScore `json:"rules"`
	Store    Part        `json:"store"`
	Firewall Firewall    `json:"firewall"`
	Queue    Queue       `json:"queue"`
	// Orders are what operators said that is in force.
	Orders []Order `json:"orders"`
	// Alarms are the last ones, newest first.
	Alarms []Decision `json:"alarms"`
	// Warnings are sentences about what is wrong now.
	Warnings []string `json:"warnings"`
}

// counts calls f with each count of each source.
func (s *Status) counts(f func(source string, c ingest.Count)) {
	for _, src := range s.Sources {
		for _, c := range src.Counts {
			f(src.Name, ingest.Count(c))
		}
	}
}

// Part is the state of one part of the daemon.
type Part struct {
	OK bool `json:"ok"`
	// Detail says where it is ("/var/lib/bailiff"), Error what is wrong and
	// Hint what to do.
	Detail string `json:"detail,omitempty"`
	Error  string `json:"error,omitempty"`
	Hint   string `json:"hint,omitempty"`
	// Errors counts the failures since the start.
	Errors uint64 `json:"errors"`
}

// Source is one source of log lines.
type Source struct {
	Name string `json:"name"`
	Part
	// Counts are what became of its lines; those named in hand and queued are no
	// totals, but tell how many are there now.
	Counts []Count `json:"counts"`
	// Imbalances are sums of Counts that do not hold. There are none unless
	// bailiff has an error; see [ingest.Balance].
	Imbalances []Imbalance `json:"imbalances,omitempty"`
}

// Imbalance is a sum that does not hold; see [ingest.Imbalance].
type Imbalance struct {
	Whole   string `json:"whole"`
	Parts   string `json:"parts"`
	Missing int64  `json:"missing"`
}

// sum adds up the lines that met one of the fates.
func (s *Source) sum(fates ...string) (n uint64) {
	for _, c := range s.Counts {
		if own := ingest.Count(c); own.Lines() && slices.Contains(fates, c.Name) {
			n += c.N
		}
	}
	return n
}

// Count is how many lines met one fate; see [ingest.Count]. Name and Reason are
// words of ours, never of a log.
type Count struct {
	Name   string `json:"name"`
	Reason string `json:"reason,omitempty"`
	N      uint64 `json:"n"`
}

// CountsOf returns the counts of a source as the API shows them.
func CountsOf(counts []ingest.Count) []Count {
	out := make([]Count, len(counts))
	for i, c := range counts {
		out[i] = Count(c)
	}
	return out
}

// Pack is one loaded rule pack.
type Pack struct {
	Name string `json:"name"`
	// File is where it was read; empty for a shipped pack.
	File  string `json:"file,omitempty"`
	Rules int    `json:"rules"`
	// Matches are the lines that matched, Ambiguous those of them with more
	// than one reading, which ban nobody.
	Matches   uint64 `json:"matches"`
	Ambiguous uint64 `json:"ambiguous"`
	// Untrusted are lines that claimed to be this daemon's and came from
	// another unit or user; Sample is the last of them, through [Safe].
	Untrusted uint64 `json:"untrusted"`
	Sample    string `json:"sample,omitempty"`
	// NearMisses are lines that held a text which the pack looks for and that
	// none of its rules read; NearSample is one of them, through [Safe].
	NearMisses uint64 `json:"near_misses"`
	NearSample string `json:"near_sample,omitempty"`
	// Sessions are of a pack whose rules find an address in an earlier line.
	Sessions *Sessions `json:"sessions,omitempty"`
}

// Sessions are those that the lines of one pack speak of.
type Sessions struct {
	// Live are those that are kept now.
	Live int `json:"live"`
	// Unbound are matches whose session is not known, so that they have no
	// address and decide nothing; Evicted sessions made room for others.
	Unbound uint64 `json:"unbound"`
	Evicted uint64 `json:"evicted"`
}

// Jail is one jail.
type Jail struct {
	Name     string   `json:"name"`
	Packs    []string `json:"packs"`
	Simulate bool     `json:"simulate,omitempty"`
	// Windows are the prefixes it watches, Standing its bans in force.
	Windows  int `json:"windows"`
	Standing int `json:"standing"`
	// Bans, Lifts and Alarms count decisions since the start.
	Bans   uint64 `json:"bans"`
	Lifts  uint64 `json:"lifts"`
	Alarms uint64 `json:"alarms"`
	// Unheard matches were not counted because of their sender (sources,
	// min_trust).
	Unheard uint64 `json:"unheard,omitempty"`
	// Idle matches were not counted because the jail was paused.
	Idle uint64 `json:"idle,omitempty"`
}

// Firewall is the state of the enforcer.
type Firewall struct {
	Part
	// Bans are the elements it holds, Packets and Bytes what they refused.
	Bans    int    `json:"bans"`
	Packets uint64 `json:"packets"`
	Bytes   uint64 `json:"bytes"`
	// Leaking is how many bans are without effect.
	Leaking int `json:"leaking,omitempty"`
	// Repairs counts the times that it had to be made whole.
	Repairs uint64 `json:"repairs"`
}

// Queue is what lies between the sources and the judge.
type Queue struct {
	Length   int `json:"length"`
	Capacity int `json:"capacity"`
	// Dropped are lines with matches that were lost, Name being the source.
	Dropped []Count `json:"dropped"`
}

// lost is how many lines were dropped in all.
func (q *Queue) lost() (n uint64) {
	for _, c := range q.Dropped {
		n += c.N
	}
	return n
}

// ReloadResult says what a reload changed.
type ReloadResult struct {
	Changed string `json:"changed"`
}
