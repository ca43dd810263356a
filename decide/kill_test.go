package decide

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"bailiff/rules"
)

// disk is what a store keeps of an engine.
type disk struct {
	past    *record
	bans    map[string]Decision // that stand, by prefix and jail
	windows map[string]Window
	known   map[string]Known
	held    map[string]Held
}

func newDisk() *disk {
	return &disk{past: &record{}, bans: map[string]Decision{}, windows: map[string]Window{}, known: map[string]Known{}, held: map[string]Held{}}
}

// commit is one transaction.
func (k *disk) commit(t *testing.T, e *Engine, decisions []Decision) {
	t.Helper()
	for _, d := range decisions {
		switch key := d.Prefix.String() + d.Jail; d.Action {
		case Ban:
			if !d.Spent {
				k.bans[key] = d
			}
			k.past.commit([]Decision{d})
		case Lift:
			delete(k.bans, key)
			k.past.end(&d)
		case Alarm:
		}
	}
	e.Committed()
	keep(t, k.windows, e.Touched())
	for _, known := range e.KnownTouched() {
		if key := known.Prefix.String() + known.Account; known.Last.IsZero() {
			delete(k.known, key)
		} else {
			k.known[key] = known
		}
	}
	for _, h := range e.HeldTouched() {
		if key := h.Prefix.String() + h.Jail; h.Over {
			delete(k.held, key)
		} else {
			k.held[key] = h
		}
	}
}

// boot starts an engine on what is there.
func (k *disk) boot(t *testing.T, opt Options, now time.Time) *Engine {
	t.Helper()
	e, err := New(opt, k.past)
	if err != nil {
		t.Fatal(err)
	}
	var standing []Decision
	for _, b := range k.bans {
		if b.Active(now) {
			standing = append(standing, b)
		}
	}
	e.Restore(standing, slices.Collect(maps.Values(k.windows)), now)
	e.Recognise(slices.Collect(maps.Values(k.known)))
	e.Wait(slices.Collect(maps.Values(k.held)))
	return e
}

// step is something that happens.
type step struct {
	kind  int
	match rules.Match
	at    time.Time
	which netip.Prefix
	drop  bool
}

const (
	stepLine = iota
	stepRelease
	stepOperator
	stepUnban
	stepSecond
)

func (s *step) on(e *Engine) []Decision {
	e.Expire(s.at)
	switch s.kind {
	case stepRelease:
		return e.Release(s.at)
	case stepOperator:
		return e.ReleaseHeld(s.which, s.drop, s.at)
	case stepUnban:
		lifts, _ := e.Lift(s.which, "operator", s.at)
		return lifts
	case stepSecond:
		return nil
	default:
		m := s.match
		return e.Observe(&m, s.at)
	}
}

