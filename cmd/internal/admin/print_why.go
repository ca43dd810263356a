package admin

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Why writes the explanation of one prefix: how it stands, and for every recorded decision the
// evidence, the rule, the counts, the strike, the sentence and its effect; then what is
// still open against it, and what it did before. Of a network that many addresses are in, what
// happened inside is a line each.
func (p *Printer) Why(w *Why, now time.Time) error {
	var b bytes.Buffer
	if w.unknown() {
		fmt.Fprintf(&b, "%s is not banned, and nothing is known of it\n", p.paint(bold, ShortPrefix(w.Prefix)))
		return p.flush(&b)
	}
	p.whyVerdict(&b, w, now)
	var within []*Decision
	for i := range w.Decisions {
		if d := &w.Decisions[i]; w.inside(d) {
			within = append(within, d)
		} else {
			p.whyDecision(&b, w, d, now)
		}
	}
	if w.wide() {
		p.whyInside(&b, w, within, now)
	} else {
		p.whyJails(&b, w.Jails, now)
		if more := w.Windows - len(w.Jails); more > 0 {
			fmt.Fprintf(&b, "\n%s more in which fewer lines stand\n", plural(more, "window"))
		}
	}
	p.whyForgotten(&b, w, now)
	p.whyStrikes(&b, w, now)
	p.whyKnown(&b, w, now)
	return p.flush(&b)
}

// unknown says that there is nothing to tell.
func (w *Why) unknown() bool {
	return len(w.Decisions)+len(w.Bans)+len(w.Jails)+len(w.Strikes)+len(w.Guards)+len(w.Trunks)+len(w.Held)+len(w.Known)+len(w.Forgotten) == 0
}

// wide says that the prefix is more than what is counted and banned as one: an
// address, or a /64.
func (w *Why) wide() bool {
	return !w.Prefix.IsSingleIP() && (w.Prefix.Addr().Is4() || w.Prefix.Bits() != 64)
}

// inside says that a decision is about a part of a wide prefix.
func (w *Why) inside(d *Decision) bool { return w.wide() && d.Prefix.Bits() > w.Prefix.Bits() }

// whyVerdict says how the prefix stands, what is wrong with that, and what protects it.
func (p *Printer) whyVerdict(b *bytes.Buffer, w *Why, now time.Time) {
	name := p.paint(bold, ShortPrefix(w.Prefix))
	whole, inside := 0, w.Standing-len(w.Bans)
	for i := range w.Bans {
		ban := &w.Bans[i]
		if ban.Prefix.Bits() > w.Prefix.Bits() {
			inside++
			continue
		}
		whole++
		verb := p.paint(red, "is banned")
		if ban.Simulated {
			verb = p.paint(yellow, "would be banned") + " (simulated)"
		}
		by := inJail(ban.Jail)
		if ban.Jail == "" {
			by = " by " + ban.Origin
		}
		if ban.Prefix != w.Prefix {
			by += " with " + ShortPrefix(ban.Prefix)
		}
		if ban.Until != nil {
			by += " until"
		}
		fmt.Fprintf(b, "%s %s%s %s\n", name, verb, by, end(ban.Until, now))
	}
	switch {
	case inside == 1:
		fmt.Fprintf(b, "%s stands inside %s\n", p.paint(red, "1 ban"), name)
	case inside > 0:
		fmt.Fprintf(b, "%s stand inside %s\n", p.paint(red, plural(inside, "ban")), name)
	case whole == 0:
		fmt.Fprintf(b, "%s %s\n", name, p.paint(green, "is not banned"))
	}
	if w.Effect != "" {
		fmt.Fprintf(b, "%s %s\n", p.paint(yellow, "without effect:"), Safe(w.Effect))
	}
	for i := range w.Held {
		h := &w.Held[i]
		fmt.Fprintf(b, "%s a ban of %s%s waits for room: %s\n", p.paint(yellow, "held:"), ShortPrefix(h.Prefix), inJail(h.Jail), Safe(h.Why))
	}
	if more := w.Waiting - len(w.Held); more > 0 {
		fmt.Fprintf(b, "%s %d more (bailiff held)\n", p.paint(yellow, "held:"), more)
	}
	for _, g := range w.Guards {
		fmt.Fprintf(b, "guarded by %s (%s)\n", ShortPrefix(g.Prefix), Safe(g.Reason))
	}
	for _, g := range w.Trunks {
		fmt.Fprintf(b, "trunk %s (%s): spoofable evidence alone does not ban it\n", ShortPrefix(g.Prefix), Safe(g.Reason))
	}
	lifted := 0
	for i := range w.Decisions {
		if d := &w.Decisions[i]; d.Action == "lift" && d.Origin == "operator" {
			lifted++
		}
	}
	if lifted > 0 {
		fmt.Fprintf(b, "an operator lifted %s of it, as shown below\n", plural(lifted, "ban"))
	}
}

