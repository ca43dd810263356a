package ingest

import (
	"fmt"
	"slices"
	"strings"
)

// The names of counts that are not totals but tell how many lines are somewhere
// now: received and not yet dealt with, matched and not yet decided.
const (
	InHand = "in hand"
	Queued = "queued"
)

// Standing says that c is no total: it goes down as well.
func (c *Count) Standing() bool { return c.Name == InHand || c.Name == Queued }

// Lines says that c counts lines, and not connections, bytes, matches or what
// else befell a source.
func (c *Count) Lines() bool {
	if strings.HasPrefix(c.Reason, "connections") || strings.HasPrefix(c.Reason, "bytes") {
		return false
	}
	switch c.Name {
	case "matches", "ambiguous":
		return false
	case "parsed", InHand, Queued:
		return true
	}
	return slices.ContainsFunc(fates[:], func(f Count) bool { return f.Name == c.Name })
}

// identity says of two sets of counts that their sums are equal, but for lines
// that are on their way from the one to the other.
type identity struct{ whole, parts, standing []string }

// identities are what is true of the counts of every source. The first is the
// source's own, the others hold where there is somebody who counts their whole.
var identities = []identity{
	{[]string{"received"}, []string{"delivered", "refused", "malformed"}, []string{InHand}},
	{[]string{"parsed"}, []string{"delivered"}, []string{InHand}},
	{[]string{"matched", "unmatched"}, []string{"delivered"}, []string{InHand}},
	{[]string{"matched"}, []string{"decided", "dropped"}, []string{Queued, InHand}},
}

// Imbalance is a sum that does not hold: lines that vanished, or that nobody
// wrote.
type Imbalance struct {
	// Whole and Parts name the counts, "received" and "delivered + refused +
	// malformed".
	Whole, Parts string
	// Missing is by how much the parts fall short of the whole; it is negative
	// where they exceed it.
	Missing int64
}

// String says it in a sentence.
func (i Imbalance) String() string {
	if i.Missing > 0 {
		return fmt.Sprintf("%d lines of %s are not among %s", i.Missing, i.Whole, i.Parts)
	}
	return fmt.Sprintf("%d lines of %s are not among %s", -i.Missing, i.Parts, i.Whole)
}

// Balance holds the counts of one source to the identities: each line received
// was delivered, refused or malformed, each line delivered matched or did not,
// and each that matched was decided or dropped, or stands in the queue. It returns
// what does not hold.
//
// While lines move there is no moment at which all counters can be read, so it
// takes two readings, one wholly after the other, and reports only what no moment
// between them explains. Of a source at rest they may be the same.
func Balance(early, late []Count) []Imbalance {
	var out []Imbalance
	for _, id := range identities {
		if !slices.ContainsFunc(late, func(c Count) bool { return slices.Contains(id.whole, c.Name) }) {
			continue
		}
		i := Imbalance{Whole: strings.Join(id.whole, " + "), Parts: strings.Join(id.parts, " + ")}
		before, after := sum(early, id.whole), sum(late, id.parts)+sum(late, id.standing)
		if before > after {
			i.Missing = int64(before - after)
			out = append(out, i)
			continue
		}
		before, after = sum(early, id.parts), sum(late, id.whole)
		if before > after {
			i.Missing = -int64(before - after)
			out = append(out, i)
		}
	}
	return out
}

func sum(counts []Count, names []string) (n uint64) {
	for i := range counts {
		if c := &counts[i]; c.Lines() && slices.Contains(names, c.Name) {
			n += c.N
		}
	}
	return n
}
