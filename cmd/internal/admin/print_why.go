package admin

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Why writes the explanation of one prefix: for every recorded decision the
// evidence, the rule, the count, the strike, the sentence and what the firewall
// refused since; then what is still open against it and what protects it.
func (p *Printer) Why(w *Why, now time.Time) error {
	var b bytes.Buffer
	verdict := p.paint(green, "is not banned")
	if w.Banned {
		verdict = p.paint(red, "is banned")
	}
	fmt.Fprintf(&b, "%s %s\n", p.paint(bold, ShortPrefix(w.Prefix)), verdict)
	if w.Effect != "" {
		fmt.Fprintf(&b, "%s %s\n", p.paint(yellow, "without effect:"), Safe(w.Effect))
	}
	for _, g := range w.Guards {
		fmt.Fprintf(&b, "guarded by %s (%s)\n", ShortPrefix(g.Prefix), g.Reason)
	}
	for i := range w.Decisions {
		p.whyDecision(&b, w, &w.Decisions[i], now)
	}
	for i := range w.Jails {
		p.whyJail(&b, &w.Jails[i])
	}
	p.whyForgotten(&b, w, now)
	p.whyStrikes(&b, w, now)
	if len(w.Decisions)+len(w.Jails)+len(w.Strikes)+len(w.Forgotten) == 0 {
		b.WriteString("nothing is known of it\n")
	}
	return p.flush(&b)
}

// whyStrikes writes the earlier bans, those that stand left out.
func (p *Printer) whyStrikes(b *bytes.Buffer, w *Why, now time.Time) {
	heading := "\nearlier bans\n"
	for _, s := range w.Strikes {
		if slices.ContainsFunc(w.Bans, func(ban Ban) bool { return ban.Jail == s.Jail && ban.Since.Equal(s.At) }) {
			continue
		}
		fmt.Fprintf(b, "%s  %s  %s%s\n", heading, clock(s.At, now), term(s.At, s.Until), inJail(s.Jail))
		heading = ""
	}
}

// whyDecision writes one recorded decision.
func (p *Printer) whyDecision(b *bytes.Buffer, w *Why, d *Decision, now time.Time) {
	fmt.Fprintf(b, "\n%s  %s of %s%s\n", clock(d.At, now), d.Action, ShortPrefix(d.Prefix), inJail(d.Jail))
	p.field(b, "evidence", d.Evidence...)
	p.field(b, "rule", d.Rule)
	if d.Attempts > 0 {
		p.field(b, "counts", plural(d.Attempts, "attempt"))
	}
	if d.Strike > 0 {
		p.field(b, "strike", fmt.Sprint(d.Strike))
	}
	if d.Action == "ban" {
		sentence := term(d.At, d.Until)
		if d.Until != nil {
			sentence += ", until " + end(d.Until, now)
		}
		switch {
		case d.Simulated:
			sentence += ", simulated"
		case d.Spoofable:
			sentence += ", short: somebody else could have sent it"
		case d.Spent:
			sentence += ", over before it was decided"
		}
		p.field(b, "sentence", sentence)
	}
	if d.Origin != "rules" {
		p.field(b, "origin", d.Origin)
	}
	p.field(b, "reason", d.Reason)
	for i := range w.Bans {
		if ban := &w.Bans[i]; d.Action == "ban" && ban.Prefix == d.Prefix && ban.Jail == d.Jail && ban.Since.Equal(d.At) {
			p.field(b, "refused", traffic(ban.Packets, ban.Bytes))
		}
	}
}

// watched names what the jail watches.
func (j *WhyJail) watched() string {
	switch {
	case j.Account == "":
		return ShortPrefix(j.Prefix)
	case !j.Prefix.IsValid():
		return "account " + Safe(j.Account)
	default:
		return ShortPrefix(j.Prefix) + " on account " + Safe(j.Account)
	}
}

// whyJail writes the open window of one jail.
func (p *Printer) whyJail(b *bytes.Buffer, j *WhyJail) {
	fmt.Fprintf(b, "\n%s is watched by %s\n", j.watched(), j.Jail)
	p.field(b, "evidence", j.Evidence...)
	p.field(b, "counts", fmt.Sprintf("%d of %d attempts within %s", j.Attempts, j.MaxRetry, j.FindTime))
	if j.Unanswered > 0 {
		p.field(b, "unanswered", fmt.Sprintf("%d of %s", j.Unanswered, plural(j.MaxChallenges, "challenge")))
	}
	var sums []string
	for _, w := range j.Witnesses {
		sums = append(sums, fmt.Sprintf("%s: %d by %s through %s", w.Service, w.Attempts, w.Witness, w.Source))
	}
	p.field(b, "witnesses", sums...)
	if j.After > 0 {
		p.field(b, "after ban", plural(j.After, "line")+" that did not count")
	}
	p.field(b, "next", fmt.Sprintf("strike %d, %s", j.NextStrike, j.Next))
}

// field writes a name and its values, one a line; nothing if all are empty.
func (p *Printer) field(b *bytes.Buffer, name string, values ...string) {
	if strings.Join(values, "") == "" {
		return
	}
	for _, v := range values {
		fmt.Fprintf(b, "  %s%s\n", p.paint(dim, fmt.Sprintf("%-11s", name)), Safe(v))
		name = ""
	}
}
