package admin

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"bailiff/decide"
)

// shownBans is how many banned prefixes the status of a jail names.
const shownBans = 20

// Jail writes how one jail fares: its policy, what it was told of, whom it banned, how
// fast, and by which rules.
func (p *Printer) Jail(s *JailStatus, now time.Time) error {
	var b bytes.Buffer
	state := "bans"
	if s.Policy.Simulate {
		state = p.paint(yellow, "only simulates") + ": it would ban"
	}
	fmt.Fprintf(&b, "%s %s after %s within %s, %s\n", p.paint(bold, s.Name), state,
		plural(s.Policy.MaxRetry, "attempt"), s.Policy.FindTime, ladder(s.Policy.Ladder))
	for _, w := range s.Warnings {
		fmt.Fprintf(&b, "%s %s\n", p.paint(yellow, "warning:"), Safe(w))
	}

	b.WriteString("\nfailed\n")
	p.field(&b, "open", plural(s.Failed.Open, "window"))
	total := plural(s.Failed.Matches, "match")
	if s.Failed.Matches != 1 {
		total = fmt.Sprint(s.Failed.Matches, " matches")
	}
	if s.Since != nil {
		total += " since " + clock(*s.Since, now)
	}
	if s.Failed.During > 0 {
		total += fmt.Sprintf(", %d of them during a ban", s.Failed.During)
	}
	if s.Failed.Late > 0 {
		total += fmt.Sprintf(", %d older than the window", s.Failed.Late)
	}
	p.field(&b, "total", total)
	p.field(&b, "sources", list(s.Failed.Sources, "none"))
	var unheard []string
	for _, c := range s.Failed.Unheard {
		unheard = append(unheard, fmt.Sprintf("%d from %s, not counted because of their sender", c.N, c.Name))
	}
	p.field(&b, "unheard", unheard...)
	if s.Failed.Idle > 0 {
		p.field(&b, "idle", fmt.Sprintf("%d not counted because of a pause", s.Failed.Idle))
	}

	b.WriteString("\nbanned\n")
	standing := fmt.Sprint(s.Banned.Standing)
	if s.Banned.Held > 0 {
		standing += fmt.Sprintf(", and %d held (bailiff held)", s.Banned.Held)
	}
	p.field(&b, "standing", standing)
	p.field(&b, "total", s.Banned.total())
	p.field(&b, "addresses", prefixLines(s)...)

	b.WriteByte('\n')
	rates := [][]string{{"WITHIN", "A MINUTE", "AN HOUR", "A DAY"}, {"matches"}, {"bans"}}
	for _, r := range []JailRate{s.Rates.Minute, s.Rates.Hour, s.Rates.Day} {
		rates[1] = append(rates[1], fmt.Sprint(r.Matches))
		rates[2] = append(rates[2], fmt.Sprint(r.Bans))
	}
	p.table(&b, "", rates)

	if len(s.Rules) > 0 {
		b.WriteByte('\n')
		rows := [][]string{{"RULE", "MATCHES", "BANS", "HELD", "LIFTED BY AN OPERATOR"}}
		for i := range s.Rules {
			r := &s.Rules[i]
			rows = append(rows, []string{r.Rule, fmt.Sprint(r.Matches), fmt.Sprint(r.Bans), fmt.Sprint(r.Held), r.lifted()})
		}
		p.table(&b, "", rows)
	}

	b.WriteString("\npolicy\n")
	p.policy(&b, s)
	return p.flush(&b)
}

