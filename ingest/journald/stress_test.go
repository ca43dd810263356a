//go:build linux && cgo

package journald_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"bailiff/ingest"
	"bailiff/ingest/ingesttest"
	"bailiff/ingest/journald/journaltest"
)

// hole is a gap as the log tells of it.
type hole struct {
	lost     uint64
	from, to time.Time
}

// holes is a slog.Handler that collects gaps.
type holes struct {
	mu  sync.Mutex
	all []hole
}

func (h *holes) Enabled(context.Context, slog.Level) bool { return true }
func (h *holes) WithAttrs([]slog.Attr) slog.Handler       { return h }
func (h *holes) WithGroup(string) slog.Handler            { return h }
func (h *holes) Handle(_ context.Context, r slog.Record) error {
	if !strings.Contains(r.Message, "removed before") {
		return nil
	}
	var one hole
	r.Attrs(func(a slog.Attr) bool {
		switch v := a.Value.Any().(type) {
		case uint64:
			one.lost = v
		case time.Time:
			if a.Key == "from" {
				one.from = v
			} else {
				one.to = v
			}
		}
		return true
	})
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = append(h.all, one)
	return nil
}

// within sums up what was lost in the gaps between two entries.
func (h *holes) within(from, to time.Time) (lost uint64) {
	for _, one := range h.all {
		if !one.from.Before(from) && !one.to.After(to) {
			lost += one.lost
		}
	}
	return lost
}

// A writer at full speed, rotation and vacuum in short turns, and a handler that
// stands still now and then until everything unread is gone: every line is read
// once, in order, or lies in a gap that was reported, with at least so many entries
// as lines are missing. BAILIFF_JOURNAL_STRESS=10m does it for ten minutes with a
// second between the turns.
func TestStress(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("this test needs root: sudo go test ./ingest/journald")
	}
	length, pause := 3*time.Second, 200*time.Millisecond
	if text := os.Getenv("BAILIFF_JOURNAL_STRESS"); text != "" {
		var err error
		if length, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
		pause = time.Second
	}
	j := journaltest.Start(t, "SystemMaxFileSize=4M")
	var gaps holes
	opts := options(true)
	opts.Since, opts.Logger = time.Hour, slog.New(&gaps)

	var (
		hold        sync.RWMutex
		reads, next int
		before      time.Time // when the last line was written
		missing     uint64
		ends        = make(chan struct{})
		last        = "not written yet"
	)
	type skipped struct {
		n        uint64
		from, to time.Time
	}
	var skips []skipped
	r := read(t, opts, func(e *ingest.Entry) {
		hold.RLock()
		defer hold.RUnlock()
		var n int
		if _, err := fmt.Sscanf(string(e.Message), "line %d", &n); err != nil {
			if string(e.Message) == last {
				close(ends)
			}
			return
		}
		if n < next {
			t.Errorf("line %d after line %d", n, next-1)
		}
		if n > next {
			skips = append(skips, skipped{uint64(n - next), before, e.Time})
			missing += uint64(n - next)
		}
		reads, next, before = reads+1, n+1, e.Time
		e.Identifier = nil // 80,000 a second need not be kept
	})

	conn, err := net.Dial("unixgram", j.DevLog())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	stop, written := make(chan struct{}), make(chan int)
	go func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				written <- n
				return
			default:
			}
			if _, err := fmt.Fprintf(conn, "<38>test: line %d", n); err != nil {
				t.Error(err)
				written <- n
				return
			}
		}
	}()
	turns := 0
	for end := time.Now().Add(length); time.Now().Before(end); turns++ {
		still := turns%4 == 3
		if still {
			hold.Lock()
			time.Sleep(pause) // the pipe fills, and then the reader waits
		}
		j.Rotate()
		j.Vacuum(turns % 2)
		time.Sleep(pause)
		if still {
			j.Rotate()
			j.Vacuum(0)
			hold.Unlock()
		}
	}
	close(stop)
	lines := <-written
	hold.Lock()
	last = "the end of the stress"
	hold.Unlock()
	if _, err := fmt.Fprintf(conn, "<38>test: %s", last); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ends:
	case <-time.After(time.Minute):
		t.Fatal("the last line does not come")
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	ingesttest.CheckCounts(t, r.src)
	t.Logf("read %d of %d lines in %d turns, missed %d in %d gaps; %d entries lost", reads, lines, turns, missing, len(gaps.all), r.count("lost"))
	if missing += uint64(lines - next); uint64(reads)+missing != uint64(lines) {
		t.Errorf("read %d and missed %d of %d lines", reads, missing, lines)
	}
	for _, s := range skips {
		if lost := gaps.within(s.from, s.to); lost < s.n {
			t.Errorf("%d lines are missing between %v and %v, and gaps there tell of %d", s.n, s.from, s.to, lost)
		}
	}
	if missing == 0 {
		t.Error("nothing was missed: the reader was not overtaken")
	}
	// journald has a few lines of its own to say at every turn.
	if lost := r.count("lost"); lost > missing+uint64(100*turns) {
		t.Errorf("missed %d lines, counted %d entries as lost", missing, lost)
	}
}
