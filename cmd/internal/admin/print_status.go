package admin

import (
	"bytes"
	"fmt"
	"strings"
)

// Status writes the state of the daemon, what is wrong first.
func (p *Printer) Status(s *Status) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "bailiff %s, pid %d, up %s", s.Version, s.PID, brief(s.Now.Sub(s.Started)))
	if s.Config != "" {
		b.WriteString(", " + s.Config)
	}
	if s.DryRun {
		b.WriteString(", dry run")
	}
	b.WriteByte('\n')
	for _, w := range s.Warnings {
		fmt.Fprintf(&b, "%s %s\n", p.paint(yellow, "warning:"), Safe(w))
	}

	b.WriteByte('\n')
	rows := [][]string{{"PART", "STATE", ""}}
	rows = append(rows, append([]string{"store"}, s.Store.cells()...))
	firewall := s.Firewall.cells()
	firewall[1] += fmt.Sprintf(": %s, %s refused", plural(s.Firewall.Bans, "ban"), traffic(s.Firewall.Packets, s.Firewall.Bytes))
	rows = append(rows, append([]string{"firewall"}, firewall...))
	rows = append(rows, []string{"queue", state(s.Queue.lost() == 0), queueLine(&s.Queue)})
	p.table(&b, "", rows)

	b.WriteByte('\n')
	rows = [][]string{{"SOURCE", "STATE", "LINES"}}
	for i := range s.Sources {
		src := &s.Sources[i]
		cells := src.cells()
		rows = append(rows, []string{src.Name, cells[0], strings.TrimSpace(countLine(src.Counts) + "  " + cells[1])})
	}
	p.table(&b, "", rows)

	b.WriteByte('\n')
	rows = [][]string{{"PACK", "RULES", "MATCHED", "AMBIGUOUS", "UNTRUSTED", ""}}
	for _, pack := range s.Packs {
		rows = append(rows, []string{
			pack.Name, fmt.Sprint(pack.Rules), fmt.Sprint(pack.Matches),
			fmt.Sprint(pack.Ambiguous), fmt.Sprint(pack.Untrusted), Safe(pack.Sample),
		})
	}
	p.table(&b, "", rows)

	b.WriteByte('\n')
	rows = [][]string{{"JAIL", "PACKS", "WATCHED", "STANDING", "BANS", "LIFTS", "ALARMS", ""}}
	for _, j := range s.Jails {
		note := ""
		if j.Simulate {
			note = "simulated"
		}
		rows = append(rows, []string{
			dash(j.Name), dash(strings.Join(j.Packs, " ")), fmt.Sprint(j.Windows), fmt.Sprint(j.Standing),
			fmt.Sprint(j.Bans), fmt.Sprint(j.Lifts), fmt.Sprint(j.Alarms), note,
		})
	}
	p.table(&b, "", rows)

	if len(s.Alarms) > 0 {
		b.WriteString("\nlast alarms\n")
	}
	if err := p.flush(&b); err != nil {
		return err
	}
	for i := range s.Alarms {
		if err := p.Decision(&s.Alarms[i]); err != nil {
			return err
		}
	}
	return nil
}

// cells are the state of a part and what is to be said of it.
func (part *Part) cells() []string {
	text := part.Detail
	for _, more := range []string{part.Error, part.Hint} {
		if more != "" && text != "" {
			text += ": "
		}
		text += Safe(more)
	}
	return []string{state(part.OK), text}
}

func state(ok bool) string {
	if ok {
		return "ok"
	}
	return "TROUBLE"
}

func queueLine(q *Queue) string {
	line := fmt.Sprintf("%d of %d", q.Length, q.Capacity)
	if q.lost() > 0 {
		line += ", dropped " + countLine(q.Dropped)
	}
	return line
}

// countLine spells counts: "received 12, refused 3 (unit)". Of those that are
// zero only the first is worth a word.
func countLine(counts []Count) string {
	var words []string
	for i, c := range counts {
		if c.N == 0 && i > 0 {
			continue
		}
		word := fmt.Sprint(c.Name, " ", c.N)
		if c.Reason != "" {
			word += " (" + c.Reason + ")"
		}
		words = append(words, word)
	}
	return strings.Join(words, ", ")
}
