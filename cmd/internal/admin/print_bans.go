package admin

import (
	"bytes"
	"strconv"
	"strings"
	"time"
)

// Bans writes a table of bans.
func (p *Printer) Bans(bans []Ban, now time.Time) error {
	var b bytes.Buffer
	if len(bans) == 0 {
		b.WriteString("no bans\n")
		return p.flush(&b)
	}
	p.bans(&b, bans, now)
	return p.flush(&b)
}

// bans writes the table of bans.
func (p *Printer) bans(b *bytes.Buffer, bans []Ban, now time.Time) {
	rows := [][]string{{"PREFIX", "JAIL", "SINCE", "UNTIL", "STRIKE", "ORIGIN", "RULE", "REFUSED"}}
	for i := range bans {
		ban := &bans[i]
		refused := traffic(ban.Packets, ban.Bytes)
		switch {
		case ban.Simulated:
			refused = "simulated"
		case ban.Leaks > 0:
			refused += ", " + p.paint(yellow, "without effect: "+plural(ban.Leaks, "line")+" since")
		}
		rows = append(rows, []string{
			ShortPrefix(ban.Prefix), dash(ban.Jail), clock(ban.Since, now), end(ban.Until, now),
			strconv.Itoa(ban.Strike), origin(ban), dash(ban.Rule), refused,
		})
	}
	p.table(b, "", rows)
}

// origin says who decided, and if anybody could have sent what it was decided on.
func origin(b *Ban) string {
	if b.Spoofable {
		return b.Origin + ", spoofable"
	}
	return b.Origin
}

// Held writes a table of bans that wait for room.
func (p *Printer) Held(held []Held, now time.Time) error {
	var b bytes.Buffer
	if len(held) == 0 {
		b.WriteString("no bans are held back\n")
		return p.flush(&b)
	}
	rows := [][]string{{"PREFIX", "JAIL", "SINCE", "UNTIL", "STRIKE", "RULE", "WHY"}}
	for i := range held {
		h := &held[i]
		rows = append(rows, []string{
			ShortPrefix(h.Prefix), dash(h.Jail), clock(h.Since, now), end(h.Until, now), strconv.Itoa(h.Strike), dash(h.Rule), h.Why,
		})
	}
	p.table(&b, "", rows)
	return p.flush(&b)
}

// Banned writes one line for each ban that was just made.
func (p *Printer) Banned(bans []Ban, now time.Time) error {
	var b bytes.Buffer
	for i := range bans {
		ban := &bans[i]
		b.WriteString(p.paint(red, "banned") + " " + ShortPrefix(ban.Prefix) + inJail(ban.Jail))
		if ban.Until != nil {
			b.WriteString(" until")
		}
		b.WriteString(" " + end(ban.Until, now) + "\n")
	}
	return p.flush(&b)
}

// Lifted writes one line for each ban that was lifted.
func (p *Printer) Lifted(bans []Ban) error {
	var b bytes.Buffer
	for i := range bans {
		b.WriteString(p.paint(green, "lifted") + " " + ShortPrefix(bans[i].Prefix) + inJail(bans[i].Jail) + "\n")
	}
	return p.flush(&b)
}

// Decision writes one decision as it falls, on one line:
//
//	10:21:07  ban  203.0.113.9  sshd  10m  strike 1  sshd/failed-password  5 attempts
func (p *Printer) Decision(d *Decision) error {
	_, err := p.W.Write([]byte(p.decision(d, d.At.Local().Format("15:04:05")) + "\n"))
	return err
}

// decision is that line, with the time as it is to be shown.
func (p *Printer) decision(d *Decision, at string) string {
	words := []string{p.paint(dim, at)}
	add := func(word string) {
		if word != "" {
			words = append(words, word)
		}
	}
	switch d.Action {
	case "ban":
		action := p.paint(red, "ban")
		if d.Simulated {
			action += " (simulated)"
		} else if d.Spent {
			action += " (over already)"
		}
		add(action)
		add(p.paint(bold, ShortPrefix(d.Prefix)))
		add(d.Jail)
		add(term(d.At, d.Until))
		if d.Strike > 0 {
			add("strike " + strconv.Itoa(d.Strike))
		}
		if d.Rule == "" {
			add(d.Origin)
		}
		add(d.Rule)
		if d.Attempts > 0 {
			add(plural(d.Attempts, "attempt"))
		}
	default:
		c := yellow
		if d.Action == "lift" {
			c = green
		}
		add(p.paint(c, d.Action))
		if d.Prefix.IsValid() {
			add(p.paint(bold, ShortPrefix(d.Prefix)))
		}
		add(d.Jail)
		if d.Action == "alarm" {
			add(d.Rule)
		}
		if d.Origin != "rules" {
			add(d.Origin)
		}
	}
	add(Safe(d.Reason))
	return strings.Join(words, "  ")
}

// inJail names the jail of a ban that has one.
func inJail(jail string) string {
	if jail == "" {
		return ""
	}
	return " in " + jail
}

// dash stands in for an empty cell.
func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