// policy writes what holds in the jail, leaving out what makes no difference.
func (p *Printer) policy(b *bytes.Buffer, s *JailStatus) {
	j := &s.Policy
	p.field(b, "packs", list(s.Packs, "none"))
	group := j.GroupBy
	if j.Distinct > 1 {
		group += fmt.Sprintf(", %d different", j.Distinct)
	}
	p.field(b, "group by", group)
	if j.MaxChallenges > 0 {
		p.field(b, "challenges", fmt.Sprintf("%d that no login followed", j.MaxChallenges))
	}
	if j.RepeatMaxRetry > 0 {
		p.field(b, "repeats", plural(j.RepeatMaxRetry, "attempt")+" of who was banned before")
	}
	p.field(b, "verdict", fmt.Sprintf("%s %s", j.Verdict, portList(j.Ports)))
	if j.KnownGoodFactor > 1 {
		p.field(b, "known good", fmt.Sprintf("%d attempts on an account that was opened from there", j.MaxRetry*j.KnownGoodFactor))
	}
	if j.PromoteAfter > 0 {
		promotes := fmt.Sprintf("the network of %d banned neighbours", j.PromoteAfter)
		if !j.Promote4 {
			promotes += ", of IPv6 alone"
		}
		p.field(b, "promotes", promotes)
	}
	spoofable := j.Spoofable
	if spoofable == "short" {
		spoofable += ", at most " + j.SpoofableBanTime
	}
	p.field(b, "spoofable", spoofable)
	heard := "all"
	if len(j.Sources) > 0 {
		heard = list(j.Sources, "")
	}
	p.field(b, "senders", fmt.Sprintf("%s, of at least %s trust", heard, j.MinTrust))
	if len(j.Canaries) > 0 {
		p.field(b, "canaries", list(j.Canaries, ""))
	}
}

// portList spells the ports that a ban is limited to.
func portList(ports []decide.Port) string {
	if len(ports) == 0 {
		return "all traffic"
	}
	var out []string
	for _, port := range ports {
		out = append(out, fmt.Sprintf("%s/%d", port.Proto, port.Port))
	}
	return strings.Join(out, " ")
}

// total says how many bans were decided, and what became of some.
func (n *JailBanned) total() string {
	out := []string{fmt.Sprint(n.Total)}
	for _, part := range []struct {
		n    uint64
		what string
	}{{n.Simulated, "simulated"}, {n.Operator, "by an operator"}, {n.Lifted, "lifted by an operator"}} {
		if part.n > 0 {
			out = append(out, fmt.Sprintf("%d %s", part.n, part.what))
		}
	}
	return strings.Join(out, ", ")
}

// lifted says how many bans of a rule were lifted, and what part of all that is.
func (r *JailRule) lifted() string {
	if r.Lifted == 0 {
		return "0"
	}
	out := fmt.Sprint(r.Lifted)
	if r.Bans >= r.Lifted {
		out += fmt.Sprintf(" (%.0f %%)", 100*float64(r.Lifted)/float64(r.Bans))
	}
	if r.RecentLifted > 0 {
		out += fmt.Sprintf(", %d within 30 days", r.RecentLifted)
	}
	return out
}

// prefixLines names the banned prefixes, a few a line, and says how many there are more.
func prefixLines(s *JailStatus) []string {
	var lines []string
	shown := s.Banned.List[:min(len(s.Banned.List), shownBans)]
	for i, prefix := range shown {
		if i%4 == 0 {
			lines = append(lines, ShortPrefix(prefix))
		} else {
			lines[len(lines)-1] += "  " + ShortPrefix(prefix)
		}
	}
	if more := len(s.Banned.List) - len(shown); more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more: bailiff list --jail %s", more, s.Name))
	}
	return lines
}

// ladder spells the sentences of a ladder.
func ladder(steps []string) string {
	if steps[0] == "forever" {
		return "until lifted"
	}
	for i, s := range steps {
		if i > 0 && s == steps[i-1] {
			return "for " + strings.Join(steps[:i], ", ") // as long as ever from here
		}
	}
	return "for " + strings.Join(steps, ", ") + ", …"
}

// list names things in one line, or says that there are none.
func list(names []string, none string) string {
	if len(names) == 0 {
		return none
	}
	return strings.Join(names, ", ")
}
