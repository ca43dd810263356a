package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/netip"

	"bailiff/cmd/internal/admin"
	"bailiff/cmd/internal/daemon"
)

// apart returns the bans of addresses that only one of two configurations bans at all.
func apart(old, new *daemon.Replay) (spared, added []daemon.Verdict) {
	only := func(a, b *daemon.Replay) (out []daemon.Verdict) {
		banned := map[netip.Prefix]bool{}
		for _, v := range b.Bans() {
			banned[v.Prefix] = true
		}
		for _, v := range a.Bans() {
			if !banned[v.Prefix] {
				out = append(out, v)
			}
		}
		return out
	}
	return only(old, new), only(new, old)
}

func compareJSON(w io.Writer, old, new *daemon.Replay) error {
	spared, added := apart(old, new)
	e := json.NewEncoder(w)
	for _, part := range []struct {
		only string
		bans []daemon.Verdict
	}{{"old", spared}, {"new", added}} {
		for i := range part.bans {
			if err := e.Encode(replayBanOf(&part.bans[i], part.only)); err != nil {
				return err
			}
		}
	}
	return nil
}

func compareText(p *admin.Printer, old, new *daemon.Replay, name string) error {
	spared, added := apart(old, new)
	for _, part := range []struct {
		text string
		bans []daemon.Verdict
	}{{name + " bans besides", added}, {name + " spares", spared}} {
		if len(part.bans) == 0 {
			if _, err := fmt.Fprintf(p.W, "%s: nobody\n", part.text); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(p.W, "%s:\n", part.text)
		rows := [][]string{{"AT", "ADDRESS", "JAIL", "RULE", "ATTEMPTS", "STRIKE", "FOR", ""}}
		for i := range part.bans {
			rows = append(rows, replayRow(&part.bans[i]))
		}
		if err := p.Table(rows); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(p.W, "\n%d bans now, %d with %s, of %d lines\n", len(old.Bans()), len(new.Bans()), name, old.Lines)
	return err
}
