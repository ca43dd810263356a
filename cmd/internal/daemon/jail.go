package daemon

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"bailiff/cmd/internal/admin"
	"bailiff/config"
	"bailiff/decide"
	"bailiff/store"
)

// ladderSteps is how many sentences the status of a jail shows.
const ladderSteps = 5

// jailStatusOf tells how one jail fares.
func (d *daemon) jailStatusOf(ctx context.Context, name string) (admin.JailStatus, error) {
	now := time.Now()
	s := admin.JailStatus{Name: name, Warnings: []string{}}
	var refusal error
	err := d.pipe.ask(ctx, func() {
		jails := d.law.decide.Jails
		i := slices.IndexFunc(jails, func(j decide.Jail) bool { return j.Name == name })
		if i < 0 {
			var names []string
			for j := range jails {
				names = append(names, jails[j].Name)
			}
			refusal = admin.Refuse(http.StatusBadRequest, "the jails are: "+strings.Join(names, " "), "there is no jail %q", name)
			return
		}
		d.jailFacts(&s, &jails[i], now)
	})
	if err == nil {
		err = refusal
	}
	if err != nil {
		return s, err
	}
	scores, err := d.store.Scores(now)
	if err != nil { // what is not on record is told all the same
		s.Warnings = append(s.Warnings, "the totals cannot be read: "+err.Error())
	}
	addScores(&s, slices.DeleteFunc(scores, func(o store.Score) bool { return o.Jail != name }))
	return s, nil
}

// jailFacts tells what the judge knows of a jail. It runs on the judge, and so what is
// counted is on record.
func (d *daemon) jailFacts(s *admin.JailStatus, j *decide.Jail, now time.Time) {
	e := d.pipe.engine
	docket, _ := e.Docket(j.Name)
	s.Packs = j.Packs
	s.Failed = admin.JailFailed{Open: docket.Open, Sources: d.heard(j), Unheard: []admin.Count{}, Idle: docket.Idle}
	for source, n := range docket.Unheard {
		s.Failed.Unheard = append(s.Failed.Unheard, admin.Count{Name: source, N: n})
	}
	slices.SortFunc(s.Failed.Unheard, func(a, b admin.Count) int { return cmp.Compare(a.Name, b.Name) })
	s.Banned.List = []netip.Prefix{}
	for _, b := range e.Bans(now) {
		if b.Jail == j.Name {
			s.Banned.List = append(s.Banned.List, b.Prefix)
		}
	}
	s.Banned.Standing = len(s.Banned.List)
	for _, h := range e.Held() {
		if h.Jail == j.Name {
			s.Banned.Held++
		}
	}
	for _, o := range spelled(e.Orders(now)) {
		if o.Jail == "" || o.Jail == j.Name {
			s.Warnings = append(s.Warnings, pauses([]admin.Order{o})...)
		}
	}
	rate := d.pipe.rates.of(j.Name)
	for i, r := range []*admin.JailRate{&s.Rates.Minute, &s.Rates.Hour, &s.Rates.Day} {
		r.Matches, r.Bans = rate.matches[i].sum(now), rate.bans[i].sum(now)
	}
	s.Policy = policyOf(&d.law.decide.Escalation, j)
}

// heard are the sources and origins whose matches a jail counts.
func (d *daemon) heard(j *decide.Jail) []string {
	out := []string{}
	for _, k := range d.sources {
		name := k.source.Name()
		feeds := k.account.packs == nil || slices.ContainsFunc(j.Packs, func(p string) bool { return slices.Contains(k.account.packs, p) })
		if feeds && (len(j.Sources) == 0 || slices.Contains(j.Sources, name)) {
			out = append(out, name)
		}
	}
	for i := range d.opt.Config.Origins {
		if name := d.opt.Config.Origins[i].Name; slices.Contains(j.Sources, name) {
			out = append(out, "origin "+name)
		}
	}
	return out
}

