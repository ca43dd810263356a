package daemon

import (
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"unsafe"

	"bailiff/ingest"
	"bailiff/rules"
)

// account counts what becomes of the lines of one source once it has handed them
// over. Its counts and the source's own add up, see ingest.Balance.
type account struct {
	ledger ingest.Ledger
	// pages are many, so that connections that are read at once seldom count
	// in the same; judged is the judge's.
	pages  [8]*ingest.Page
	judged *ingest.Page
	queued atomic.Int64 // lines with matches that wait for the judge, or for room
	packs  []string     // which the source may feed; nil: all
	waits  bool         // the source keeps its senders waiting, and need lose nothing
}

func newAccount() *account {
	a := new(account)
	for i := range a.pages {
		a.pages[i] = a.ledger.Page()
	}
	a.judged = a.ledger.Page()
	return a
}

// page returns the page for the goroutine that hands over e: each has an entry of
// its own and keeps it.
func (a *account) page(e *ingest.Entry) *ingest.Page {
	const golden = 0x9e3779b97f4a7c15 // spreads the bits of an address (Fibonacci hashing)
	return a.pages[uint64(uintptr(unsafe.Pointer(e)))*golden>>61]
}

// fates are those of the outcomes of matching.
var fates = [...]ingest.Fate{
	rules.Unknown:   ingest.Unmatched,
	rules.Held:      ingest.UnmatchedHeld,
	rules.Near:      ingest.UnmatchedNear,
	rules.Untrusted: ingest.UnmatchedUntrusted,
	rules.Matched:   ingest.Matched,
}

// feeds leaves the matches of packs that the source may feed, and says what that
// makes of the line.
func (a *account) feeds(matches []rules.Match, fate ingest.Fate) ([]rules.Match, ingest.Fate) {
	if a.packs == nil || len(matches) == 0 {
		return matches, fate
	}
	matches = slices.DeleteFunc(matches, func(m rules.Match) bool { return !slices.Contains(a.packs, m.Rule.Pack) })
	if len(matches) == 0 {
		fate = ingest.UnmatchedPack
	}
	return matches, fate
}

// matched notes the matches of one line, which is about to be queued.
func (a *account) matched(page *ingest.Page, matches []rules.Match) {
	if len(matches) == 0 {
		return
	}
	a.queued.Add(1)
	page.AddN(ingest.Matches, uint64(len(matches)))
	for i := range matches {
		if matches[i].Ambiguous() {
			page.Add(ingest.AmbiguousMatches)
		}
	}
}

// drop notes that a line has not been queued.
func (a *account) drop(page *ingest.Page, f *finding, why ingest.Fate) {
	if len(f.matches) > 0 {
		page.Add(why)
		a.queued.Add(-1)
	}
}

// decided notes that the judge has observed the matches of a line.
func (a *account) decided(f *finding) {
	if a != nil && len(f.matches) > 0 {
		a.judged.Add(ingest.Decided)
		a.queued.Add(-1)
	}
}

// counts returns the totals and what is queued.
func (a *account) counts() []ingest.Count {
	counts := a.ledger.Totals(ingest.Unmatched, ingest.Matched, ingest.Decided, ingest.DroppedQueue)
	if n := a.queued.Load(); n > 0 {
		counts = append(counts, ingest.Count{Name: ingest.Queued, N: uint64(n)})
	}
	return counts
}

// closeAccount says what became of all lines of a source that has ended, when all of
// them are decided, and whether that adds up.
func (k *desk) closeAccount(log *slog.Logger) {
	counts := k.counts()
	args := []any{"source", k.source.Name()}
	var standing uint64
	for _, c := range counts {
		if c.Standing() {
			standing += c.N
		}
		if c.N > 0 && c.Lines() {
			args = append(args, strings.TrimSpace(c.Name+" "+c.Reason), c.N)
		}
	}
	log.Info("account of a source", args...)
	for _, off := range ingest.Balance(counts, counts) {
		log.Error("the account does not balance: this is an error in bailiff, please report it", "source", k.source.Name(), "sum", off.String())
	}
	if standing > 0 {
		log.Error("lines were left undecided: this is an error in bailiff, please report it", "source", k.source.Name(), "lines", standing)
	}
}

// counts returns those of the source and those of its account. The source's come
// first, as ingest.Balance needs them: what it has in hand may be queued next.
func (k *desk) counts() []ingest.Count {
	c, ok := k.source.(ingest.Counter)
	if !ok {
		return nil
	}
	return append(c.Counts(), k.account.counts()...)
}
