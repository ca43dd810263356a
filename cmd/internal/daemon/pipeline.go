package daemon

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"bailiff/decide"
	"bailiff/ingest"
	"bailiff/rules"
	"bailiff/store"
)

// The bounds of the spine.
const (
	// queueSize is how many entries with matches may wait for the judge.
	queueSize = 65_536
	// batchMatches and batchBytes bound what one transaction holds. The
	// bytes are those of matched lines, which dominate what is written.
	batchMatches = 500
	batchBytes   = 128 << 10
	// markEvery is how long a source that matches nothing may go without
	// its position being stored.
	markEvery = time.Second
)

// finding is what one entry contributes: its matches, and the position behind
// it. The two travel together, so that a stored cursor never runs ahead of an
// undecided line, nor falls behind a decided one.
type finding struct {
	matches []rules.Match
	mark    ingest.Mark
	of      *account // of the source
}

func (f *finding) size() int {
	n := len(f.mark.Cursor)
	for i := range f.matches {
		n += len(f.matches[i].Line)
	}
	return n
}

// ledger is what the judge needs of the store.
type ledger interface {
	// Commit writes all of a batch or, on an error, nothing; what it cannot
	// write it keeps and answers for, so that an error means it is closed.
	Commit(store.Batch) error
	Sync() error
}

// pipeline is the spine of the daemon: read on the goroutine of each source,
// judge on one of its own. Only judge touches the engine.
type pipeline struct {
	set    atomic.Pointer[rules.Set]
	queue  chan finding
	asks   chan func()   // run by judge between batches
	closed chan struct{} // judge has returned; asks are no longer taken

	engine *decide.Engine
	ledger ledger
	police *police
	tell   func(*decide.Decision)
	now    func() time.Time
	tick   func(context.Context, time.Time) // called by judge about once a second

	tally tally
	rates rates // of the judge; nil: nobody asks
}

// tally counts what became of matches.
type tally struct {
	packs   sync.Map      // name -> *packTally
	unsaved atomic.Uint64 // decisions that were not committed
}

type packTally struct{ matches, ambiguous atomic.Uint64 }

func (t *tally) pack(name string) *packTally {
	n, ok := t.packs.Load(name)
	if !ok {
		n, _ = t.packs.LoadOrStore(name, new(packTally))
	}
	return n.(*packTally)
}

func (t *tally) add(matches []rules.Match) {
	for i := range matches {
		n := t.pack(matches[i].Rule.Pack)
		n.matches.Add(1)
		if matches[i].Ambiguous() {
			n.ambiguous.Add(1)
		}
	}
}

// read returns the handler of one source. Where the source can resume it waits
// for room in the queue, or may keep its senders waiting; a network source must
// never wait, and loses the line. What became of each is counted in a.
func (p *pipeline) read(done <-chan struct{}, a *account) ingest.Handler {
	var marked time.Time // of the one goroutine of a source with cursors
	return func(e *ingest.Entry) {
		matches, outcome := p.set.Load().Judge(nil, e)
		fate := fates[outcome]
		matches, fate = a.feeds(matches, fate)
		page := a.page(e)
		page.Add(fate)
		found := finding{matches: matches, of: a}
		resumes := len(e.Cursor) > 0
		if len(found.matches) == 0 && (!resumes || e.Received.Sub(marked) < markEvery) {
			return
		}
		p.tally.add(found.matches)
		a.matched(page, found.matches)
		if a.waits {
			// Nobody reads its lines again: they are decided, also at a stop.
			select {
			case p.queue <- found:
			case <-p.closed:
				a.drop(page, &found, ingest.DroppedStopping)
			}
			return
		}
		if !resumes {
			select {
			case p.queue <- found:
			default:
				a.drop(page, &found, ingest.DroppedQueue)
			}
			return
		}
		marked = e.Received
		found.mark = ingest.Mark{Source: e.Source, Cursor: bytes.Clone(e.Cursor)}
		// Once a stop has cost one line its place, none after it may be queued:
		// their position would pass over it. The source reads them again.
		select {
		case <-done:
			a.drop(page, &found, ingest.DroppedStopping)
			return
		default:
		}
		select {
		case p.queue <- found:
		case <-done:
			a.drop(page, &found, ingest.DroppedStopping)
		}
	}
}

