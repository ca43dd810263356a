package admin

import (
	"net/netip"
	"time"

	"bailiff/decide"
)

// JailStatus is how one jail fares. Scripts rely on the names.
type JailStatus struct {
	Name  string   `json:"name"`
	Packs []string `json:"packs"`
	// Since is when the oldest of the totals began to be counted; nil: nothing has
	// been.
	Since  *time.Time `json:"since"`
	Failed JailFailed `json:"failed"`
	Banned JailBanned `json:"banned"`
	Rates  JailRates  `json:"rates"`
	// Rules are those that ever brought anything, busiest first.
	Rules  []JailRule `json:"rules"`
	Policy JailPolicy `json:"policy"`
	// Warnings are sentences about what is wrong now.
	Warnings []string `json:"warnings"`
}

// JailFailed is what a jail was told of.
type JailFailed struct {
	// Open is how many windows hold attempts now.
	Open int `json:"open"`
	// Matches are all failures and challenges; of them During came during a ban
	// and Late after their window.
	Matches uint64 `json:"matches"`
	During  uint64 `json:"during"`
	Late    uint64 `json:"late"`
	// Sources are those whose lines it counts, origins by "origin NAME".
	Sources []string `json:"sources"`
	// Unheard matches were not counted because of their sender (sources, min_trust)
	// since the start, Name being the source.
	Unheard []Count `json:"unheard"`
	// Idle matches were not counted because the jail was paused, since the start.
	Idle uint64 `json:"idle,omitempty"`
}

// JailBanned is what a jail decided.
type JailBanned struct {
	// Standing is how many bans are in force, List whom they are of.
	Standing int            `json:"standing"`
	List     []netip.Prefix `json:"list"`
	// Held bans wait for room now.
	Held int `json:"held"`
	// Total bans were decided, of them Simulated not to be enforced and Operator
	// by hand; Lifted of them were ended by an operator who named them.
	Total     uint64 `json:"total"`
	Simulated uint64 `json:"simulated"`
	Operator  uint64 `json:"operator"`
	Lifted    uint64 `json:"lifted"`
}

// JailRates are how many matches and bans there were lately, by the clock of the
// daemon and since its start.
type JailRates struct {
	Minute JailRate `json:"minute"`
	Hour   JailRate `json:"hour"`
	Day    JailRate `json:"day"`
}

// JailRate is what was counted within some time.
type JailRate struct {
	Matches uint64 `json:"matches"`
	Bans    uint64 `json:"bans"`
}

// JailRule is what one rule brought in one jail.
type JailRule struct {
	Rule    string `json:"rule"`
	Matches uint64 `json:"matches"`
	Bans    uint64 `json:"bans"`
	Held    uint64 `json:"held"`
	// Lifted bans were ended by an operator. RecentBans and RecentLifted are
	// those of the last 30 days.
	Lifted       uint64 `json:"lifted"`
	RecentBans   uint64 `json:"recent_bans"`
	RecentLifted uint64 `json:"recent_lifted"`
}

// RuleScore is what one rule brought in one of the jails.
type RuleScore struct {
	Jail string `json:"jail"`
	JailRule
}

// JailPolicy is what holds in a jail, spelled as in the configuration.
type JailPolicy struct {
	MaxRetry      int    `json:"max_retry"`
	FindTime      string `json:"find_time"`
	MaxChallenges int    `json:"max_challenges"`
	// BanTime is the first step of Ladder, without jitter.
	BanTime          string        `json:"ban_time"`
	Ladder           []string      `json:"ladder"`
	RepeatMaxRetry   int           `json:"repeat_max_retry,omitempty"`
	GroupBy          string        `json:"group_by"`
	Distinct         int           `json:"distinct,omitempty"`
	Ports            []decide.Port `json:"ports"`
	Verdict          string        `json:"verdict"`
	Simulate         bool          `json:"simulate"`
	Sources          []string      `json:"sources"`
	MinTrust         string        `json:"min_trust"`
	Spoofable        string        `json:"spoofable"`
	SpoofableBanTime string        `json:"spoofable_ban_time"`
	KnownGoodFactor  int           `json:"known_good_factor"`
	PromoteAfter     int           `json:"promote_after"`
	Promote4         bool          `json:"promote4"`
	Canaries         []string      `json:"canary,omitempty"`
}
