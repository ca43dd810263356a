package admin

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"
)

// shownSenders is how many senders fit on a screen.
const shownSenders = 20

// senders writes a row for each sender, those with a name first, and says how many
// there is no room for.
func (p *Printer) senders(b *bytes.Buffer, s *Status) {
	if len(s.Senders) == 0 {
		return
	}
	all := slices.Clone(s.Senders)
	slices.SortStableFunc(all, func(a, b Sender) int { return order(&a) - order(&b) })
	rows := [][]string{{"SENDER", "SOURCE", "TRUST", "LINES", "A MINUTE", "LAST", "DIALECT", "ZONE", "CLOCK", "LOST"}}
	for i := range all[:min(len(all), shownSenders)] {
		from := &all[i]
		rows = append(rows, []string{
			from.called(), from.Source, dash(from.Trust), fmt.Sprint(from.Lines), fmt.Sprintf("%.0f", from.PerMinute), clock(from.Last, s.Now),
			dash(strings.Join(from.Dialects, " ")), from.zone(), from.clock(), from.lost(),
		})
	}
	p.table(b, "", rows)
	if n := len(all) - shownSenders; n > 0 {
		fmt.Fprintf(b, "%s\n", p.Faint(plural(n, "more sender")+"; --json shows all"))
	}
	b.WriteByte('\n')
}

// order puts names first, and then those that have no row of their own, so that a
// crowd does not hide them.
func order(s *Sender) int {
	switch {
	case s.Named:
		return 0
	case s.Name == "":
		return 1
	}
	return 2
}

func (s *Sender) called() string {
	switch {
	case s.Name == "":
		return "others"
	case s.Named && s.Origin != s.Name:
		return s.Origin + " (" + s.Name + ")"
	}
	return s.Name
}

func (s *Sender) zone() string {
	if s.ZoneInferred {
		return s.Zone + "?"
	}
	return dash(s.Zone)
}

// clock is how the clock goes: "ok", "3m40s slow".
func (s *Sender) clock() string {
	if s.Skew == nil {
		return "-"
	}
	skew := time.Duration(*s.Skew * float64(time.Second))
	text := "ok"
	if skew.Abs() >= time.Second {
		text = brief(skew.Abs()) + " fast"
		if skew < 0 {
			text = brief(skew.Abs()) + " slow"
		}
	}
	if s.ClockJumps > 0 {
		text += ", " + plural(int(s.ClockJumps), "jump")
	}
	return text
}

func (s *Sender) lost() string {
	if s.Lost == nil {
		return "-"
	}
	return fmt.Sprint(*s.Lost)
}