// judge decides until the queue is closed and empty.
func (p *pipeline) judge(ctx context.Context) {
	defer close(p.closed)
	second := time.NewTicker(time.Second)
	defer second.Stop()
	var batch []finding
	for {
		select {
		case first, ok := <-p.queue:
			if !ok {
				return
			}
			batch = p.take(append(batch[:0], first))
			p.settle(ctx, p.observe(batch), marks(batch))
			clear(batch)
		case ask := <-p.asks:
			ask()
		case <-p.police.broken():
			p.police.disturbed(ctx, p.engine.Standings)
		case <-second.C:
			p.police.retry(ctx, p.engine.Standings)
			p.tick(ctx, p.now())
		}
	}
}

// take adds what is queued already to the batch and never waits for more.
func (p *pipeline) take(batch []finding) []finding {
	matches, size := len(batch[0].matches), batch[0].size()
	for matches < batchMatches && size < batchBytes {
		select {
		case f, ok := <-p.queue:
			if !ok {
				return batch
			}
			batch = append(batch, f)
			matches += len(f.matches)
			size += f.size()
		default:
			return batch
		}
	}
	return batch
}

func (p *pipeline) observe(batch []finding) []decide.Decision {
	var decisions []decide.Decision
	now := p.now()
	for i := range batch {
		for j := range batch[i].matches {
			if m := &batch[i].matches[j]; m.Time.After(now) {
				m.Time = now // the clock was set back since it was read
			}
			decisions = append(decisions, p.engine.Observe(&batch[i].matches[j], now)...)
		}
		batch[i].of.decided(&batch[i])
	}
	return decisions
}

// marks returns the newest position of each source in the batch.
func marks(batch []finding) []ingest.Mark {
	var out []ingest.Mark
next:
	for _, b := range slices.Backward(batch) {
		m := b.mark
		if m.Source == "" {
			continue
		}
		for _, seen := range out {
			if seen.Source == m.Source {
				continue next
			}
		}
		out = append(out, m)
	}
	return out
}

// settle makes decisions hold: on record, in the kernel, on the disk, and only
// then told. A machine that loses power before the fsync loses its kernel sets
// too, so that the two never disagree.
func (p *pipeline) settle(ctx context.Context, decisions []decide.Decision, marks []ingest.Mark) {
	batch := store.Batch{Decisions: decisions, Windows: p.engine.Touched(), Known: p.engine.KnownTouched(), Held: p.engine.HeldTouched(), Orders: p.engine.OrdersTouched(), Scores: p.engine.Scores(p.now()), Marks: marks}
	if len(batch.Decisions)+len(batch.Windows)+len(batch.Known)+len(batch.Held)+len(batch.Orders)+len(batch.Scores)+len(batch.Marks) == 0 {
		return
	}
	if p.rates != nil {
		p.rates.add(batch.Scores)
	}
	if err := p.ledger.Commit(batch); err != nil {
		p.tally.unsaved.Add(uint64(len(decisions)))
	}
	p.engine.Committed()
	if len(decisions) == 0 {
		return
	}
	p.police.apply(ctx, p.effective(decisions))
	// Without fsync the decisions still survive everything but a power cut;
	// the ledger itself says that it is in trouble.
	_ = p.ledger.Sync()
	for i := range decisions {
		p.tell(&decisions[i])
	}
}

// effective replaces a ban by the one that holds of several on its prefix.
func (p *pipeline) effective(decisions []decide.Decision) []decide.Decision {
	now := p.now()
	out := slices.Clone(decisions)
	for i := range out {
		d := &out[i]
		if d.Action == decide.Ban && !d.Simulated && !d.Spent {
			if holds, ok := p.engine.Standing(d.Prefix, now); ok {
				*d = holds
			}
		}
	}
	return out
}

// ask runs f on the judge's goroutine, where the engine may be used, and
// returns when it has run. The error is ctx's, or errStopping.
func (p *pipeline) ask(ctx context.Context, f func()) error {
	done := make(chan struct{})
	select {
	case p.asks <- func() { defer close(done); f() }:
	case <-p.closed:
		return errStopping
	case <-ctx.Done():
		return ctx.Err()
	}
	<-done
	return nil
}