func policyOf(e *decide.Escalation, j *decide.Jail) admin.JailPolicy {
	p := admin.JailPolicy{
		MaxRetry: j.MaxRetry, FindTime: config.FormatDuration(j.FindTime), MaxChallenges: j.MaxChallenges, BanTime: config.FormatDuration(j.BanTime),
		RepeatMaxRetry: j.RepeatMaxRetry, GroupBy: j.GroupBy.String(), Distinct: j.Distinct, Ports: append([]decide.Port{}, j.Ports...),
		Verdict: "drop", Simulate: j.Simulate, Sources: append([]string{}, j.Sources...), MinTrust: j.MinTrust.String(),
		Spoofable: []string{"short", "alarm", "full"}[j.Spoofable], SpoofableBanTime: config.FormatDuration(j.SpoofableBan),
		KnownGoodFactor: j.KnownGoodFactor, PromoteAfter: j.PromoteAfter, Promote4: j.Promote4, Canaries: j.Canaries,
	}
	if j.Verdict == decide.Reject {
		p.Verdict = "reject"
	}
	for _, step := range e.Ladder(j, ladderSteps) {
		p.Ladder = append(p.Ladder, config.FormatDuration(step))
	}
	return p
}

// addScores fills in what is counted over all restarts.
func addScores(s *admin.JailStatus, scores []store.Score) {
	s.Warnings = append(s.Warnings, doubtful(scores)...)
	s.Rules = []admin.JailRule{}
	for i := range scores {
		n := &scores[i]
		if s.Since == nil || n.At.Before(*s.Since) {
			s.Since = &n.At
		}
		s.Failed.Matches += n.Matches
		s.Failed.During += n.During
		s.Failed.Late += n.Late
		s.Banned.Total += n.Bans
		s.Banned.Simulated += n.Simulated
		s.Banned.Lifted += n.Lifted
		if n.Rule == "" {
			s.Banned.Operator += n.Bans
			continue
		}
		s.Rules = append(s.Rules, jailRule(n))
	}
	slices.SortStableFunc(s.Rules, func(a, b admin.JailRule) int { return cmp.Compare(b.Matches, a.Matches) })
}

func jailRule(n *store.Score) admin.JailRule {
	return admin.JailRule{
		Rule: n.Rule, Matches: n.Matches, Bans: n.Bans, Held: n.Held, Lifted: n.Lifted, RecentBans: n.Lately.Bans, RecentLifted: n.Lately.Lifted,
	}
}

// ruleStatus tells what the rules of the jails brought that s names, and of which to beware.
func (d *daemon) ruleStatus(s *admin.Status, now time.Time) {
	scores, err := d.store.Scores(now)
	if err != nil {
		s.Warnings = append(s.Warnings, "what each rule brought cannot be read: "+err.Error())
		return
	}
	scores = slices.DeleteFunc(scores, func(n store.Score) bool {
		return n.Rule == "" || !slices.ContainsFunc(s.Jails, func(j admin.Jail) bool { return j.Name == n.Jail })
	})
	for i := range scores {
		s.Rules = append(s.Rules, admin.RuleScore{Jail: scores[i].Jail, JailRule: jailRule(&scores[i])})
	}
	s.Warnings = append(s.Warnings, doubtful(scores)...)
}

// doubtLifts is how many bans of a rule an operator must have lifted within 30 days for
// the rule to be doubtful.
const doubtLifts = 3

// doubtful warns of rules whose bans operators lift.
func doubtful(scores []store.Score) []string {
	var out []string
	for i := range scores {
		n := &scores[i]
		if n.Lately.Lifted < doubtLifts {
			continue
		}
		bans := max(n.Lately.Bans, n.Lately.Lifted) // one that was lifted may be older
		out = append(out, fmt.Sprintf("rule %s may ban the wrong people: an operator lifted %d of its %d bans in jail %s within 30 days; "+
			"bailiff why ADDRESS shows what it read; simulate the jail or disable the rule until it is right", n.Rule, n.Lately.Lifted, bans, n.Jail))
	}
	return out
}
