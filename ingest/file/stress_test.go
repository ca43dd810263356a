package file

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"bailiff/ingest"
	"bailiff/ingest/ingesttest"
	"bailiff/ingest/stream"
)

// appender is a sender of the conformance suite: one log file.
type appender struct{ *os.File }

func (a appender) Write(line []byte) (int, error) { return a.WriteString(string(line) + "\n") }

// TestConformance is once of a source that relies on being told of changes, and
// once of one that is told of none.
func TestConformance(t *testing.T) {
	for _, quiet := range []bool{false, true} {
		t.Run(fmt.Sprintf("polled %v", quiet), func(t *testing.T) {
			ingesttest.Run(t, func(t *testing.T) ingesttest.Transport {
				dir := t.TempDir()
				opts := DefaultOptions()
				opts.Paths = []string{filepath.Join(dir, "*.log")}
				opts.FromStart, opts.polled, opts.every = true, quiet, time.Hour
				open := func(t *testing.T, cursor []byte) ingest.Source {
					opts.Cursor = cursor
					src, err := New(opts)
					if err != nil {
						t.Fatal(err)
					}
					return src
				}
				files := 0
				return ingesttest.Transport{
					Source: open(t, nil),
					Resume: open,
					Waits:  true,
					Dial: func(t *testing.T) io.WriteCloser {
						files++
						f, err := os.Create(filepath.Join(dir, fmt.Sprintf("%d.log", files)))
						if err != nil {
							t.Fatal(err)
						}
						return appender{f}
					},
					Line: func(message string) string { return message },
				}
			})
		})
	}
}

// gauge checks that each numbered line comes once.
type gauge struct {
	times   []atomic.Uint32
	n       atomic.Int64
	stray   atomic.Uint64
	arrived sync.Cond // tells of n, with mu
	mu      sync.Mutex
	order   []int
	cursors [][]byte // of every so many entries
	after   []int    // how many lines had come then
}

func (g *gauge) take(e *ingest.Entry) {
	var i int
	if _, err := fmt.Sscanf(string(e.Message), "line %d", &i); err != nil || i < 1 || i >= len(g.times) {
		g.stray.Add(1)
		return
	}
	g.times[i].Add(1)
	g.order = append(g.order, i)
	g.mu.Lock()
	g.n.Add(1)
	g.mu.Unlock()
	g.arrived.Broadcast()
}

// newGauge returns a gauge of that many lines.
func newGauge(lines int) *gauge {
	g := &gauge{times: make([]atomic.Uint32, lines+1)}
	g.arrived.L = &g.mu
	return g
}

// await waits until that many lines have come, or check will complain of those that do not.
func (g *gauge) await(lines int) {
	late := false
	defer time.AfterFunc(20*time.Second, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		late = true
		g.arrived.Broadcast()
	}).Stop()
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.n.Load() < int64(lines) && !late {
		g.arrived.Wait()
	}
}

func (g *gauge) check(t *testing.T) {
	t.Helper()
	var lost, twice int
	first := 0
	for i := range g.times[1:] {
		n := g.times[i+1].Load()
		switch {
		case n == 0:
			lost++
		case n > 1:
			twice++
		default:
			continue
		}
		if first == 0 {
			first = i + 1
		}
	}
	if lost+twice > 0 || g.stray.Load() > 0 {
		t.Errorf("of %d lines %d are lost and %d came more than once (first %d); %d others came",
			len(g.times)-1, lost, twice, first, g.stray.Load())
	}
}

// writer writes numbered lines to a log and rotates it after each part.
type writer struct {
	t     testing.TB
	path  string
	f     *os.File
	next  int // line
	parts int
}

func newWriter(t testing.TB, path string) *writer {
	w := &writer{t: t, path: path, next: 1}
	w.open()
	return w
}

func (w *writer) open() {
	f, err := os.OpenFile(w.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		w.t.Error(err)
	}
	w.f = f
}

func (w *writer) write(lines int) {
	b := bufio.NewWriterSize(w.f, 1000) // so that lines are torn
	for range lines {
		fmt.Fprintf(b, "line %d %s\n", w.next, strings.Repeat(".", w.next%50))
		w.next++
	}
	b.Flush()
}

