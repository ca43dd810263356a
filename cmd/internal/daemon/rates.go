package daemon

import (
	"time"

	"bailiff/decide"
)

// ring counts over the last steps of time, the one that is under way included.
type ring struct {
	step  time.Duration
	cells []uint64
	last  int64 // the step that is counted in
}

func newRing(step time.Duration, steps int) ring {
	return ring{step: step, cells: make([]uint64, steps)}
}

// turn empties the cells of the steps that have passed. A clock that was set back a
// little passes none.
func (r *ring) turn(now time.Time) {
	at := now.UnixNano() / int64(r.step)
	if r.last-at > int64(len(r.cells)) { // it was wrong before
		clear(r.cells)
		r.last = at
	}
	for n := min(at-r.last, int64(len(r.cells))); n > 0; n-- {
		r.cells[(at-n+1)%int64(len(r.cells))] = 0
	}
	r.last = max(r.last, at)
}

func (r *ring) add(now time.Time, n uint64) {
	r.turn(now)
	r.cells[r.last%int64(len(r.cells))] += n
}

func (r *ring) sum(now time.Time) (n uint64) {
	r.turn(now)
	for _, c := range r.cells {
		n += c
	}
	return n
}

// gauge counts over the last minute, hour and day, each to a sixtieth of it or less, the
// day to the hour.
type gauge [3]ring

func newGauge() gauge {
	return gauge{newRing(time.Second, 60), newRing(time.Minute, 60), newRing(time.Hour, 24)}
}

func (g *gauge) add(now time.Time, n uint64) {
	if n == 0 {
		return
	}
	for i := range g {
		g[i].add(now, n)
	}
}

// rates are the gauges of each jail. They belong to the judge.
type rates map[string]*jailRates

type jailRates struct{ matches, bans gauge }

func (r rates) of(jail string) *jailRates {
	j := r[jail]
	if j == nil {
		j = &jailRates{newGauge(), newGauge()}
		r[jail] = j
	}
	return j
}

func (r rates) add(scores []decide.Score) {
	for i := range scores {
		s := &scores[i]
		j := r.of(s.Jail)
		j.matches.add(s.At, s.Matches)
		j.bans.add(s.At, s.Bans)
	}
}
