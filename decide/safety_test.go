package decide

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"bailiff/rules"
)

// court is an engine with what a daemon keeps for it, on a clock.
type court struct {
	*testing.T
	seed    uint64
	r       *rand.Rand
	opt     Options
	e       *Engine
	past    *record
	pending []Decision
	windows map[string]Window
	known   map[string]Known
	bans    map[string]Decision // on record, by prefix and jail
	guards  []Guard
	clock   time.Time
	made    map[string]Decision // bans, by ID, that were not lifted
	lifted  int
	asked   bool // an operator did
	orders  map[orderKey]Order
}

// TestDecisionsAreSafe runs random histories under random configurations: whatever the
// jails, the ladder, the ceilings and the guards are, no ban touches a guard, none lasts
// longer than it may, none is made twice, and what was committed is there after a restart.
func TestDecisionsAreSafe(t *testing.T) {
	var histories, bans, restarts, held int
	for seed := range seeds(10_000) {
		histories++
		c := newCourt(t, seed)
		for range 60 {
			c.clock = c.clock.Add(time.Duration(c.r.IntN(3000)) * time.Millisecond)
			m := c.match()
			c.take(c.e.Observe(&m, c.clock))
			switch c.r.IntN(12) {
			case 0:
				c.take(c.e.Release(c.clock))
			case 1:
				c.guard()
			case 2:
				c.e.Expire(c.clock)
			case 6:
				c.order()
			case 3:
				c.commit()
			case 4:
				c.restart()
				restarts++
			case 5:
				if waiting := c.e.Held(); len(waiting) > 0 {
					c.asked = true
					c.take(c.e.ReleaseHeld(waiting[0].Prefix, c.r.IntN(2) == 0, c.clock))
					c.asked = false
				}
			}
			held = max(held, c.e.Waiting())
		}
		bans += len(c.made) + c.lifted
	}
	if histories > 100 && (bans < histories || restarts < histories || held == 0) {
		t.Errorf("only %d bans, %d restarts and at most %d held: the histories are too tame", bans, restarts, held)
	}
}

// Fatalf says which history it was: -first SEED -histories 1 runs it alone.
func (c *court) Fatalf(format string, args ...any) {
	c.Helper()
	c.T.Fatalf("-first %d: "+format, append([]any{c.seed}, args...)...)
}

func newCourt(t *testing.T, seed uint64) *court {
	r := rand.New(rand.NewPCG(seed, 11))
	c := &court{
		T: t, seed: seed, r: r, past: &record{}, windows: map[string]Window{}, known: map[string]Known{}, bans: map[string]Decision{},
		clock: time.Unix(1_800_000_000, 0), made: map[string]Decision{}, orders: map[orderKey]Order{}, opt: DefaultOptions(),
	}
	span := func(most int) time.Duration { return time.Duration(1+r.IntN(most)) * time.Second }
	c.opt.Escalation = Escalation{Factor: 1 + r.Float64()*9, Max: span(600), Jitter: span(60), ForgetAfter: span(3600), Overall: r.IntN(2) == 0}
	switch r.IntN(4) {
	case 0:
		c.opt.Escalation.Multipliers = []float64{r.Float64() + 0.1, 5, 900}
	case 1:
		c.opt.Escalation.Formula = steep
	case 2:
		c.opt.Escalation.Decay = span(60)
	}
	c.opt.Ceiling = Ceiling{Proven: r.IntN(4), Spoofable: r.IntN(3), Space4: []int{0, 22}[r.IntN(2)]}
	c.opt.MaxKeys = 3 + r.IntN(60)
	for n := range 1 + r.IntN(3) {
		j := DefaultJail(fmt.Sprint("j", n), "p")
		j.MaxRetry, j.MaxChallenges, j.FindTime, j.BanTime = 1+r.IntN(4), r.IntN(5), span(60), span(300)
		j.GroupBy, j.Spoofable, j.SpoofableBan = GroupBy(r.IntN(4)), SpoofablePolicy(r.IntN(3)), span(120)
		j.PromoteAfter, j.Promote4, j.KnownGoodFactor = r.IntN(4), r.IntN(2) == 0, 1+r.IntN(3)
		j.Simulate = r.IntN(8) == 0
		if r.IntN(3) == 0 {
			j.RepeatMaxRetry = 1
		}
		if r.IntN(3) == 0 && j.GroupBy != ByAddressAccount {
			j.Distinct = 1 + r.IntN(j.MaxRetry)
		}
		c.opt.Jails = append(c.opt.Jails, j)
	}
	var err error
	if c.e, err = New(c.opt, c.past); err != nil {
		t.Fatal(err)
	}
	c.guard()
	return c
}

// steep grows beyond every bound.
var steep = func() *Formula {
	f, err := CompileFormula("ban_time * exp(count * 5)")
	if err != nil {
		panic(err)
	}
	return f
}()

// match is of one of a few neighbours, IPv4 or IPv6.
func (c *court) match() rules.Match {
	m := randomMatch(c.r, c.clock)
	if c.r.IntN(2) == 0 {
		m.Addr = netip.MustParseAddr(fmt.Sprintf("2001:db8:0:%x%02x::%x", c.r.IntN(3), c.r.IntN(4), 1+c.r.IntN(3)))
	} else {
		m.Addr = netip.AddrFrom4([4]byte{198, 51, 100, byte(1 + c.r.IntN(6))})
	}
	return m
}

