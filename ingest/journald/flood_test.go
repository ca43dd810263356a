//go:build linux && cgo

package journald_test

import (
	"fmt"
	"testing"
	"time"

	"bailiff/ingest"
	"bailiff/ingest/journald"
	"bailiff/ingest/journald/journaltest"
)

// While a writer writes at full speed, files are rotated and vacuumed. Every
// line arrives once and in order, or is counted as lost. A slow handler makes
// vacuuming overtake the reader.
func TestFlood(t *testing.T) {
	for name, slow := range map[string]bool{"fast handler": false, "slow handler": true} {
		t.Run(name, func(t *testing.T) {
			bothWays(t, func(t *testing.T, opts journald.Options) {
				flood(t, opts, slow)
			})
		})
	}
}

func flood(t *testing.T, opts journald.Options, slow bool) {
	j := journaltest.Start(t, "SystemMaxFileSize=1M")
	write := writer(t)
	opts.Since = time.Hour
	seen, next, missing := 0, 0, 0
	r := read(t, opts, func(e *ingest.Entry) {
		var n int
		if _, err := fmt.Sscanf(string(e.Message), "line %d", &n); err != nil {
			return
		}
		switch {
		case n < next:
			t.Errorf("line %d after line %d", n, next-1)
		case n > next:
			missing += n - next
		}
		seen, next = seen+1, n+1
		if slow && n%500 == 0 {
			time.Sleep(20 * time.Millisecond)
		}
	})
	const lines = 30_000
	for i := range lines {
		write(fmt.Sprint("line ", i))
		if i%1000 == 999 {
			j.Rotate()
		}
		if i%3000 == 2999 {
			j.Vacuum(1)
		}
	}
	write("end")
	r.until("end")
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	missing += lines - next
	lost := int(r.count("lost"))
	t.Logf("read %d of %d, lost %d, %v", seen, lines, lost, r.src.Counts())
	if seen+missing != lines {
		t.Errorf("read %d and missed %d of %d lines", seen, missing, lines)
	}
	// journald's own lines can be lost as well.
	if missing > lost || lost > missing+100 {
		t.Errorf("missed %d lines, %d counted as lost", missing, lost)
	}
	if slow == (missing == 0) {
		t.Logf("missed %d with slow == %v: not what this case is for", missing, slow)
	}
}
