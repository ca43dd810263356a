package file

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"bailiff/ingest"
	"bailiff/ingest/stream"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// running is a source that runs.
type running struct {
	t     *testing.T
	lines chan string
	stop  func()
}

func (r *rig) run() *running {
	r.Helper()
	src, err := New(r.opts)
	if err != nil {
		r.Fatal(err)
	}
	ctx, cancel := context.WithCancel(r.Context())
	lines, done := make(chan string, 1000), make(chan error, 1)
	go func() {
		done <- src.Run(ctx, func(e *ingest.Entry) { lines <- string(e.Message) })
	}()
	return &running{t: r.T, lines: lines, stop: func() {
		r.Helper()
		cancel()
		if err := <-done; err != nil {
			r.Error(err)
		}
	}}
}

func (r *running) await(line string) {
	r.t.Helper()
	select {
	case got := <-r.lines:
		if got != line {
			r.t.Fatalf("%q, want %q", got, line)
		}
	case <-time.After(patience):
		r.t.Fatalf("%q does not come", line)
	}
}

// TestNotified holds that changes are noticed without asking: the globs are asked
// once an hour here.
func TestNotified(t *testing.T) {
	r := newRig(t, "logs/*.log", "current")
	r.do(os.Mkdir(r.path("logs"), 0o755), os.Mkdir(r.path("elsewhere"), 0o755))
	r.write("elsewhere/1", "old\n")
	r.do(os.Symlink("elsewhere/1", r.path("current")))
	r.opts.every, r.opts.FromStart = time.Hour, true
	run := r.run()
	run.await("old")
	r.write("elsewhere/1", "through the link\n")
	run.await("through the link")
	r.write("logs/a.log", "new file\n")
	run.await("new file")
	r.rename("logs/a.log", "logs/a.log.1")
	r.write("logs/a.log", "after rename\n")
	run.await("after rename")
	r.write("elsewhere/2", "of the new target\n")
	r.do(os.Symlink("elsewhere/2", r.path("next")))
	r.rename("next", "current")
	run.await("of the new target")
	r.write("elsewhere/2", "more\n")
	run.await("more")
	r.truncate("elsewhere/2")
	r.write("elsewhere/2", "after truncation\n")
	run.await("after truncation")
	run.stop()
}

// TestSweep holds that what nobody tells is found by asking, in time: here in that
// of the bubble.
func TestSweep(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		opts := DefaultOptions()
		opts.Paths, opts.Format, opts.polled = []string{filepath.Join(dir, "d", "a.log")}, stream.Message, true
		src, err := New(opts)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var got []string
		go func() {
			if err := src.Run(ctx, func(e *ingest.Entry) { got = append(got, string(e.Message)) }); err != nil {
				t.Error(err)
			}
		}()
		synctest.Wait()
		if src.Trouble() == nil {
			t.Error("no trouble without the directory")
		}
		if err := os.Mkdir(filepath.Join(dir, "d"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(opts.Paths[0], []byte("late\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		time.Sleep(polled + time.Millisecond)
		synctest.Wait()
		if len(got) != 1 || got[0] != "late" || src.Trouble() != nil || src.Detail() != "1 file" {
			t.Errorf("%q, %v, %s", got, src.Trouble(), src.Detail())
		}
		cancel()
		synctest.Wait()
		if src.Detail() != "0 files" {
			t.Errorf("after the end %s", src.Detail())
		}
	})
}
