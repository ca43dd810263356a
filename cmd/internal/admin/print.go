package admin

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// The rules of what people read: times are local, and relative to now where
// that is the question; a table has a header and two spaces between columns; text from a
// log goes through [Safe]; colour repeats what a word says and is never
// the only bearer of it.

// Printer writes API values for a person. Each method writes once, so that
// lines of several goroutines stay whole if W's writes are.
type Printer struct {
	W io.Writer
	// Color allows terminal colours.
	Color bool
}

type color string

const (
	plain  color = ""
	bold   color = "1"
	red    color = "31"
	green  color = "32"
	yellow color = "33"
	dim    color = "2"
)

// paint returns s in a colour, if colours are allowed.
func (p *Printer) paint(c color, s string) string {
	if !p.Color || c == plain || s == "" {
		return s
	}
	return "\x1b[" + string(c) + "m" + s + "\x1b[0m"
}

// Faint returns s dimmed, if colours are allowed.
func (p *Printer) Faint(s string) string { return p.paint(dim, s) }

// table aligns rows; the first is the header. Every line starts with indent.
func (p *Printer) table(b *bytes.Buffer, indent string, rows [][]string) {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for n, row := range rows {
		line := indent
		for i, cell := range row {
			line += cell
			if i < len(row)-1 {
				line += strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2)
			}
		}
		line = strings.TrimRight(line, " ")
		if n == 0 {
			line = p.paint(dim, line)
		}
		b.WriteString(line)
		b.WriteByte('\n')
	}
}

// Table writes rows in columns; the first is the header.
func (p *Printer) Table(rows [][]string) error {
	var b bytes.Buffer
	p.table(&b, "", rows)
	return p.flush(&b)
}

// flush writes what was collected.
func (p *Printer) flush(b *bytes.Buffer) error {
	_, err := p.W.Write(b.Bytes())
	return err
}

// clock returns t in local time, with the date if it is another day than now.
func clock(t, now time.Time) string {
	t, now = t.Local(), now.Local()
	if t.YearDay() == now.YearDay() && t.Year() == now.Year() {
		return t.Format("15:04:05")
	}
	return t.Format("2006-01-02 15:04:05")
}

// end says when a ban ends: "10:31:07 (in 9m58s)", "until lifted".
func end(until *time.Time, now time.Time) string {
	if until == nil {
		return "until lifted"
	}
	if !until.After(now) {
		return clock(*until, now) + " (over)"
	}
	return clock(*until, now) + " (in " + brief(until.Sub(now).Round(time.Second)) + ")"
}

// term is the length of a ban.
func term(at time.Time, until *time.Time) string {
	if until == nil {
		return "forever"
	}
	return brief(until.Sub(at))
}

// brief spells a duration with its two largest units, in the spelling of the
// configuration: "9m58s", "1d12h", "5w".
func brief(d time.Duration) string {
	units := []struct {
		name string
		size time.Duration
	}{{"w", 7 * 24 * time.Hour}, {"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}}
	for i, u := range units {
		n := d / u.size
		if n == 0 {
			continue
		}
		out := fmt.Sprint(int64(n), u.name)
		if i+1 < len(units) {
			if m := d % u.size / units[i+1].size; m > 0 {
				out += fmt.Sprint(int64(m), units[i+1].name)
			}
		}
		return out
	}
	if d > 0 {
		return d.Round(time.Millisecond).String()
	}
	return "0s"
}

// Brief spells a duration with its two largest units, as bans are shown.
func Brief(d time.Duration) string { return brief(d) }

// traffic spells refused traffic: "12 packets, 1.2 KiB".
func traffic(packets, bytes uint64) string {
	return plural(packets, "packet") + ", " + size(bytes)
}

// size spells a number of bytes in binary units.
func size(n uint64) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	v, unit := float64(n)/1024, 0
	for v >= 1024 && unit < 4 {
		v, unit = v/1024, unit+1
	}
	return fmt.Sprintf("%.1f %ciB", v, "KMGTP"[unit])
}

// plural spells a count and its noun.
// Plural spells a number of things: "1 ban", "2 bans".
func Plural[N int | uint64](n N, noun string) string { return plural(n, noun) }

func plural[N int | uint64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprint(n, " ", noun, "s")
}
