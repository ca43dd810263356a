package daemon

import (
	"context"
	"time"
)

// leastStep is by how much the clock has to be set for anything to be put right: it is
// disciplined all the time, and every stamp is a little older than now.
const leastStep = 2 * time.Second

// wallClock notices that the machine's clock was set, or stood still with the machine.
type wallClock struct {
	wall time.Time     // when it was looked at last
	run  time.Duration // how long the machine had run then
}

// step is by how much the clock was set since it was looked at last; run is how long the
// machine has run by now. What is less than leastStep adds up to nothing.
func (c *wallClock) step(wall time.Time, run time.Duration) time.Duration {
	wall = wall.Round(0)
	last := *c
	c.wall, c.run = wall, run
	if last.wall.IsZero() {
		return 0
	}
	by := wall.Sub(last.wall) - (run - last.run)
	if by.Abs() < leastStep {
		return 0
	}
	return by
}

// clockSet puts right what the engine and the kernel hold if the clock was set. The
// kernel ends bans by a clock of its own, so it must be told of the new ends. It runs on
// the judge.
func (d *daemon) clockSet(ctx context.Context, now time.Time) {
	by := d.clock.step(now, now.Sub(d.started))
	switch {
	case by == 0:
		return
	case by < 0:
		d.log.Warn("the clock was set back; bans and open windows follow it", "by", -by)
		d.pipe.settle(ctx, d.pipe.engine.SetBack(now, -by), nil)
	default:
		d.log.Warn("the clock was set forward, or the machine slept; bans end by the new time", "by", by)
	}
	d.pipe.engine.Expire(now)
	d.police.repair(ctx, d.pipe.engine.Standings(now))
}
