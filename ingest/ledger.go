package ingest

import (
	"slices"
	"sync"
	"sync/atomic"
)

// Ledger counts what became of the lines of one source. The zero value is ready.
// Its methods may be called at any time and concurrently.
type Ledger struct {
	mu     sync.Mutex
	open   []*Page
	closed Page // the sum of the pages that were closed
}

// Page is the part of a ledger that one goroutine writes: counting a line costs
// no memory that another goroutine writes to. Every line is counted as Received
// when it was read and, when it has been dealt with, under one fate that ends it.
type Page struct {
	fates  [fateCount]atomic.Uint64
	parsed [dialectCount]atomic.Uint64
	_      [64]byte // so that no two pages share a cache line
}

// Page opens a page. Who opened it closes it when its goroutine ends.
func (l *Ledger) Page() *Page {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := new(Page)
	l.open = append(l.open, p)
	return p
}

// Close closes a page of l, which is not written from then on.
func (l *Ledger) Close(p *Page) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.Index(l.open, p)
	if i < 0 {
		return
	}
	l.open = slices.Delete(l.open, i, i+1)
	for f := range p.fates {
		l.closed.fates[f].Add(p.fates[f].Load())
	}
	for d := range p.parsed {
		l.closed.parsed[d].Add(p.parsed[d].Load())
	}
}

// Add counts lines that no page is for.
func (l *Ledger) Add(f Fate, n uint64) { l.closed.fates[f].Add(n) }

// Add counts one line.
func (p *Page) Add(f Fate) { p.fates[f].Add(1) }

// AddN counts n of whatever f counts.
func (p *Page) AddN(f Fate, n uint64) { p.fates[f].Add(n) }

// Entry counts what is to be said of a line that is about to be handed out: its
// dialect, and whether it was cut and cleaned.
func (p *Page) Entry(e *Entry) {
	p.parsed[e.Dialect].Add(1)
	if e.Truncated {
		p.fates[Truncated].Add(1)
	}
	if e.Cleaned {
		p.fates[Cleaned].Add(1)
	}
}

// Counts returns the totals of a source: received, delivered, the fates in always,
// and the others that are not zero.
func (l *Ledger) Counts(always ...Fate) []Count {
	return l.Totals(append(always, Received, Delivered)...)
}

// Totals returns the totals of the fates in always and of those that are not zero.
func (l *Ledger) Totals(always ...Fate) []Count {
	var sum [fateCount]uint64
	var parsed [dialectCount]uint64
	var inHand uint64
	l.mu.Lock()
	for i := range len(l.open) + 1 {
		p := &l.closed
		if i < len(l.open) {
			p = l.open[i]
		}
		// In the order of Balance: a line may go on between two reads.
		received, ended := p.fates[Received].Load(), uint64(0)
		for d := range parsed {
			parsed[d] += p.parsed[d].Load()
		}
		for f := range sum {
			n := p.fates[f].Load()
			if Fate(f) == Received {
				n = received
			}
			sum[f] += n
			if Fate(f).ends() {
				ended += n
			}
		}
		if i < len(l.open) && received > ended {
			inHand++ // one goroutine has one line
		}
	}
	l.mu.Unlock()

	var out []Count
	for f, n := range sum {
		if f := Fate(f); n > 0 || slices.Contains(always, f) {
			c := fates[f]
			c.N = n
			out = append(out, c)
		}
	}
	for d, n := range parsed {
		if n > 0 {
			out = append(out, Count{Name: "parsed", Reason: Dialect(d).String(), N: n})
		}
	}
	if inHand > 0 {
		out = append(out, Count{Name: InHand, N: inHand})
	}
	return out
}
