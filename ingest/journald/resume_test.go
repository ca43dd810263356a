//go:build linux && cgo

package journald_test

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bailiff/ingest/journald"
	"bailiff/ingest/journald/journaltest"
)

// A source that stops goes on behind its last entry, wherever rotation put it.
func TestResume(t *testing.T) {
	bothWays(t, func(t *testing.T, opts journald.Options) {
		j := journaltest.Start(t)
		write := writer(t)
		opts.Since = time.Hour
		var all []string
		for round := range 4 {
			r := read(t, opts, nil)
			for i := range 5 {
				write(fmt.Sprintf("%d.%d", round, i))
			}
			lines := r.until(fmt.Sprintf("%d.4", round))
			if err := r.stop(); err != nil {
				t.Fatal(err)
			}
			all = append(all, messages(lines)...)
			opts.Cursor = []byte(lines[len(lines)-1].Cursor)
			if lost := r.count("lost") + r.count("gaps"); lost > 0 {
				t.Errorf("round %d: %v", round, r.src.Counts())
			}
			switch round {
			case 0:
				j.Rotate()
			case 1:
				j.Restart()
			}
		}
		var want []string
		for round := range 4 {
			for i := range 5 {
				want = append(want, fmt.Sprintf("%d.%d", round, i))
			}
		}
		if diff := cmp.Diff(want, all); diff != "" {
			t.Error(diff)
		}
	})
}

// A cursor that was vacuumed away: go on with the oldest entry behind it, and
// say how much is missing.
func TestCursorVacuumed(t *testing.T) {
	bothWays(t, func(t *testing.T, opts journald.Options) {
		j := journaltest.Start(t)
		write := writer(t)
		opts.Since = time.Hour
		for i := range 10 {
			write(fmt.Sprint("removed ", i))
		}
		first := read(t, opts, nil)
		lines := first.until("removed 9")
		if err := first.stop(); err != nil {
			t.Fatal(err)
		}

		j.Rotate()
		write("kept 0")
		write("kept 1")
		j.Sync()
		j.Vacuum(0)

		var log strings.Builder
		opts.Logger = slog.New(slog.NewTextHandler(&log, nil))
		opts.Cursor = []byte(lines[3].Cursor)
		r := read(t, opts, nil)
		if diff := cmp.Diff([]string{"kept 0", "kept 1"}, messages(r.until("kept 1"))); diff != "" {
			t.Error(diff)
		}
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		// Six lines of ours; journald may have added some of its own.
		if lost, gaps := r.count("lost"), r.count("gaps"); lost < 6 || lost > 8 || gaps != 1 {
			t.Errorf("lost %d in %d gaps, want 6 in 1", lost, gaps)
		}
		if got := r.src.Detail(); !strings.HasPrefix(got, "gap of ") || !strings.Contains(got, "entries were removed") {
			t.Errorf("status says %q", got)
		}
		if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "length=") {
			t.Errorf("log: %s", got)
		}
	})
}

// If all that is missing is the saved entry itself, nothing is.
func TestCursorVacuumedWithoutGap(t *testing.T) {
	j := journaltest.Start(t)
	opts := options(false)
	opts.Since = time.Hour
	writer(t)("last")
	j.Sync()
	j.Rotate()
	first := read(t, opts, nil)
	writer(t)("on the other side")
	lines := first.until("on the other side")
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	opts.Cursor = []byte(lines[0].Cursor)
	j.Vacuum(0)
	r := read(t, opts, nil)
	r.until("on the other side")
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if r.count("gaps") != 0 {
		t.Errorf("counts %v", r.src.Counts())
	}
}

// A cursor that is not one is a first start.
func TestCursorInvalid(t *testing.T) {
	j := journaltest.Start(t)
	writer(t)("here")
	j.Sync()
	opts := options(true)
	opts.Since, opts.Cursor = time.Hour, []byte("not a cursor")
	read(t, opts, nil).until("here")
}

// The whole journal was removed, and numbers begin anew: go on with what is
// younger than the cursor, and say that nobody knows how much is missing.
func TestJournalRemoved(t *testing.T) {
	bothWays(t, func(t *testing.T, opts journald.Options) {
		j := journaltest.Start(t)
		opts.Since = time.Hour
		writer(t)("gone")
		first := read(t, opts, nil)
		opts.Cursor = []byte(first.until("gone")[0].Cursor)
		if err := first.stop(); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(j.Dir); err != nil {
			t.Fatal(err)
		}
		j.Restart()

		var log strings.Builder
		opts.Logger = slog.New(slog.NewTextHandler(&log, nil))
		r := read(t, opts, nil)
		writer(t)("new")
		if diff := cmp.Diff([]string{"new"}, messages(r.until("new"))); diff != "" {
			t.Error(diff)
		}
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		if r.count("gaps") != 1 || r.count("lost") != 0 || !strings.Contains(log.String(), "lost=unknown") {
			t.Errorf("counts %v, log: %s", r.src.Counts(), &log)
		}
	})
}
