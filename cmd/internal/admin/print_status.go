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
	rows = append(rows, accounts(s.Sources))
	if n := s.allowed(); n > 0 {
		rows = append(rows, []string{"allowed", "", fmt.Sprintf("%d for a while; bailiff allow --list shows them", n)})
	}
	p.table(&b, "", rows)

	b.WriteByte('\n')
	p.sources(&b, s.Sources)

	b.WriteByte('\n')
	p.senders(&b, s)
	p.packs(&b, s.Packs)

	b.WriteByte('\n')
	rows = [][]string{{"JAIL", "PACKS", "WATCHED", "STANDING", "BANS", "LIFTS", "ALARMS", ""}}
	for _, j := range s.Jails {
		note := ""
		if j.Simulate {
			note = "simulated"
		}
		if j.Unheard > 0 {
			note = strings.TrimPrefix(note+", ", ", ") + fmt.Sprint(j.Unheard) + " not counted because of their sender"
		}
		if j.Idle > 0 {
			note = strings.TrimPrefix(note+", ", ", ") + fmt.Sprint(j.Idle) + " not counted because it was paused"
		}
		rows = append(rows, []string{
			dash(j.Name), dash(packNames(j.Packs)), fmt.Sprint(j.Windows), fmt.Sprint(j.Standing),
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

// packs writes a row for each pack that saw something, samples of what it did not
// take, and how many saw nothing.
func (p *Printer) packs(b *bytes.Buffer, packs []Pack) {
	rows := [][]string{{"PACK", "RULES", "MATCHED", "AMBIGUOUS", "UNTRUSTED", "NEAR MISSES"}}
	var samples [][]string
	sessions := [][]string{{"PACK", "SESSIONS", "UNBOUND", "EVICTED"}}
	silent := 0
	for _, pack := range packs {
		if pack.Matches+pack.Untrusted+pack.NearMisses == 0 {
			silent++
			continue
		}
		rows = append(rows, []string{
			pack.Name, fmt.Sprint(pack.Rules), fmt.Sprint(pack.Matches),
			fmt.Sprint(pack.Ambiguous), fmt.Sprint(pack.Untrusted), fmt.Sprint(pack.NearMisses),
		})
		if n := pack.Sessions; n != nil {
			sessions = append(sessions, []string{pack.Name, fmt.Sprint(n.Live), fmt.Sprint(n.Unbound), fmt.Sprint(n.Evicted)})
		}
		for _, s := range [][]string{{pack.Name, "untrusted", Safe(pack.Sample)}, {pack.Name, "near miss", Safe(pack.NearSample)}} {
			if s[2] != "" {
				samples = append(samples, s)
			}
		}
	}
	p.table(b, "", rows)
	if silent > 0 {
		fmt.Fprintf(b, "%s\n", p.Faint(plural(silent, "pack")+" saw nothing"))
	}
	if len(sessions) > 1 {
		b.WriteByte('\n')
		p.table(b, "", sessions)
	}
	if len(samples) > 0 {
		b.WriteByte('\n')
		p.table(b, "", append([][]string{{"PACK", "LINE", ""}}, samples...))
	}
}

// packNames lists packs, and counts them where that would fill the screen.
func packNames(names []string) string {
	if len(names) > 6 {
		return plural(len(names), "pack")
	}
	return strings.Join(names, " ")
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
