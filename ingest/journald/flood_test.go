//go:build linux && cgo

package journald_test

import (
	"fmt"
	"testing"
	"time"

	"bailiff/ingest"
	"bailiff/ingest/ingesttest"
	"bailiff/ingest/journald"
	"bailiff/ingest/journald/journaltest"
)

// While a writer writes at full speed, files are rotated and vacuumed. Every
// line arrives once and in order, or is counted as lost.
func TestFlood(t *testing.T) {
	bothWays(t, func(t *testing.T, opts journald.Options) {
		flood(t, opts, nil)
	})
}

// The same with a handler that stands still while it happens, so that
// vacuuming overtakes the reader. libsystemd tells nothing of that.
func TestOvertaken(t *testing.T) {
	bothWays(t, func(t *testing.T, opts journald.Options) {
		if missing := flood(t, opts, make(chan struct{})); missing == 0 {
			t.Error("nothing was missed: the reader was not overtaken")
		}
	})
}

// flood returns how many lines did not arrive. If hold is given, the handler
// stops at the tenth line until everything is written.
func flood(t *testing.T, opts journald.Options, hold chan struct{}) (missing int) {
	j := journaltest.Start(t, "SystemMaxFileSize=1M")
	write := writer(t)
	opts.Since = time.Hour
	seen, next := 0, 0
	r := read(t, opts, func(e *ingest.Entry) {
		var n int
		if _, err := fmt.Sscanf(string(e.Message), "line %d", &n); err != nil {
			return
		}
		if n < next {
			t.Errorf("line %d after line %d", n, next-1)
		}
		missing += n - next
		seen, next = seen+1, n+1
		if seen == 10 && hold != nil {
			<-hold
		}
	})
	const lines = 20_000
	for i := range lines {
		write(fmt.Sprint("line ", i))
		if i%1000 == 999 {
			j.Rotate()
		}
		if i%3000 == 2999 {
			j.Vacuum(1)
		}
	}
	if hold != nil {
		close(hold)
	}
	write("end")
	r.until("end")
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	missing += lines - next
	ingesttest.CheckCounts(t, r.src)
	lost := int(r.count("lost"))
	t.Logf("read %d of %d lines, %d entries counted as lost", seen, lines, lost)
	if seen+missing != lines {
		t.Errorf("read %d and missed %d of %d lines", seen, missing, lines)
	}
	// journald writes lines of its own at every rotation; those may be among
	// the lost.
	if lost < missing || lost > missing+100 {
		t.Errorf("missed %d lines, counted %d as lost", missing, lost)
	}
	return missing
}
