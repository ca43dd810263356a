package daemon

import (
	"testing"
	"time"
)

// TestStepOfTheClock: what the clock of the wall runs more or less than the machine is by how
// much it was set.
func TestStepOfTheClock(t *testing.T) {
	start := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	var c wallClock
	for i, x := range []struct {
		wall time.Time
		run  time.Duration
		want time.Duration
	}{
		{start, 0, 0},
		{start.Add(time.Second), time.Second, 0},
		{start.Add(3 * time.Second), 2 * time.Second, 0},     // it is disciplined
		{start.Add(time.Hour), time.Hour - time.Second, 0},   // the judge had much to do
		{start, time.Hour, -time.Hour - time.Second},         // set back
		{start.Add(time.Second), time.Hour + time.Second, 0}, // once
		{start.AddDate(1, 0, 0), time.Hour + 2*time.Second, 8760*time.Hour - 2*time.Second},
	} {
		if got := c.step(x.wall, x.run); got != x.want {
			t.Errorf("look %d: set by %v, want %v", i, got, x.want)
		}
	}
}
