package admin

import (
	"fmt"
	"net/netip"
	"time"

	"bailiff/decide"
)

func sampleWhy() Why {
	d := sampleDecision()
	d.Sums = []decide.Sum{{Service: "ssh", Witness: "pam", Origin: "journald", Attempts: 4, Lines: 4}, {Service: "ssh", Witness: "verdict", Origin: "udp pbx", Attempts: 5, Lines: 5}}
	lift := decide.Decision{Action: decide.Lift, Prefix: d.Prefix, At: at.Add(-time.Hour), Jail: "sshd", Rule: d.Rule, Origin: "operator", Reason: "my own\ncolleague"}
	before := sampleDecision()
	before.At, before.Until, before.Evidence = lift.At.Add(-time.Minute), lift.At.Add(time.Hour), nil
	network := sampleDecision()
	network.Prefix, network.Jail, network.Attempts, network.Reason = netip.MustParsePrefix("203.0.113.0/24"), "slow", 0, "3 of its /32 are banned"
	network.At, network.Until, network.Evidence = at.Add(-time.Minute), time.Time{}, nil
	end, first := at.Add(-48*time.Hour), at.Add(-40*time.Second)
	bans := sampleBans()[:1]
	bans[0].Leaks = 3
	return Why{
		Prefix: d.Prefix, Banned: true, Bans: append(bans, BanOf(&network)), Standing: 2,
		Decisions: []Decision{DecisionOf(&d), DecisionOf(&network), DecisionOf(&lift), DecisionOf(&before)},
		Jails: []WhyJail{
			{
				Jail: "pbx", Prefix: d.Prefix, Attempts: 3, MaxRetry: 5, FindTime: "60s", Next: "20m", NextStrike: 2, Ladder: []string{"20m", "40m", "1h20m"},
				Evidence: []string{"Registration from '\u2066x' failed", "again"}, After: 4, First: &first, Last: &at, KnownGood: 2, KnownGoodBar: 20,
				Witnesses: []Witness{{"sip", "notice", "udp:127.0.0.1:5514", 3, 6}, {"sip", "security", "journald", 2, 2}}, Unanswered: 1, MaxChallenges: 30,
			},
			{
				Evidence: []string{"Registration from '\u2066x' failed", "again"},
				Jail:     "accounts", Account: "root", Attempts: 12, MaxRetry: 20, FindTime: "1h", Next: "forever", NextStrike: 1, Ladder: []string{"forever", "forever", "forever"},
				First: &at, Last: &at, Peers: 4, Distinct: 5, Simulate: true,
			},
			{Jail: "empty", Prefix: d.Prefix, MaxRetry: 5, FindTime: "10m", Next: "10m", NextStrike: 1, Ladder: []string{"10m", "10m", "10m"}},
		},
		Windows: 4,
		Strikes: []Strike{{Jail: "sshd", At: end.Add(-10 * time.Minute), Until: &end}, {Jail: "sshd", At: d.At, Until: &d.Until}},
		Guards:  []Guard{{netip.MustParsePrefix("203.0.113.0/24"), "never_ban"}},
		Forgotten: []Forgotten{
			{"pbx", netip.MustParsePrefix("203.0.113.0/24"), 231, 2, 229, at.Add(-3 * time.Minute), at},
			{"sshd", netip.MustParsePrefix("203.0.113.0/24"), 1, 1, 0, at, at},
		},
		Trunks: []Guard{{d.Prefix, "sip.example.net"}},
		Held:   []Held{{Ban{Prefix: d.Prefix, Jail: "pbx"}, "rule asterisk/wrong-password has made 60 bans within a minute"}}, Waiting: 2,
		Known: []KnownGood{{d.Prefix, "alice", end}}, Pairs: 3,
		Effect: "3 lines came after it; is bailiff in the path of the traffic?",
	}
}

// wideWhy is a network in which much happened.
func wideWhy() Why {
	w := Why{Prefix: netip.MustParsePrefix("203.0.113.0/24"), Banned: true, Standing: 250, Windows: 22}
	for i := range 25 {
		d := sampleDecision()
		d.Prefix = netip.MustParsePrefix(fmt.Sprintf("203.0.113.%d/32", i))
		w.Bans = append(w.Bans, BanOf(&d))
		if i < 2 {
			d.At = at.Add(-time.Duration(i) * 24 * time.Hour)
			w.Decisions = append(w.Decisions, DecisionOf(&d))
			w.Jails = append(w.Jails, WhyJail{Jail: "pbx", Prefix: d.Prefix, Attempts: 3 - 3*i, MaxRetry: 5, FindTime: "60s", Next: "20m", NextStrike: 2})
		}
	}
	w.Jails[0].First, w.Jails[0].Last = &at, &at
	w.Known = []KnownGood{{netip.MustParsePrefix("203.0.113.77/32"), "alice", at}}
	w.Pairs = 1
	return w
}
