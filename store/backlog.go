package store

import (
	"slices"

	"bailiff/decide"
	"bailiff/ingest"
)

// maxKept is how many decisions, and how many windows, a backlog keeps.
const maxKept = 8192

// backlog is what Resilient could not write: every decision, the last state of
// every window, acquaintance, held ban and order, the sum of each score, and the last mark of each source.
type backlog struct {
	decisions []decide.Decision
	forgotten int // the oldest decisions, given up beyond maxKept
	windows   map[string]decide.Window
	known     map[string]decide.Known
	orders    map[string]decide.Order
	held      map[string]decide.Held
	scores    map[string]decide.Score
	marks     map[string][]byte
}

// add keeps b, which stays the caller's.
func (k *backlog) add(b Batch) {
	k.decisions = append(k.decisions, b.Decisions...)
	if over := len(k.decisions) - maxKept; over > 0 {
		// A quarter goes at once, so that not every commit moves them all.
		// Readers hold the old slice: it is left as it is.
		over = min(over+maxKept/4, len(k.decisions))
		k.decisions = slices.Clone(k.decisions[over:])
		k.forgotten += over
	}
	if k.marks == nil {
		k.marks = make(map[string][]byte)
		k.windows = make(map[string]decide.Window)
		k.known = make(map[string]decide.Known)
		k.orders = make(map[string]decide.Order)
		k.held = make(map[string]decide.Held)
		k.scores = make(map[string]decide.Score)
	}
	for _, w := range b.Windows {
		key := string(windowKey(&w))
		if _, known := k.windows[key]; known || len(k.windows) < maxKept {
			k.windows[key] = w
		}
	}
	for _, friend := range b.Known {
		key := string(knownKey(&friend))
		if _, there := k.known[key]; there || len(k.known) < maxKept {
			k.known[key] = friend
		}
	}
	for _, o := range b.Orders {
		k.orders[string(orderKey(&o))] = o
	}
	for _, h := range b.Held {
		key := string(heldKey(&h))
		if _, there := k.held[key]; there || len(k.held) < maxKept {
			k.held[key] = h
		}
	}
	for _, s := range b.Scores {
		key := string(scoreKey(&s, totals))
		if sum, there := k.scores[key]; there {
			sum.Add(&s)
			s = sum
		}
		k.scores[key] = s
	}
	for _, m := range b.Marks {
		k.marks[m.Source] = slices.Clone(m.Cursor)
	}
}

// batch returns all that is kept as one batch.
func (k *backlog) batch() Batch {
	b := Batch{Decisions: k.decisions}
	for _, w := range k.windows {
		b.Windows = append(b.Windows, w)
	}
	for _, friend := range k.known {
		b.Known = append(b.Known, friend)
	}
	for _, h := range k.held {
		b.Held = append(b.Held, h)
	}
	for _, s := range k.scores {
		b.Scores = append(b.Scores, s)
	}
	for _, o := range k.orders {
		b.Orders = append(b.Orders, o)
	}
	for source, cursor := range k.marks {
		b.Marks = append(b.Marks, ingest.Mark{Source: source, Cursor: cursor})
	}
	return b
}