// TestKillsChangeNothing lives the same random histories twice: once to the end, and once
// killed again and again between two commits and started on what was committed, with the lines
// since read again. The bans, those that wait, and who is known are the same.
func TestKillsChangeNothing(t *testing.T) {
	var histories, bans, held, kills int
	for seed := range seeds(4_000) {
		histories++
		c := newCourt(t, seed)
		r := c.r
		c.opt.Ceiling = Ceiling{Space4: []int{0, 29, 30, 31}[r.IntN(4)], Space6: []int{0, 62}[r.IntN(2)]}
		c.opt.MaxKeys = 10_000 // who is forgotten is forgotten in either life
		for i := range c.opt.Jails {
			c.opt.Jails[i].FindTime += 2 * slack
		}
		type life struct {
			e       *Engine
			d       *disk
			at      time.Time // of the last commit
			since   []step
			pending []Decision
		}
		lives, unbanned := [2]life{}, time.Time{}
		for i := range lives {
			d := newDisk()
			lives[i] = life{e: d.boot(t, c.opt, c.clock), d: d, at: c.clock}
		}
		for n := range 80 {
			c.clock = c.clock.Add(time.Duration(1+r.IntN(2000)) * time.Millisecond) // no line of the moment of an unban
			s := step{at: c.clock, match: c.match(), which: site(c.match().Addr), drop: r.IntN(2) == 0}
			if s.kind = []int{stepRelease, stepSecond, stepOperator, stepUnban}[r.IntN(4)]; r.IntN(4) > 0 {
				s.kind = stepLine
			}
			if s.match.Event == rules.Challenge {
				// They are counted by the second. That a ban ended within it is told apart only
				// by who has seen it end.
				s.match.Time = s.match.Time.Truncate(time.Second)
			}
			if s.match.Time.Before(unbanned) {
				s.match.Time = s.at // nothing remembers who was lifted without having done anything
			}
			if s.kind == stepUnban {
				unbanned = s.at
			}
			operator := s.kind == stepOperator || s.kind == stepUnban
			commit := operator || r.IntN(4) == 0
			kill := r.IntN(6) == 0
			for i := range lives {
				l := &lives[i]
				l.pending = append(l.pending, s.on(l.e)...)
				l.since = append(l.since, s)
				if commit {
					l.d.commit(t, l.e, l.pending)
					l.at, l.since, l.pending = s.at, nil, nil
				}
				if i == 1 && kill {
					kills++
					l.e, l.pending = l.d.boot(t, c.opt, l.at), nil
					for k := range l.since {
						l.pending = append(l.pending, l.since[k].on(l.e)...)
					}
				}
			}
			if diff := cmp.Diff(state(lives[0].e, lives[0].d), state(lives[1].e, lives[1].d), cmpopts.EquateComparable(netip.Prefix{})); diff != "" {
				t.Fatalf("seed %d, step %d, %+v (-uninterrupted +killed)\n%s\n%+v", seed, n, s, diff, c.opt.Jails)
			}
			held = max(held, lives[1].e.Waiting())
		}
		bans += len(lives[1].d.past.bans)
	}
	if histories > 100 && (bans < histories || kills < histories || held < 2) {
		t.Errorf("%d bans, %d kills, at most %d held: the histories are too tame", bans, kills, held)
	}
}

// state is what must be the same of two engines: the record, who waits, and who is known.
func state(e *Engine, d *disk) []string {
	var out []string
	for _, b := range d.past.bans {
		out = append(out, "ban "+show(&b))
	}
	for _, h := range e.Held() {
		out = append(out, "held "+show(&h.Decision))
	}
	slices.Sort(out)
	for p, accounts := range e.known.homes {
		for account := range accounts {
			out = append(out, fmt.Sprint("known ", p, account))
		}
	}
	slices.Sort(out)
	return out
}

func show(d *Decision) string {
	return fmt.Sprintf("%s in %s at %v until %v, strike %d, %d attempts, spoofable %v", d.Prefix, d.Jail, d.At.UnixMilli(), d.Until.UnixMilli(), d.Strike, d.Attempts, d.Spoofable)
}

// An account was attacked before: that makes nobody who mistypes it a repeat offender, in
// the same life or in the next.
func TestNoAccountRepeats(t *testing.T) {
	j := DefaultJail("account", "sshd")
	j.GroupBy, j.RepeatMaxRetry = ByAccount, 1
	e := newEngine(t, &record{}, j)
	var bans int
	for i := range 5 {
		bans += len(e.Observe(failure(fmt.Sprint("198.51.100.", 1+i), seconds(i)), seconds(i)))
	}
	if got := e.Observe(failure("192.0.2.1", seconds(10)), seconds(10)); bans != 5 || len(got) != 0 {
		t.Errorf("%d bans; then one attempt of another decided %+v", bans, got)
	}
}

// A ban in another jail counts as soon as it is made, where strikes of all jails count.
func TestRepeatsOverall(t *testing.T) {
	first, second := DefaultJail("first", "sshd"), DefaultJail("second", "asterisk")
	second.RepeatMaxRetry, first.Ports = 2, []Port{{"tcp", 22}}
	opt := DefaultOptions()
	opt.Jails, opt.Escalation.Overall = []Jail{first, second}, true
	e, err := New(opt, &record{})
	if err != nil {
		t.Fatal(err)
	}
	e.Observe(proven(packet("198.51.100.8", "101", epoch)), epoch)
	if got := attack(e, "198.51.100.8", seconds(1), 5); len(got) != 1 {
		t.Fatalf("five attempts decided %+v", got)
	}
	if got := e.Observe(proven(packet("198.51.100.8", "101", seconds(10))), seconds(10)); len(got) != 1 || got[0].Jail != "second" || got[0].Attempts != 2 {
		t.Errorf("the second attempt decided %+v", got)
	}
}
