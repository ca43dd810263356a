package decide

import (
	"errors"
	"fmt"
	"time"

	"bailiff/ingest"
)

// Forever is the ban time of bans that end only when they are lifted.
const Forever time.Duration = 1<<63 - 1

// Options is the policy of an Engine.
type Options struct {
	Jails      []Jail
	Escalation Escalation
	Ceiling    Ceiling
	// MaxKeys bounds how many addresses are watched over all jails, where a window
	// of many lines counts as several; when it is reached, those with the fewest
	// attempts that were silent longest are forgotten.
	MaxKeys int
	// KnownFor is how long an account that was opened from an address is known
	// good there; zero knows nobody.
	KnownFor time.Duration
}

// Jail is a policy over packs.
type Jail struct {
	Name  string
	Packs []string
	// MaxRetry attempts within FindTime bring a ban.
	MaxRetry int
	FindTime time.Duration
	// MaxChallenges requests for credentials within FindTime that no login
	// followed bring a ban too; 0: they never do.
	MaxChallenges int
	// BanTime is the length of the first ban; Forever bans until lifted.
	BanTime time.Duration
	// Ports limits the bans; empty means all traffic.
	Ports   []Port
	Verdict Verdict
	// Sources are the sources and origins whose matches count; none means all.
	// MinTrust is how far an origin must be trusted.
	Sources  []string
	MinTrust ingest.Trust
	// Simulate decides and records, and enforces nothing.
	Simulate bool
	// GroupBy says whose attempts add up, and who is banned.
	GroupBy GroupBy
	// Prefix4 and Prefix6 are the lengths of the prefixes that ByPrefix jails
	// watch.
	Prefix4, Prefix6 int
	// Distinct is how many different peers the attempts of a ByAccount or
	// ByPrefix jail must come from, or how many different accounts those of a
	// ByAddress jail must be on; up to 1 makes no difference.
	Distinct int
	// Spoofable says what evidence brings that a third party could have made,
	// and SpoofableBan how long such a ban lasts at most.
	Spoofable    SpoofablePolicy
	SpoofableBan time.Duration
	// KnownGoodFactor raises the bar for failures of an address on an account
	// that was opened from there; 1 makes no difference.
	KnownGoodFactor int
	// RepeatMaxRetry takes the place of MaxRetry for those who have a strike;
	// zero: they have no bar of their own.
	RepeatMaxRetry int
	// PromoteAfter is how many banned /64 of a /56, and /56 of a /48, have that
	// banned as a whole; zero: no number does. Promote4 does so for the
	// addresses of an IPv4 /24 too.
	PromoteAfter int
	Promote4     bool
	// Canaries are accounts that nobody owns: one attempt on one is enough.
	Canaries []string
}

// SpoofablePolicy is what a jail does on spoofable evidence alone.
type SpoofablePolicy uint8

// The policies, spelled in TOML as short, alarm and full.
const (
	// SpoofableShort bans for SpoofableBan at most, from the ports of the
	// service alone, and leaves no strike.
	SpoofableShort SpoofablePolicy = iota
	// SpoofableAlarm tells a person and bans nobody.
	SpoofableAlarm
	// SpoofableFull makes no difference between the classes.
	SpoofableFull
)

// Escalation makes the bans of those who come back longer.
type Escalation struct {
	// Factor multiplies the ban time once for each earlier ban; at least 1.
	Factor float64
	// Multipliers take its place where there are any: the nth of them
	// multiplies the ban time after n earlier bans, and the last one that of all
	// further bans.
	Multipliers []float64
	// Formula takes the place of both where it is not nil.
	Formula *Formula
	// Max caps every sentence but Forever, after jitter; zero is no cap.
	Max time.Duration
	// Jitter adds up to so much, the same for the same decision.
	Jitter time.Duration
	// ForgetAfter is how long after its end a ban counts.
	ForgetAfter time.Duration
	// Decay is the time after its end in which a ban comes to count half; zero:
	// it counts whole until it is forgotten.
	Decay time.Duration
	// ForeverAfter is how many earlier bans, counted whole, make the next one
	// last until it is lifted; zero: no number does.
	ForeverAfter int
	// Overall counts the bans of all jails.
	Overall bool
}

// DefaultOptions has no jail, doubles sentences up to five weeks and remembers
// for 90 days.
func DefaultOptions() Options {
	return Options{
		Escalation: Escalation{Factor: 2, Max: 5 * 7 * 24 * time.Hour, ForgetAfter: 90 * 24 * time.Hour},
		Ceiling:    Ceiling{Proven: 1000, Spoofable: 60, Space4: 8, Space6: 16},
		MaxKeys:    200_000,
		KnownFor:   30 * 24 * time.Hour,
	}
}

// DefaultJail bans for ten minutes after five attempts or thirty unanswered
// challenges in ten minutes.
func DefaultJail(name string, packs ...string) Jail {
	return Jail{
		Name: name, Packs: packs, MaxRetry: 5, MaxChallenges: 30, FindTime: 10 * time.Minute, BanTime: 10 * time.Minute,
		Prefix4: 24, Prefix6: 56, SpoofableBan: 10 * time.Minute, KnownGoodFactor: 4, PromoteAfter: 3, MinTrust: ingest.TrustLow,
	}
}

// Validate reports everything that cannot work, naming jail and key.
func (o *Options) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	names := map[string]bool{}
	for _, j := range o.Jails {
		j.validateGroup(bad)
		switch {
		case j.Name == "":
			bad("a jail has no name")
		case names[j.Name]:
			bad("jail %s: defined twice", j.Name)
		}
		names[j.Name] = true
		if len(j.Packs) == 0 {
			bad("jail %s: packs: it judges none", j.Name)
		}
		if j.MaxRetry < 1 {
			bad("jail %s: max_retry: must be at least 1, is %d", j.Name, j.MaxRetry)
		}
		if j.MaxChallenges < 0 {
			bad("jail %s: max_challenges: must be at least 0, is %d", j.Name, j.MaxChallenges)
		}
		if j.FindTime <= 0 {
			bad("jail %s: find_time: must be longer than 0", j.Name)
		}
		if j.BanTime < time.Second {
			bad("jail %s: ban_time: must be at least 1s", j.Name)
		}
	}
	o.Escalation.validate(bad)
	if o.KnownFor < 0 {
		bad("known_good_for: is negative")
	}
	if o.MaxKeys < 1 {
		bad("max keys: must be at least 1")
	}
	return errors.Join(errs...)
}
