package admin

import (
	"bytes"
	"fmt"
	"time"

	"bailiff/config"
)

// shownInside is how many bans, and how many windows, of a wide prefix have a row.
const shownInside = 20

// whyInside writes what stands and happened inside a wide prefix.
func (p *Printer) whyInside(b *bytes.Buffer, w *Why, decisions []*Decision, now time.Time) {
	var inside []Ban
	for i := range w.Bans {
		if w.Bans[i].Prefix.Bits() > w.Prefix.Bits() {
			inside = append(inside, w.Bans[i])
		}
	}
	if len(inside) > 0 {
		shown := inside[:min(len(inside), shownInside)]
		b.WriteByte('\n')
		p.bans(b, shown, now)
		if more := len(inside) - len(shown) + w.Standing - len(w.Bans); more > 0 {
			fmt.Fprintf(b, "and %d more: bailiff list\n", more)
		}
	}
	if len(w.Jails) > 0 {
		b.WriteByte('\n')
		rows := [][]string{{"WATCHED", "JAIL", "ATTEMPTS", "FIRST", "LAST", "NEXT"}}
		for i := range w.Jails {
			j := &w.Jails[i]
			first, last := "-", "-"
			if j.First != nil && j.Last != nil {
				first, last = clock(*j.First, now), clock(*j.Last, now)
			}
			rows = append(rows, []string{
				j.watched(), j.Jail, fmt.Sprintf("%d of %d within %s", j.Attempts, j.MaxRetry, j.FindTime), first, last,
				fmt.Sprintf("strike %d, %s", j.NextStrike, j.Next),
			})
		}
		p.table(b, "", rows)
		if more := w.Windows - len(w.Jails); more > 0 {
			fmt.Fprintf(b, "and %s more in which fewer lines stand\n", plural(more, "window"))
		}
	}
	if len(decisions) > 0 {
		b.WriteString("\nlast decisions inside\n")
	}
	for _, d := range decisions {
		b.WriteString("  " + p.decision(d, clock(d.At, now)) + "\n")
	}
}

// leaves is how long an attempt still counts; "" if it does not.
func (j *WhyJail) leaves(at, now time.Time) string {
	within, err := config.ParseDuration(j.FindTime)
	if left := at.Add(within).Sub(now).Round(time.Second); err == nil && left > 0 {
		return brief(left)
	}
	return ""
}
