package main

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestProgress: a replay that is quick draws nothing, another ten times a second.
func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		p := newProgress(&out, []*log{{size: 200}})
		p.w, p.read = &out, 100
		p.lines(1)
		if out.Len() > 0 {
			t.Errorf("drawn at once: %q", &out)
		}
		time.Sleep(2 * time.Second)
		p.lines(5000)
		p.lines(5001)
		want := "\r\x1b[K" + strings.Repeat("█", 15) + strings.Repeat("░", 15) + "  50 %  5000 lines, 2500 a second"
		if out.String() != want {
			t.Errorf("drawn %q, want %q", &out, want)
		}
		p.done()
		if !strings.HasSuffix(out.String(), "\r\x1b[K") {
			t.Errorf("left behind: %q", &out)
		}
	})
}
