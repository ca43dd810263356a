package decide

import (
	"container/heap"
	"math"
	"net/netip"
	"slices"
	"time"
)

// sweepBudget is how many windows one Expire forgets. The end of a flood must
// not hold up what comes next; the others wait for the next call.
const sweepBudget = 1000

// Expire forgets bans that have ended and windows that have been silent for
// find_time. It returns the bans that hold now because one that held before them
// has ended. Call it about once a second; it costs as much as it forgets.
func (e *Engine) Expire(now time.Time) []Decision {
	e.orders.expire(now)
	var next []Decision
	for len(e.ends) > 0 && !now.Before(e.ends[0].at) {
		p := heap.Pop(&e.ends).(ending).prefix
		bans, _ := e.bans.Get(p)
		left := slices.DeleteFunc(slices.Clone(bans), func(b Decision) bool { return !b.Active(now) })
		if len(left) == len(bans) {
			continue // lifted, or longer by now
		}
		e.keep(p, left)
		if b, ok := standing(left, now); ok {
			next = append(next, b)
		}
	}
	budget := sweepBudget
	for _, d := range e.dockets {
		budget = d.sweep(e, now, budget)
	}
	e.known.prune(now)
	e.forgetGuesses(now)
	for about, at := range e.rung {
		if now.Sub(at).Abs() >= alarmEvery {
			delete(e.rung, about)
		}
	}
	slices.SortFunc(next, byPrefix)
	return next
}

// ending is when a ban ends, unless it is lifted or replaced before.
type ending struct {
	at     time.Time
	prefix netip.Prefix
}

// endings is a heap, the next one first.
type endings []ending

func (h endings) Len() int           { return len(h) }
func (h endings) Less(i, k int) bool { return h[i].at.Before(h[k].at) }
func (h endings) Swap(i, k int)      { h[i], h[k] = h[k], h[i] }

// Push implements heap.Interface.
func (h *endings) Push(x any) { *h = append(*h, x.(ending)) }

// Pop implements heap.Interface.
func (h *endings) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// never is the latest time that a number of nanoseconds can say: the year 2262.
var never = time.Unix(0, math.MaxInt64)

// nanos is a time as windows keep it.
func nanos(t time.Time) int64 {
	if t.After(never) {
		return math.MaxInt64
	}
	return t.UnixNano()
}

// end is when a ban ends, as windows keep it.
func end(until time.Time) int64 {
	if until.IsZero() {
		return math.MaxInt64
	}
	return nanos(until)
}
