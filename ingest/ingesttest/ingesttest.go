// Package ingesttest is the suite that every source of log lines passes.
package ingesttest

import (
	"context"
	"fmt"
	"io"
	"strings"
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
	// Line makes a line that arrives as message.
	Line func(message string) string
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
}

// run is a running source and what it has handed out.
type run struct {
	t      *testing.T
	cancel context.CancelFunc
	done   chan error

	mu      sync.Mutex
	changed chan struct{} // closed and renewed with each message
	seen    []string
	over    bool // Run has returned
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
			message := string(e.Message)
			if look != nil {
				look(e)
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			if r.over {
				t.Errorf("the handler is called after Run has returned")
			}
			r.seen = append(r.seen, message)
			close(r.changed)
			r.changed = make(chan struct{})
		})
		r.mu.Lock()
		r.over = true
		r.mu.Unlock()
		r.done <- err
	}()
	t.Cleanup(cancel)
	return r
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

// testOrder holds that nothing is lost, added or reordered for one sender.
func testOrder(t *testing.T, tr Transport) {
	r := start(t, tr, nil)
	senders := tr.senders(3)
	var wg sync.WaitGroup
	for s := range senders {
		w := tr.Dial(t)
		wg.Go(func() {
			defer w.Close()
			for i := range perSender {
				send(t, w, tr.Line(fmt.Sprintf("sender %d line %d", s, i)))
			}
		})
	}
	wg.Wait()
	r.wait(senders * perSender)
	next := make([]int, senders)
	for _, m := range r.stop() {
		var s, i int
		if _, err := fmt.Sscanf(m, "sender %d line %d", &s, &i); err != nil || s >= senders {
			t.Fatalf("nobody sent %q", m)
		}
		if i != next[s] {
			t.Fatalf("sender %d: line %d arrived where %d was due", s, i, next[s])
		}
		next[s]++
	}
	for s, n := range next {
		if n != perSender {
			t.Errorf("sender %d: %d lines arrived, want %d", s, n, perSender)
		}
	}
}

// testBorrowed holds that a source does not rely on the bytes that it has handed
// out.
func testBorrowed(t *testing.T, tr Transport) {
	scribble := func(b []byte) {
		for i := range b {
			b[i] = '\n'
		}
	}
	r := start(t, tr, func(e *ingest.Entry) {
		for _, b := range [][]byte{e.Host, e.Identifier, e.ProcID, e.Message, e.Unit} {
			scribble(b)
		}
		e.Host, e.Message, e.Repeat = nil, nil, 7
	})
	w := tr.Dial(t)
	defer w.Close()
	for i := range perSender {
		send(t, w, tr.Line(fmt.Sprintf("line %d", i)))
	}
	r.wait(perSender)
	for i, m := range r.stop() {
		if want := fmt.Sprintf("line %d", i); m != want {
			t.Fatalf("%q arrived, want %q", m, want)
		}
	}
}

// testEntries holds what is true of every entry.
func testEntries(t *testing.T, tr Transport) {
	before := time.Now()
	r := start(t, tr, func(e *ingest.Entry) {
		if e.Source != tr.Source.Name() {
			t.Errorf("source %q, want %q", e.Source, tr.Source.Name())
		}
		if e.Received.Before(before.Add(-time.Second)) || e.Received.After(time.Now().Add(time.Second)) {
			t.Errorf("received at %v", e.Received)
		}
		if e.Time.IsZero() || e.Time.After(e.Received) {
			t.Errorf("happened at %v, received at %v", e.Time, e.Received)
		}
		if e.Repeat < 1 || len(e.Message) > ingest.MaxMessage {
			t.Errorf("%d bytes × %d", len(e.Message), e.Repeat)
		}
		if long := len(e.Message) == ingest.MaxMessage; e.Truncated != long {
			t.Errorf("truncated %v with %d bytes", e.Truncated, len(e.Message))
		}
	})
	w := tr.Dial(t)
	defer w.Close()
	long := strings.Repeat("x", ingest.MaxMessage)
	send(t, w, tr.Line("first"))
	send(t, w, tr.Line(long+"yy"))
	send(t, w, tr.Line("last"))
	r.wait(3)
	want := []string{"first", long, "last"}
	for i, m := range r.stop() {
		if m != want[i] {
			t.Errorf("message %d is %.40q (%d bytes), want %.40q", i, m, len(m), want[i])
		}
	}
}

// testDrainedEnd holds that what was sent before the end of the context is
// handed out.
func testDrainedEnd(t *testing.T, tr Transport) {
	if !tr.Drains {
		t.Skip("what is not read can be read again")
	}
	entered, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	r := start(t, tr, func(*ingest.Entry) {
		once.Do(func() { close(entered); <-release })
	})
	w := tr.Dial(t)
	defer w.Close()
	send(t, w, tr.Line("line 0"))
	<-entered
	// The source is held up in its handler while the rest arrives. A unix
	// socket may queue no more than ten datagrams (net.unix.max_dgram_qlen).
	const n = 8
	for i := 1; i < n; i++ {
		send(t, w, tr.Line(fmt.Sprintf("line %d", i)))
	}
	r.cancel()
	close(release)
	if seen := r.stop(); len(seen) != n {
		t.Errorf("%d of %d messages were handed out", len(seen), n)
	}
}

// testIdleEnd holds that a source that waits for a silent sender ends.
func testIdleEnd(t *testing.T, tr Transport) {
	r := start(t, tr, nil)
	w := tr.Dial(t)
	defer w.Close()
	send(t, w, tr.Line("x"))
	r.wait(1)
	r.stop()
}

// testCounts holds that each line received met one fate.
func testCounts(t *testing.T, tr Transport) {
	c, ok := tr.Source.(ingest.Counter)
	if !ok {
		t.Skip("the source does not count")
	}
	r := start(t, tr, nil)
	w := tr.Dial(t)
	defer w.Close()
	for i := range perSender {
		send(t, w, tr.Line(fmt.Sprintf("line %d", i)))
	}
	send(t, w, tr.Line(strings.Repeat("x", ingest.MaxMessage+1)))
	r.wait(perSender + 1)
	r.stop()
	CheckCounts(t, c)
	got := Total(c, "delivered", "")
	if got != perSender+1 {
		t.Errorf("%d delivered, want %d", got, perSender+1)
	}
	if got := Total(c, "truncated", ""); got != 1 {
		t.Errorf("%d truncated, want 1", got)
	}
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
