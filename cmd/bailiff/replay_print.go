package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"bailiff/cmd/internal/admin"
	"bailiff/cmd/internal/daemon"
)

// replayBan is one ban as --json prints it. Scripts rely on the names.
type replayBan struct {
	At        time.Time    `json:"at"`
	Addr      netip.Addr   `json:"addr"`
	Prefix    netip.Prefix `json:"prefix"`
	Jail      string       `json:"jail"`
	Rule      string       `json:"rule"`
	Strike    int          `json:"strike"`
	Attempts  int          `json:"attempts"`
	Until     *time.Time   `json:"until"`
	Simulated bool         `json:"simulated,omitempty"`
	Spoofable bool         `json:"spoofable,omitempty"`
	Reason    string       `json:"reason,omitempty"`
	// LockedOut is when somebody logged in from there during the ban, Returned
	// when after it.
	LockedOut *time.Time `json:"locked_out,omitempty"`
	Returned  *time.Time `json:"returned,omitempty"`
	// Only is with --compare the configuration that bans so: "old" or "new".
	Only string `json:"only,omitempty"`
}

func replayBanOf(v *daemon.Verdict, only string) replayBan {
	b := replayBan{
		At: v.At.UTC(), Addr: v.Prefix.Addr(), Prefix: v.Prefix, Jail: v.Jail, Rule: v.Rule, Strike: v.Strike, Attempts: v.Attempts,
		Simulated: v.Simulated, Spoofable: v.Spoofable, Reason: admin.Safe(v.Reason), Only: only,
	}
	for _, t := range []struct {
		from time.Time
		to   **time.Time
	}{{v.Until, &b.Until}, {v.LockedOut, &b.LockedOut}, {v.Returned, &b.Returned}} {
		if !t.from.IsZero() {
			at := t.from.UTC()
			*t.to = &at
		}
	}
	return b
}

func replayJSON(w io.Writer, r *daemon.Replay) error {
	e := json.NewEncoder(w)
	for _, v := range r.Bans() {
		if err := e.Encode(replayBanOf(&v, "")); err != nil {
			return err
		}
	}
	return nil
}

// replayText is the table, the picture and the sum.
func replayText(p *admin.Printer, r *daemon.Replay) error {
	bans := r.Bans()
	rows := [][]string{{"AT", "ADDRESS", "JAIL", "RULE", "ATTEMPTS", "STRIKE", "FOR", ""}}
	for i := range bans {
		rows = append(rows, replayRow(&bans[i]))
	}
	if len(bans) > 0 {
		if err := p.Table(rows); err != nil {
			return err
		}
		if err := timeline(p, r, bans); err != nil {
			return err
		}
	}
	return summary(p.W, r, bans)
}

func replayRow(v *daemon.Verdict) []string {
	length := "forever"
	if !v.Until.IsZero() {
		length = admin.Brief(v.Until.Sub(v.At))
	}
	return []string{
		v.At.Local().Format("2006-01-02 15:04:05"), admin.ShortPrefix(v.Prefix), v.Jail, v.Rule, fmt.Sprint(v.Attempts), fmt.Sprint(v.Strike), length, remark(v),
	}
}

// remark says what a person should know of a ban.
func remark(v *daemon.Verdict) string {
	var words []string
	if v.Simulated {
		words = append(words, "simulated")
	}
	if v.Spoofable {
		words = append(words, "spoofable")
	}
	switch {
	case !v.LockedOut.IsZero():
		words = append(words, "LOCKED OUT: logged in at "+v.LockedOut.Local().Format("2006-01-02 15:04:05"))
	case !v.Returned.IsZero():
		words = append(words, "logged in later, at "+v.Returned.Local().Format("2006-01-02 15:04:05"))
	}
	return strings.Join(words, ", ")
}

// timeline draws how many bans fell into each part of the log.
func timeline(p *admin.Printer, r *daemon.Replay, bans []daemon.Verdict) error {
	const width = 60
	from, to := r.Span()
	if !to.After(from) {
		return nil
	}
	var columns [width]int
	most := 0
	for i := range bans {
		at := int(float64(bans[i].At.Sub(from)) / float64(to.Sub(from)) * width)
		n := &columns[min(max(at, 0), width-1)]
		*n++
		most = max(most, *n)
	}
	heights := []rune("▁▂▃▄▅▆▇█")
	var picture strings.Builder
	for _, n := range columns {
		if n == 0 {
			picture.WriteByte(' ')
			continue
		}
		picture.WriteRune(heights[(n*len(heights)-1)/most])
	}
	layout := "2006-01-02 15:04"
	left, right := from.Local().Format(layout), to.Local().Format(layout)
	_, err := fmt.Fprintf(p.W, "\n  %s\n  %s%s%s  up to %d in %s\n", strings.TrimRight(picture.String(), " "), left,
		strings.Repeat(" ", width-len(left)-len(right)), right, most, admin.Brief(to.Sub(from)/width))
	return err
}

func summary(w io.Writer, r *daemon.Replay, bans []daemon.Verdict) error {
	prefixes, locked, returned := map[netip.Prefix]bool{}, map[netip.Prefix]bool{}, map[netip.Prefix]bool{}
	for i := range bans {
		p := bans[i].Prefix
		prefixes[p] = true
		switch {
		case !bans[i].LockedOut.IsZero():
			locked[p] = true
		case !bans[i].Returned.IsZero():
			returned[p] = true
		}
	}
	from, to := r.Span()
	if _, err := fmt.Fprintf(w, "\n%s, %d of them matched; %s of %s", admin.Plural(r.Lines, "line"), r.Found,
		admin.Plural(len(bans), "ban"), addressCount(len(prefixes))); err != nil {
		return err
	}
	if to.After(from) {
		fmt.Fprintf(w, " in %s", admin.Brief(to.Sub(from)))
	}
	fmt.Fprintln(w)
	stats := r.Stats()
	for _, s := range []struct {
		n    uint64
		text string
	}{
		{uint64(len(locked)), "would have been LOCKED OUT: they logged in during their ban"},
		{uint64(len(returned)), "logged in after their ban"},
		{stats.Guarded, "bans were stopped by guards"},
		{stats.Doubted, "bans were not made because somebody else could have sent all of it"},
		{stats.Ambiguous, "lines were ambiguous and counted against nobody"},
		{uint64(r.Held()), "bans were held back by a ceiling to the end"},
		{r.Alarms, "alarms"},
	} {
		if s.n > 0 {
			fmt.Fprintf(w, "%6d  %s\n", s.n, s.text)
		}
	}
	return nil
}

func addressCount(n int) string {
	if n == 1 {
		return "1 address"
	}
	return fmt.Sprint(n, " addresses")
}