func (w *writer) rename() {
	w.parts++
	old := w.f
	if err := os.Rename(w.path, fmt.Sprintf("%s.%d", w.path, w.parts)); err != nil {
		w.t.Error(err)
	}
	w.write(3) // to the old file, as a daemon that was not told yet
	w.open()
	old.Close()
}

func (w *writer) copyTruncate() {
	w.parts++
	text, err := os.ReadFile(w.path)
	if err == nil {
		err = os.WriteFile(fmt.Sprintf("%s.%d", w.path, w.parts), text, 0o644)
	}
	if err := errors.Join(err, os.Truncate(w.path, 0)); err != nil {
		w.t.Error(err)
	}
}

// follow runs a source until it has handed out all lines that g expects and the
// writer is done, and looks once more whether any comes again.
func follow(t *testing.T, opts Options, g *gauge, writer *writer, work func()) *Source {
	t.Helper()
	src, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	all := int64(len(g.times) - 1)
	began, arrived, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	take := func(e *ingest.Entry) {
		g.take(e)
		if n := g.n.Load(); n%500 == 0 {
			g.cursors, g.after = append(g.cursors, bytes.Clone(e.Cursor)), append(g.after, int(n))
		}
	}
	go func() {
		done <- src.Run(ctx, func(e *ingest.Entry) {
			switch take(e); g.n.Load() {
			case 1:
				close(began)
			case all:
				close(arrived)
			}
		})
	}()
	writer.write(1) // what is rotated before the source begins is none of its business
	<-began
	work()
	select {
	case <-arrived:
	case <-time.After(20 * time.Second):
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	src.begin(take)
	src.read(t.Context())
	src.scan(false)
	for src.read(t.Context()) {
	}
	src.end()
	g.check(t)
	ingesttest.CheckCounts(t, src)
	return src
}

func stress(t *testing.T, glob string) (Options, string) {
	dir := t.TempDir()
	opts := DefaultOptions()
	opts.Paths = []string{filepath.Join(dir, glob)}
	opts.Format, opts.FromStart = stream.Message, true
	return opts, filepath.Join(dir, "a.log")
}

// TestRotationUnderLoad rotates a log after every few hundred lines, as fast as it
// can be written.
func TestRotationUnderLoad(t *testing.T) {
	const parts, lines = 100, 500
	for name, rotate := range map[string]func(*writer){"rename": (*writer).rename, "copytruncate": (*writer).copyTruncate} {
		for _, glob := range []string{"a.log", "a.log*"} {
			t.Run(name+" "+glob, func(t *testing.T) {
				opts, path := stress(t, glob)
				w := newWriter(t, path)
				total := parts * lines
				if name == "rename" {
					total += parts * 3
				}
				g := newGauge(total + 1)
				src := follow(t, opts, g, w, func() {
					for range parts {
						w.write(lines)
						rotate(w)
					}
				})
				if src.rotations.Load() == 0 {
					t.Error("no rotation was seen")
				}
			})
		}
	}
}

// TestResumeUnderLoad goes on at earlier positions: exactly the lines behind them
// come again.
func TestResumeUnderLoad(t *testing.T) {
	const parts, lines = 60, 300
	opts, path := stress(t, "a.log*")
	w := newWriter(t, path)
	g := newGauge(parts*(lines+3) + 1)
	follow(t, opts, g, w, func() {
		for range parts {
			w.write(lines)
			w.rename()
		}
	})
	all := len(g.order)
	for i, cursor := range g.cursors {
		again := &gauge{times: g.times}
		opts.Cursor = cursor
		src, err := New(opts)
		if err != nil {
			t.Fatal(err)
		}
		src.begin(again.take)
		for src.read(t.Context()) {
		}
		src.end()
		want := slices.Sorted(slices.Values(g.order[g.after[i]:]))
		got := slices.Sorted(slices.Values(again.order))
		if !slices.Equal(want, got) {
			t.Errorf("after %d of %d lines: %d came, want %d", g.after[i], all, len(got), len(want))
		}
	}
	if len(g.cursors) < 10 {
		t.Errorf("%d positions were tried", len(g.cursors))
	}
}
