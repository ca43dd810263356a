package admin

import (
	"bytes"
	"fmt"
	"strings"

	"bailiff/ingest"
)

// accounts is the row that says whether every line met a fate.
func accounts(sources []Source) []string {
	var off []string
	var received, standing uint64
	for i := range sources {
		src := &sources[i]
		for _, imbalance := range src.Imbalances {
			off = append(off, src.Name+": "+ingest.Imbalance(imbalance).String())
		}
		received += src.sum("received")
		standing += src.sum(ingest.InHand, ingest.Queued)
	}
	if len(off) > 0 {
		return []string{"accounts", state(false), strings.Join(off, "; ") + ": this is an error in bailiff, please report it"}
	}
	text := plural(int(received), "line") + " received, each is accounted for"
	if standing > 0 {
		text += fmt.Sprintf("; %d under way", standing)
	}
	return []string{"accounts", state(true), text}
}

// sources writes what became of the lines of each source, and then what their
// totals are made of.
func (p *Printer) sources(b *bytes.Buffer, sources []Source) {
	rows := [][]string{{"SOURCE", "STATE", "RECEIVED", "REFUSED", "LOST", "UNMATCHED", "MATCHED", "DECIDED", "DROPPED", ""}}
	details := [][]string{{"SOURCE", "LINES"}}
	for i := range sources {
		src := &sources[i]
		cells := src.cells()
		row := []string{src.Name, cells[0]}
		for _, fates := range [][]string{{"received"}, {"refused", "malformed"}, {"lost"}, {"unmatched"}, {"matched"}, {"decided"}, {"dropped"}} {
			row = append(row, fmt.Sprint(src.sum(fates...)))
		}
		rows = append(rows, append(row, cells[1]))
		if line := detailLine(src.Counts); line != "" {
			details = append(details, []string{src.Name, line})
		}
	}
	p.table(b, "", rows)
	if len(details) > 1 {
		b.WriteByte('\n')
		p.table(b, "", details)
	}
}

// detailLine spells the counts that a column does not: those with a reason, and
// those that are part of no sum.
func detailLine(counts []Count) string {
	var shown []Count
	for _, c := range counts {
		switch c.Name {
		case "received", "delivered", "matched", "decided":
			continue
		}
		if c.N > 0 && (c.Reason != "" || c.Name != "unmatched") {
			shown = append(shown, c)
		}
	}
	return countLine(shown)
}

// countLine spells counts: "truncated 12, refused 3 (unit)".
func countLine(counts []Count) string {
	words := make([]string, len(counts))
	for i, c := range counts {
		words[i] = fmt.Sprint(c.Name, " ", c.N)
		if c.Reason != "" {
			words[i] += " (" + c.Reason + ")"
		}
	}
	return strings.Join(words, ", ")
}
