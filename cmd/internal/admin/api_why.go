package admin

import (
	"net/netip"
	"time"

	"bailiff/decide"
)

// Why is everything bailiff knows of one prefix, in the order in which it is
// explained: evidence, counts, strikes, sentence, effect.
type Why struct {
	Prefix netip.Prefix `json:"prefix"`
	Banned bool         `json:"banned"`
	// Bans are the standing bans that overlap Prefix, a hundred at most; Standing is how many
	// there are.
	Bans     []Ban `json:"bans"`
	Standing int   `json:"standing"`
	// Decisions are the recorded ones, newest first, with their evidence.
	Decisions []Decision `json:"decisions"`
	// Jails say how far the prefix is from a ban, one for each jail that
	// remembers it, twenty at most; Windows is how many there are.
	Jails   []WhyJail `json:"jails"`
	Windows int       `json:"windows"`
	// Strikes are its earlier bans that still count, oldest first.
	Strikes []Strike `json:"strikes"`
	// Guards are what keeps it from being banned.
	Guards []Guard `json:"guards"`
	// Forgotten is what was known of its neighbourhoods and made room for others, the
	// most attempts first.
	Forgotten []Forgotten `json:"forgotten,omitempty"`
	// Trunks are never banned on evidence that anybody could have sent.
	Trunks []Guard `json:"trunks,omitempty"`
	// Held are its bans that wait for room, twenty at most; Waiting is how many there are.
	Held    []Held `json:"held,omitempty"`
	Waiting int    `json:"waiting,omitempty"`
	// Known are the accounts that were opened from there, twenty at most, the last
	// one first; Pairs is how many there are.
	Known []KnownGood `json:"known_good,omitempty"`
	Pairs int         `json:"known_good_pairs,omitempty"`
	// Effect says that evidence kept coming after enforcement, and the
	// likely causes; empty where all is well.
	Effect string `json:"effect,omitempty"`
}

// WhyJail is the open window of a prefix in one jail, and what would follow.
type WhyJail struct {
	Jail string `json:"jail"`
	// Prefix is what the jail watches, which may be wider than what was
	// asked for.
	Prefix netip.Prefix `json:"prefix"`
	// Account is what is watched, alone or with Prefix, in jails that group by
	// it.
	Account string `json:"account,omitempty"`
	// Attempts of MaxRetry within FindTime.
	Attempts int    `json:"attempts"`
	MaxRetry int    `json:"max_retry"`
	FindTime string `json:"find_time"`
	// First and Last are when the oldest and the newest of the attempts were made; each counts
	// for FindTime. They are null where there are none.
	First *time.Time `json:"first"`
	Last  *time.Time `json:"last"`
	// Peers of Distinct different addresses, or accounts, took part, in jails that ask for
	// several.
	Peers    int `json:"peers,omitempty"`
	Distinct int `json:"distinct,omitempty"`
	// KnownGood of KnownGoodBar attempts were on accounts that had been opened from there;
	// they are none of Attempts.
	KnownGood    int `json:"known_good,omitempty"`
	KnownGoodBar int `json:"known_good_bar,omitempty"`
	// Unanswered of MaxChallenges requests for credentials were followed by no
	// login.
	Unanswered    int `json:"unanswered,omitempty"`
	MaxChallenges int `json:"max_challenges,omitempty"`
	// Witnesses are the sums of which, for each service, the largest counts.
	Witnesses []Witness `json:"witnesses"`
	// Next is the sentence of the next ban ("20m", "forever"), NextStrike
	// its number.
	Next       string `json:"next"`
	NextStrike int    `json:"next_strike"`
	// Ladder is Next and the two sentences after it, without jitter.
	Ladder []string `json:"ladder"`
	// Simulate says that the jail enforces nothing.
	Simulate bool `json:"simulate,omitempty"`
	// Evidence are the last lines, through [Safe]; After is how many lines
	// came after a ban and did not count.
	Evidence []string `json:"evidence,omitempty"`
	After    int      `json:"after,omitempty"`
}

// Witness is what one channel of a daemon said through one source: of those of one service
// the largest number of attempts counts.
type Witness struct {
	Service  string `json:"service"`
	Witness  string `json:"witness"`
	Source   string `json:"source"`
	Attempts int    `json:"attempts"`
	// Lines are what the attempts were merged from.
	Lines int `json:"lines"`
}

// WitnessesOf returns the sums as the API shows them.
func WitnessesOf(sums []decide.Sum) []Witness {
	out := []Witness{}
	for _, s := range sums {
		out = append(out, Witness{Service: s.Service, Witness: s.Witness, Source: s.Origin, Attempts: s.Attempts, Lines: s.Lines})
	}
	return out
}

// KnownGood is an account that was opened from an address.
type KnownGood struct {
	Prefix  netip.Prefix `json:"prefix"`
	Account string       `json:"account"` // through [Safe]
	Last    time.Time    `json:"last"`
}

// Strike is one earlier ban.
type Strike struct {
	Jail  string     `json:"jail"`
	At    time.Time  `json:"at"`
	Until *time.Time `json:"until"`
}