// whyDecision writes one recorded decision.
func (p *Printer) whyDecision(b *bytes.Buffer, w *Why, d *Decision, now time.Time) {
	about := ""
	if d.Prefix.IsValid() {
		about = " of " + ShortPrefix(d.Prefix)
	}
	fmt.Fprintf(b, "\n%s  %s%s%s\n", clock(d.At, now), d.Action, about, inJail(d.Jail))
	if d.Action == "lift" {
		p.field(b, "rule", d.Rule) // that of the ban
		p.field(b, "origin", d.Origin)
		p.field(b, "reason", d.Reason)
		return
	}
	p.field(b, "evidence", d.Evidence...)
	p.field(b, "rule", d.Rule)
	if d.Attempts > 0 {
		p.field(b, "counts", counts(plural(d.Attempts, "attempt"), d.Attempts, d.Witnesses)...)
	}
	p.field(b, "reason", d.Reason)
	if d.Strike > 0 {
		p.field(b, "strike", fmt.Sprint(d.Strike))
	}
	if d.Action == "ban" {
		p.field(b, "sentence", w.sentence(d, now))
	}
	if d.Origin != "rules" {
		p.field(b, "origin", d.Origin)
	}
	for i := range w.Bans {
		ban := &w.Bans[i]
		if d.Action != "ban" || d.Simulated || ban.Prefix != d.Prefix || ban.Jail != d.Jail || !ban.Since.Equal(d.At) {
			continue
		}
		effect := traffic(ban.Packets, ban.Bytes) + " refused"
		if ban.Leaks > 0 {
			effect += "; " + plural(ban.Leaks, "line") + " came all the same"
		}
		p.field(b, "effect", effect)
	}
}

// sentence says how long a ban lasts, and what is special about it.
func (w *Why) sentence(d *Decision, now time.Time) string {
	out := term(d.At, d.Until)
	switch ended := w.endedEarly(d); {
	case ended != nil:
		out += ", lifted at " + clock(*ended, now)
	case d.Until != nil:
		out += ", until " + end(d.Until, now)
	}
	switch {
	case d.Simulated:
		out += ", simulated"
	case d.Spoofable:
		out += ", short: somebody else could have sent it"
	case d.Spent:
		out += ", over before it was decided"
	}
	return out
}

// endedEarly returns when a ban was lifted before its end; nil if it was not, or if
// what is shown does not tell.
func (w *Why) endedEarly(d *Decision) *time.Time {
	var ended *time.Time
	for i := range w.Decisions {
		l := &w.Decisions[i]
		over := d.Until != nil && !l.At.Before(*d.Until)
		if l.Action == "lift" && l.Prefix == d.Prefix && l.Jail == d.Jail && l.At.After(d.At) && !over && (ended == nil || l.At.Before(*ended)) {
			ended = &l.At
		}
	}
	return ended
}