// guard sets other guards.
func (c *court) guard() {
	c.guards = nil
	for _, p := range []string{"198.51.100.3/32", "198.51.100.4/31", "2001:db8:0:101::2/128", "2001:db8:0:200::/56", "198.51.0.0/16"} {
		if c.r.IntN(6) == 0 {
			c.guards = append(c.guards, Guard{Prefix: netip.MustParsePrefix(p), Why: "never_ban"})
		}
	}
	c.take(c.e.SetGuards(c.guards, c.clock))
	for _, b := range c.e.Bans(c.clock) {
		c.free(&b)
	}
}

// order has a neighbour allowed or a jail paused for a while.
func (c *court) order() {
	o := Order{Kind: OrderKind(c.r.IntN(3)), Prefix: host(c.match().Addr), Until: c.clock.Add(time.Duration(1+c.r.IntN(20)) * time.Second)}
	if o.Kind == Pause && c.r.IntN(2) == 0 {
		o.Jail = "j0"
	}
	lifts, _, err := c.e.Give(o, c.clock)
	if err != nil {
		c.Fatalf("%+v: %v", o, err)
	}
	c.take(lifts)
}

// free says that no guard and b have an address in common.
func (c *court) free(b *Decision) {
	for _, o := range c.e.Orders(c.clock) {
		if o.Kind == Allow && o.Prefix.Overlaps(b.Prefix) {
			c.Fatalf("%v is banned, and allowed: %+v", b.Prefix, o)
		}
	}
	for _, g := range c.guards {
		if g.Prefix.Overlaps(b.Prefix) {
			c.Fatalf("%v is banned, and %v guards it: %+v", b.Prefix, g.Prefix, b)
		}
	}
}

// take looks at what was decided.
func (c *court) take(decisions []Decision) {
	c.Helper()
	for i := range decisions {
		d := &decisions[i]
		if d.Action == Lift { // it may be banned again, by lines of the same instant
			maps.DeleteFunc(c.made, func(_ string, b Decision) bool { return b.Prefix == d.Prefix && b.Jail == d.Jail })
			c.lifted++
		}
		if d.Action != Ban {
			continue
		}
		c.free(d)
		for _, o := range c.e.Orders(c.clock) {
			if o.Kind == Pause && (o.Jail == "" || o.Jail == d.Jail) && !c.asked {
				c.Fatalf("%v is banned, and %q paused: %+v", d.Prefix, o.Jail, d)
			}
		}
		if before, twice := c.made[d.ID]; twice && before.Action == Ban {
			c.Fatalf("made twice: %+v and %+v", before, d)
		}
		c.made[d.ID] = *d
		most := c.opt.Escalation.Max
		if j := slices.IndexFunc(c.opt.Jails, func(j Jail) bool { return j.Name == d.Jail }); d.Spoofable {
			most = min(most, max(c.opt.Jails[j].SpoofableBan, time.Second))
			if len(d.Ports) == 0 {
				c.Fatalf("short and of everything: %+v", d)
			}
		}
		if d.Until.IsZero() || d.Until.Sub(d.At) > most {
			c.Fatalf("lasts longer than %v: %+v", most, d)
		}
	}
	c.pending = append(c.pending, decisions...)
}

// commit puts on record what was decided, as the store does.
func (c *court) commit() {
	for _, d := range c.pending {
		switch key := d.Prefix.String() + d.Jail; d.Action {
		case Ban:
			if !d.Spent {
				c.bans[key] = d
			}
			c.past.commit([]Decision{d})
		case Lift:
			delete(c.bans, key)
			c.past.end(&d)
		case Alarm:
		}
	}
	c.pending = nil
	c.e.Committed()
	keep(c.T, c.windows, c.e.Touched())
	for _, o := range c.e.OrdersTouched() {
		if c.orders[o.key()] = o; o.Ended {
			delete(c.orders, o.key())
		}
	}
	for _, k := range c.e.KnownTouched() {
		if key := k.Prefix.String() + k.Account; k.Last.IsZero() {
			delete(c.known, key)
		} else {
			c.known[key] = k
		}
	}
}

// end ends the strike of a ban that was lifted.
func (r *record) end(lift *Decision) {
	for i := range r.strikes {
		if s := &r.strikes[i]; s.Prefix == lift.Prefix && s.Jail == lift.Jail && (s.Until.IsZero() || s.Until.After(lift.At)) {
			s.Until = lift.At
		}
	}
}

// restart ends the process: what is on record is all that is left.
func (c *court) restart() {
	c.commit()
	before := c.e.Bans(c.clock)
	var err error
	if c.e, err = New(c.opt, c.past); err != nil {
		c.Fatal(err)
	}
	c.e.Recognise(slices.Collect(maps.Values(c.known)))
	c.e.Restore(slices.Collect(maps.Values(c.bans)), slices.Collect(maps.Values(c.windows)), c.clock)
	c.take(c.e.Obey(slices.Collect(maps.Values(c.orders)), c.clock))
	c.take(c.e.SetGuards(c.guards, c.clock))
	after := c.e.Bans(c.clock)
	for _, b := range before {
		if !slices.ContainsFunc(after, func(a Decision) bool { return a.Prefix == b.Prefix && a.Jail == b.Jail && a.Until.Equal(b.Until) }) {
			c.Fatalf("after a restart this ban is gone : %+v\nof %+v", b, after)
		}
	}
}
