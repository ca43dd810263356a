package admin

import (
	"fmt"
	"net/netip"
	"time"

	"bailiff/decide"
)

func sampleJail() JailStatus {
	since := at.Add(-72 * time.Hour)
	s := JailStatus{
		Name: "sshd", Packs: []string{"sshd", "dropbear"}, Since: &since,
		Failed: JailFailed{
			Open: 3, Matches: 128, During: 4, Late: 1, Sources: []string{"journald", "udp://192.0.2.1:514"},
			Unheard: []Count{{Name: "udp://192.0.2.1:514", N: 7}}, Idle: 9,
		},
		Banned: JailBanned{Held: 1, Total: 24, Simulated: 2, Operator: 1, Lifted: 4},
		Rates:  JailRates{Minute: JailRate{1, 0}, Hour: JailRate{20, 3}, Day: JailRate{99, 22}},
		Rules: []JailRule{
			{Rule: "sshd/failed-password", Matches: 120, Bans: 20, Held: 1, Lifted: 4, RecentBans: 16, RecentLifted: 3},
			{Rule: "dropbear/bad-password", Matches: 8, Bans: 3},
		},
		Policy: JailPolicy{
			MaxRetry: 5, FindTime: "10m", MaxChallenges: 30, BanTime: "10m", Ladder: []string{"10m", "20m", "40m", "1h20m", "2h40m"}, RepeatMaxRetry: 2,
			GroupBy: "account", Distinct: 3, Ports: []decide.Port{{Proto: "tcp", Port: 22}, {Proto: "tcp", Port: 2222}}, Verdict: "reject",
			Sources: []string{"journald"}, MinTrust: "normal", Spoofable: "short", SpoofableBanTime: "10m", KnownGoodFactor: 4, PromoteAfter: 3, Canaries: []string{"admin"},
		},
		Warnings: []string{"rule sshd/failed-password may ban the wrong people"},
	}
	for i := range 26 {
		s.Banned.List = append(s.Banned.List, netip.MustParsePrefix(fmt.Sprintf("203.0.113.%d/32", i)))
	}
	s.Banned.Standing = len(s.Banned.List)
	return s
}

// emptyJail is one that has seen nothing yet.
func emptyJail() JailStatus {
	return JailStatus{
		Name: "lab", Packs: []string{"sshd"}, Failed: JailFailed{Sources: []string{"journald"}},
		Policy: JailPolicy{
			MaxRetry: 1, FindTime: "1d", BanTime: "forever", Ladder: []string{"forever", "forever"}, GroupBy: "address", Verdict: "drop", Simulate: true,
			MinTrust: "low", Spoofable: "alarm",
		},
	}
}
