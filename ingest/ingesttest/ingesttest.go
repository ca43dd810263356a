// Package ingesttest is the suite that every source of log lines passes.
package ingesttest

import (
	"context"
	"io"
	"sync"
	"testing"
	"time"

	"bailiff/ingest"
)

// Transport is a source under test and the way to write to it.
type Transport struct {
	// Source has not run yet. It takes every line written to it.
	Source ingest.Source
	// Dial opens one sender; it is called while the source runs. What is
	// written to a sender is one line, without a line feed, in the source's
	// own layout, and arrives in order. Closing the source's end makes
	// writing fail.
	Dial func(t *testing.T) io.WriteCloser
	// Senders is how many Dial can open; 0 means any number.
	Senders int
	// Drains says that the source hands out what had arrived when its
	// context ends, as it must if nobody keeps that.
	Drains bool
	// Waits says that a sender is held up when the source is: however much it
	// writes, nothing is lost.
	Waits bool
	// Independent says that a handler which blocks for one sender does not
	// hold up another.
	Independent bool
	// Resume makes a source that reads the same log from behind the entry with
	// this cursor, or from its beginning if that is nil. It is set if the
	// source's entries have cursors; Dial may then be called at any time.
	Resume func(t *testing.T, cursor []byte) ingest.Source
	// Line makes a line that arrives as message.
	Line func(message string) string
	// Ours tells the lines of the suite from those that the log has anyway; nil
	// if there are none.
	Ours func(*ingest.Entry) bool
}

// patience is how long the suite waits for what must happen.
const patience = 20 * time.Second

// perSender is how many lines each sender writes. It stays below what the
// receive buffer of an unprivileged UDP socket holds.
const perSender = 100

// Run runs the suite; open makes a new transport for each test.
func Run(t *testing.T, open func(t *testing.T) Transport) {
	t.Helper()
	t.Run("order", func(t *testing.T) { testOrder(t, open(t)) })
	t.Run("borrowed", func(t *testing.T) { testBorrowed(t, open(t)) })
	t.Run("entries", func(t *testing.T) { testEntries(t, open(t)) })
	t.Run("drained end", func(t *testing.T) { testDrainedEnd(t, open(t)) })
	t.Run("idle end", func(t *testing.T) { testIdleEnd(t, open(t)) })
	t.Run("counts", func(t *testing.T) { testCounts(t, open(t)) })
	t.Run("held up", func(t *testing.T) { testHeldUp(t, open(t)) })
	t.Run("independent", func(t *testing.T) { testIndependent(t, open(t)) })
	t.Run("run again", func(t *testing.T) { testRunAgain(t, open(t)) })
	t.Run("resume", func(t *testing.T) { testResume(t, open(t)) })
}

// run is a running source and what it has handed out.
type run struct {
	t      *testing.T
	cancel context.CancelFunc
	done   chan error

	mu      sync.Mutex
	changed chan struct{} // closed and renewed with each message
	seen    []string
	cursors []string // of seen
	busy    int      // handlers at work
	over    bool     // Run has returned
}

// start runs the source; look, if any, sees each entry first.
func start(t *testing.T, tr Transport, look func(*ingest.Entry)) *run {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := &run{t: t, cancel: cancel, done: make(chan error, 1), changed: make(chan struct{})}
	if b, ok := tr.Source.(interface{ Bind() error }); ok {
		if err := b.Bind(); err != nil {
			t.Fatal(err)
		}
	}
	go func() {
		err := tr.Source.Run(ctx, func(e *ingest.Entry) {
			if tr.Ours != nil && !tr.Ours(e) {
				return
			}
			message, cursor := string(e.Message), string(e.Cursor)
			r.enter(cursor, tr.Resume != nil)
			if look != nil {
				look(e)
			}
			r.leave(message, cursor)
		})
		r.mu.Lock()
		r.over = true
		r.mu.Unlock()
		r.done <- err
	}()
	t.Cleanup(cancel)
	return r
}

// enter holds what is true whenever a handler is called.
func (r *run) enter(cursor string, resumes bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.busy++
	switch {
	case r.over:
		r.t.Errorf("the handler is called after Run has returned")
	case resumes != (cursor != ""):
		r.t.Errorf("an entry has cursor %q", cursor)
	case resumes && r.busy > 1:
		r.t.Errorf("a source with cursors calls its handler twice at once")
	}
}

func (r *run) leave(message, cursor string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.busy--
	r.seen, r.cursors = append(r.seen, message), append(r.cursors, cursor)
	close(r.changed)
	r.changed = make(chan struct{})
}

// wait returns when n messages have been handed out, and all of them.
func (r *run) wait(n int) []string {
	r.t.Helper()
	deadline := time.After(patience)
	for {
		r.mu.Lock()
		seen, changed := r.seen, r.changed
		r.mu.Unlock()
		if len(seen) >= n {
			return seen
		}
		select {
		case <-changed:
		case err := <-r.done:
			r.t.Fatalf("Run returned %v after %d of %d messages", err, len(seen), n)
		case <-deadline:
			r.t.Fatalf("%d of %d messages arrived", len(seen), n)
		}
	}
}

// stop ends the source and returns all that it handed out.
func (r *run) stop() []string {
	r.t.Helper()
	r.cancel()
	select {
	case err := <-r.done:
		if err != nil {
			r.t.Errorf("Run returned %v at the end of its context, want nil", err)
		}
	case <-time.After(patience):
		r.t.Fatal("Run does not return at the end of its context")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen
}

func send(t *testing.T, w io.Writer, line string) {
	t.Helper()
	if _, err := w.Write([]byte(line)); err != nil {
		t.Errorf("send: %v", err)
	}
}

func (tr *Transport) senders(want int) int {
	if tr.Senders > 0 {
		return min(want, tr.Senders)
	}
	return want
}

// CheckCounts holds that the accounts of a source at rest balance, and that no line
// is on its way.
func CheckCounts(t *testing.T, c ingest.Counter) {
	t.Helper()
	counts := c.Counts()
	for _, i := range ingest.Balance(counts, counts) {
		t.Errorf("%v: %v", i, counts)
	}
	for _, n := range counts {
		if n.Standing() {
			t.Errorf("at rest, %d lines are %s", n.N, n.Name)
		}
	}
}

// Total returns the sum of one count, of all its reasons if reason is empty.
func Total(c ingest.Counter, name, reason string) (sum uint64) {
	for _, n := range c.Counts() {
		if n.Name == name && (reason == "" || n.Reason == reason) {
			sum += n.N
		}
	}
	return sum
}
