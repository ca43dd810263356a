package daemon

import (
	"context"
	"net/netip"
	"time"

	"bailiff/cmd/internal/admin"
	"bailiff/config"
	"bailiff/decide"
)

// keptDecisions is how many recorded decisions an explanation shows.
const keptDecisions = 20

// why explains a prefix: evidence, counts, strikes, sentence, effect.
func (d *daemon) why(ctx context.Context, p netip.Prefix) (admin.Why, error) {
	var x decide.Explanation
	if err := d.pipe.ask(ctx, func() { x = d.pipe.engine.Explain(p, time.Now()) }); err != nil {
		return admin.Why{}, err
	}
	bans, err := d.show(ctx, x.Bans)
	if err != nil {
		return admin.Why{}, err
	}
	out := admin.Why{
		Prefix: p, Banned: len(bans) > 0, Bans: bans, Standing: x.Standing, Windows: x.Windows, Waiting: x.Waiting, Pairs: x.Pairs,
		Decisions: []admin.Decision{}, Jails: []admin.WhyJail{}, Strikes: []admin.Strike{}, Guards: guardsOf(x.Guards), Trunks: guardsOf(x.Trunks),
	}
	record, err := d.store.Record(p, keptDecisions)
	if err != nil {
		return admin.Why{}, err
	}
	for i := range record {
		out.Decisions = append(out.Decisions, admin.DecisionOf(&record[i]))
	}
	for i := range x.Jails {
		out.Jails = append(out.Jails, whyJail(&x.Jails[i]))
	}
	for _, s := range x.Strikes {
		out.Strikes = append(out.Strikes, admin.Strike{Jail: s.Jail, At: s.At, Until: timeOf(s.Until)})
	}
	for i := range x.Held {
		out.Held = append(out.Held, admin.Held{Ban: admin.BanOf(&x.Held[i].Decision), Why: x.Held[i].Why})
	}
	for _, f := range x.Forgotten[:min(len(x.Forgotten), keptDecisions)] {
		out.Forgotten = append(out.Forgotten, admin.Forgotten(f))
	}
	for _, k := range x.Known {
		out.Known = append(out.Known, admin.KnownGood{Prefix: k.Prefix, Account: admin.Safe(k.Account), Last: k.Last})
	}
	out.Effect = effect(bans)
	return out, nil
}

func guardsOf(guards []decide.Guard) []admin.Guard {
	out := []admin.Guard{}
	for _, g := range guards {
		out = append(out, admin.Guard{Prefix: g.Prefix, Reason: g.Why})
	}
	return out
}

// timeOf makes the zero time null.
func timeOf(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func whyJail(v *decide.JailView) admin.WhyJail {
	out := admin.WhyJail{
		Prefix: v.Prefix, Account: admin.Safe(v.Account), Jail: v.Jail, Simulate: v.Simulate,
		Attempts: v.Attempts, MaxRetry: v.MaxRetry, FindTime: config.FormatDuration(v.FindTime), First: timeOf(v.First), Last: timeOf(v.Last),
		Peers: v.Peers, Distinct: v.Distinct, Unanswered: v.Unanswered, MaxChallenges: v.MaxChallenges,
		Witnesses: admin.WitnessesOf(v.Sums), NextStrike: v.NextStrike, After: v.After,
	}
	if v.KnownGood > 0 {
		out.KnownGood, out.KnownGoodBar = v.KnownGood, v.KnownGoodBar
	}
	for _, step := range v.Ladder {
		out.Ladder = append(out.Ladder, config.FormatDuration(step))
	}
	if len(out.Ladder) > 0 {
		out.Next = out.Ladder[0]
	}
	for _, line := range v.Evidence {
		out.Evidence = append(out.Evidence, admin.Safe(line))
	}
	return out
}

// effect says so when lines kept coming that a ban should have prevented, and what the
// counters of the kernel say of the cause.
func effect(bans []admin.Ban) string {
	for i := range bans {
		b := &bans[i]
		switch {
		case b.Leaks == 0:
		case b.Packets == 0:
			return "attempts kept being logged after the ban was enforced, and no packet of this source has reached it: bailiff is not in the path " +
				"of the traffic, or NAT or a proxy hides the true source"
		case len(b.Ports) > 0:
			return "attempts kept being logged after the ban was enforced, which refuses the ports of the service alone: the service may listen on another port"
		default:
			return "attempts kept being logged after the ban was enforced, although it refuses packets of this source: part of its traffic may come another way"
		}
	}
	return ""
}