// counts says how many attempts there are, and how many lines were merged into them, by
// witness where that is not one line each.
func counts(total string, attempts int, witnesses []Witness) []string {
	lines := 0
	for _, w := range witnesses {
		lines += w.Lines
	}
	if lines == 0 || len(witnesses) == 1 && lines == attempts {
		return []string{total}
	}
	out := []string{fmt.Sprintf("%s, merged from %s", total, plural(lines, "line"))}
	for _, w := range witnesses {
		out = append(out, fmt.Sprintf("%s: %s in %s of witness %s through %s", w.Service, plural(w.Attempts, "attempt"), plural(w.Lines, "line"), w.Witness, w.Source))
	}
	return out
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

// whyJails writes the open windows; lines that several hold stand once.
func (p *Printer) whyJails(b *bytes.Buffer, jails []WhyJail, now time.Time) {
	shown := map[string]string{}
	for i := range jails {
		j := &jails[i]
		lines := strings.Join(j.Evidence, "\n")
		where, again := shown[lines]
		if !again {
			shown[lines] = j.Jail
		}
		evidence := j.Evidence
		if again && len(j.Evidence) > 1 {
			evidence = []string{"as in " + where}
		}
		p.whyJail(b, j, evidence, now)
	}
}

// whyJail writes the open window of one jail.
func (p *Printer) whyJail(b *bytes.Buffer, j *WhyJail, evidence []string, now time.Time) {
	simulated := ""
	if j.Simulate {
		simulated = ", which only simulates"
	}
	fmt.Fprintf(b, "\n%s is watched by %s%s\n", j.watched(), j.Jail, simulated)
	p.field(b, "evidence", evidence...)
	p.field(b, "counts", counts(fmt.Sprintf("%d of %d attempts within %s", j.Attempts, j.MaxRetry, j.FindTime), j.Attempts, j.Witnesses)...)
	if j.Distinct > 1 {
		p.field(b, "distinct", fmt.Sprintf("%d of %d different", j.Peers, j.Distinct))
	}
	if j.KnownGood > 0 {
		p.field(b, "known good", fmt.Sprintf("%d of %d attempts on accounts that are known good there", j.KnownGood, j.KnownGoodBar))
	}
	if j.Unanswered > 0 {
		p.field(b, "unanswered", fmt.Sprintf("%d of %s", j.Unanswered, plural(j.MaxChallenges, "challenge")))
	}
	p.field(b, "time", j.time(now))
	if j.After > 0 {
		p.field(b, "after ban", plural(j.After, "line")+" that did not count")
	}
	p.field(b, "next", j.next())
}

// time says when the attempts were made, and how long the first and the last of them count.
func (j *WhyJail) time(now time.Time) string {
	if j.First == nil || j.Last == nil {
		return ""
	}
	out := clock(*j.First, now)
	if last := clock(*j.Last, now); last != out {
		out += " to " + last
	}
	if left := j.leaves(*j.First, now); left != "" {
		out += "; the first counts for " + left
		if last := j.leaves(*j.Last, now); last != left {
			out += ", the last for " + last
		}
	}
	return out
}

// next spells the sentences that would follow.
func (j *WhyJail) next() string {
	out := fmt.Sprintf("strike %d, %s", j.NextStrike, j.Next)
	if len(j.Ladder) > 1 && j.Ladder[1] != j.Next {
		out += "; then " + strings.Join(slices.Compact(slices.Clone(j.Ladder[1:])), ", ")
	}
	return out
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

// whyKnown writes who logged in from there.
func (p *Printer) whyKnown(b *bytes.Buffer, w *Why, now time.Time) {
	if len(w.Known) == 0 {
		return
	}
	b.WriteString("\nknown good there\n")
	for i := range w.Known {
		k := &w.Known[i]
		from := ""
		if k.Prefix != w.Prefix {
			from = " from " + ShortPrefix(k.Prefix)
		}
		fmt.Fprintf(b, "  %s, who logged in last at %s%s\n", Safe(k.Account), clock(k.Last, now), from)
	}
	if more := w.Pairs - len(w.Known); more > 0 {
		fmt.Fprintf(b, "  and %d more\n", more)
	}
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
