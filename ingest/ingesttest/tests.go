package ingesttest

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bailiff/ingest"
)

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
	var others atomic.Uint64
	if ours := tr.Ours; ours != nil {
		tr.Ours = func(e *ingest.Entry) bool {
			ok := ours(e)
			if !ok {
				others.Add(1)
			}
			return ok
		}
	}
	r := start(t, tr, nil)
	w := tr.Dial(t)
	defer w.Close()
	for i := range perSender {
		send(t, w, tr.Line(fmt.Sprintf("line %d", i)))
		// Whoever asks while lines move must find no sum that is off.
		early := c.Counts()
		for _, off := range ingest.Balance(early, c.Counts()) {
			t.Errorf("after %d lines: %v", i+1, off)
		}
	}
	send(t, w, tr.Line(strings.Repeat("x", ingest.MaxMessage+1)))
	send(t, w, tr.Line("\x1b[1;31mx"))
	const sent = perSender + 2
	r.wait(sent)
	r.stop()
	CheckCounts(t, c)
	if got := Total(c, "delivered", ""); got != sent+others.Load() {
		t.Errorf("%d delivered, want %d and %d of others", got, sent, others.Load())
	}
	for _, name := range []string{"truncated", "cleaned"} {
		if got := Total(c, name, ""); got != 1 && tr.Ours == nil {
			t.Errorf("%d %s, want 1", got, name)
		}
	}
}

// testHeldUp holds that a source whose handler does not return loses nothing that
// it could keep, and goes on where it was; and that it can be asked meanwhile.
func testHeldUp(t *testing.T, tr Transport) {
	entered, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	r := start(t, tr, func(*ingest.Entry) {
		once.Do(func() { close(entered); <-release })
	})
	w := tr.Dial(t)
	lines, text := perSender, ""
	if tr.Waits {
		lines, text = 4000, strings.Repeat(" more of it", 180) // more than buffers hold
	}
	line := func(i int) string { return fmt.Sprintf("line %d", i) + text }
	send(t, w, tr.Line(line(0)))
	<-entered
	written := make(chan struct{})
	go func() {
		defer close(written)
		defer w.Close()
		for i := 1; i < lines; i++ {
			send(t, w, tr.Line(line(i)))
		}
	}()
	if c, ok := tr.Source.(ingest.Counter); ok {
		if early := c.Counts(); Total(c, ingest.InHand, "") != 1 {
			t.Errorf("a handler is at work, and the counts do not say so: %v", early)
		}
	}
	if tr.Source.Name() == "" {
		t.Error("the source has no name")
	}
	close(release)
	<-written
	r.wait(lines)
	for i, m := range r.stop() {
		if m != line(i) {
			t.Fatalf("%.40q arrived, want %.40q", m, line(i))
		}
	}
}

// testIndependent holds that a handler which blocks for one sender blocks no other.
func testIndependent(t *testing.T, tr Transport) {
	if !tr.Independent {
		t.Skip("all senders are read by one goroutine")
	}
	entered, release := make(chan struct{}), make(chan struct{})
	r := start(t, tr, func(e *ingest.Entry) {
		if bytes.Equal(e.Message, []byte("hold")) {
			close(entered)
			<-release
		}
	})
	held, free := tr.Dial(t), tr.Dial(t)
	defer held.Close()
	defer free.Close()
	send(t, held, tr.Line("hold"))
	<-entered
	send(t, held, tr.Line("behind it"))
	for i := range perSender {
		send(t, free, tr.Line(fmt.Sprintf("line %d", i)))
	}
	for _, m := range r.wait(perSender) {
		if !strings.HasPrefix(m, "line ") {
			t.Errorf("%q passed the one that is held", m)
		}
	}
	close(release)
	r.wait(perSender + 2)
	seen := r.stop()
	if diff := cmp.Diff([]string{"hold", "behind it"}, seen[perSender:]); diff != "" {
		t.Errorf("behind the others (-want +got):\n%s", diff)
	}
}

// testRunAgain holds that a source which has stopped can go on: one that resumes
// without a gap, any other with what it is sent then.
func testRunAgain(t *testing.T, tr Transport) {
	var seen, want []string
	for round := range 3 {
		var w io.WriteCloser
		part := []string{fmt.Sprint("first of ", round), fmt.Sprint("last of ", round)}
		if tr.Resume != nil { // what is written while nobody reads is read later
			w = tr.Dial(t)
			send(t, w, tr.Line(part[0]))
		}
		r := start(t, tr, nil)
		if tr.Resume == nil {
			if w = tr.again(t, round); w == nil {
				r.stop()
				return
			}
			send(t, w, tr.Line(part[0]))
		}
		send(t, w, tr.Line(part[1]))
		r.wait(2)
		seen, want = append(seen, r.stop()...), append(want, part...)
		w.Close()
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// again dials once more, if the transport can be.
func (tr *Transport) again(t *testing.T, times int) io.WriteCloser {
	if tr.Senders > 0 && times >= tr.Senders {
		return nil
	}
	return tr.Dial(t)
}

// testResume holds that whatever cursor was kept, a source that starts behind it
// hands out exactly what came after.
func testResume(t *testing.T, tr Transport) {
	if tr.Resume == nil {
		t.Skip("the source does not resume")
	}
	w := tr.Dial(t)
	defer w.Close()
	const lines = 20
	var want []string
	write := func(message string) {
		want = append(want, message)
		send(t, w, tr.Line(message))
	}
	r := start(t, tr, nil)
	for i := range lines {
		write(fmt.Sprint("line ", i))
	}
	r.wait(lines)
	r.stop()
	cursors := append([]string{""}, r.cursors...)
	write("while nobody read")
	for i := 0; i < len(cursors); i += 4 {
		next := tr
		if next.Source = tr.Resume(t, []byte(cursors[i])); i == 0 {
			next.Source = tr.Resume(t, nil)
		}
		r := start(t, next, nil)
		r.wait(len(want) - i)
		write(fmt.Sprint("behind cursor ", i)) // what came too much is seen by then
		r.wait(len(want) - i)
		if diff := cmp.Diff(want[i:], r.stop()); diff != "" {
			t.Errorf("behind cursor %d of %d (-want +got):\n%s", i, lines, diff)
		}
		if c, ok := next.Source.(ingest.Counter); ok {
			CheckCounts(t, c)
		}
	}
}
