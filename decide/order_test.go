package decide

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func give(t *testing.T, e *Engine, o Order, now time.Time) []Decision {
	t.Helper()
	lifts, _, err := e.Give(o, now)
	if err != nil {
		t.Fatal(err)
	}
	return lifts
}

func allow(prefix string, until time.Time) Order {
	return Order{Kind: Allow, Prefix: netip.MustParsePrefix(prefix), Until: until, Reason: "the office"}
}

// bans counts the bans among decisions.
func bans(decisions []Decision) (n int) {
	for _, d := range decisions {
		if d.Action == Ban {
			n++
		}
	}
	return n
}

func TestAllow(t *testing.T) {
	e := newEngine(t, nil, DefaultJail("sshd", "sshd"))
	attack(e, "198.51.100.8", epoch, 5)
	attack(e, "203.0.113.1", epoch, 5)
	until := epoch.Add(time.Hour)
	lifts := give(t, e, allow("198.51.100.9/24", until), epoch.Add(time.Minute))
	if len(lifts) != 1 || lifts[0].Action != Lift || lifts[0].Prefix.String() != "198.51.100.8/32" || lifts[0].Origin != "operator" || lifts[0].Rule != "sshd/failed-password" {
		t.Errorf("lifted %+v", lifts)
	}
	if got := attack(e, "198.51.100.8", epoch.Add(2*time.Minute), 5); len(got) != 1 || got[0].Action != Alarm {
		t.Errorf("five attempts of an allowed address decided %+v", got)
	}
	if got := e.Guards(netip.MustParsePrefix("198.51.100.8/32")); len(got) != 1 || got[0].Why != "allowed until "+until.Local().Format(time.DateTime)+": the office" {
		t.Errorf("guards %+v", got)
	}
	if _, err := e.Admit(Decision{Prefix: netip.MustParsePrefix("198.51.0.0/16")}, epoch.Add(2*time.Minute)); err == nil {
		t.Error("an operator's ban overlaps what is allowed")
	}
	// It ends at once, whether or not anybody calls Expire.
	if got := bans(attack(e, "198.51.100.8", until.Add(-4*time.Second), 5)); got != 1 {
		t.Errorf("%d bans on the attempt that is made as the order ends", got)
	}
}

// The address alone is counted while somebody in its /64 is allowed.
func TestAllowOneOfASite(t *testing.T) {
	e := newEngine(t, nil, DefaultJail("sshd", "sshd"))
	give(t, e, allow("2001:db8::1/128", time.Time{}), epoch)
	got := attack(e, "2001:db8::2", epoch, 5)
	if len(got) != 1 || got[0].Prefix.String() != "2001:db8::2/128" {
		t.Errorf("%+v", got)
	}
}

func TestPause(t *testing.T) {
	pbx := DefaultJail("pbx", "sshd")
	pbx.MaxRetry, pbx.Ports = 3, []Port{{"udp", 5060}} // so that its bans leave something to sshd
	for _, tt := range []struct {
		jail string
		bans int
	}{{"", 0}, {"sshd", 1}, {"pbx", 1}, {"other", 2}} {
		e := newEngine(t, nil, DefaultJail("sshd", "sshd"), pbx)
		until := epoch.Add(time.Minute)
		give(t, e, Order{Kind: Pause, Jail: tt.jail, Until: until}, epoch)
		if got := bans(attack(e, "198.51.100.8", epoch, 5)); got != tt.bans {
			t.Errorf("pause of %q: %d bans, want %d", tt.jail, got, tt.bans)
		}
		idle := e.Idle()
		if want := map[string]uint64{"sshd": 5, "pbx": 5}; tt.jail == "" && !cmp.Equal(idle, want) || tt.jail == "sshd" && idle["sshd"] != 5 {
			t.Errorf("pause of %q: %v were not counted", tt.jail, idle)
		}
		// What came meanwhile is not made up for.
		if got := bans(attack(e, "203.0.113.1", until.Add(-4*time.Second), 4)); tt.jail == "" && got != 0 {
			t.Errorf("%d bans before the end of the pause", got)
		}
		if got := bans(attack(e, "203.0.113.1", until, 4)); tt.jail == "sshd" && got != 0 {
			t.Errorf("%d bans after the fourth attempt since the pause", got)
		}
		if got := bans(attack(e, "203.0.113.1", until.Add(5*time.Second), 1)); tt.jail == "sshd" && got != 1 {
			t.Errorf("%d bans after the fifth attempt since the pause", got)
		}
	}
}

// A pause lets no held ban through either, but for an operator.
func TestPauseHolds(t *testing.T) {
	e := newEngine(t, nil, DefaultJail("sshd", "sshd"))
	e.opt.Ceiling = Ceiling{Proven: 1}
	attack(e, "198.51.100.8", epoch, 5)
	attack(e, "198.51.100.9", epoch, 5)
	now := epoch.Add(3 * time.Minute)
	give(t, e, Order{Kind: Pause, Until: now.Add(time.Minute)}, now)
	if got := e.Release(now); len(got) != 0 || e.Waiting() != 1 {
		t.Errorf("released %+v during the pause, %d wait", got, e.Waiting())
	}
	if got := e.Release(now.Add(time.Minute)); len(got) != 1 {
		t.Errorf("released %+v after the pause", got)
	}
}

func TestForgive(t *testing.T) {
	past := &record{}
	e := newEngine(t, past, DefaultJail("sshd", "sshd"))
	at, strike := epoch, 0
	ban := func(e *Engine, addr string) int {
		t.Helper()
		got := attack(e, addr, at, 5)
		at = at.Add(24 * time.Hour)
		if bans(got) != 1 {
			t.Fatalf("%+v", got)
		}
		past.commit(got)
		e.Committed()
		return got[0].Strike
	}
	for range 3 {
		strike = ban(e, "2001:db8::1")
	}
	_, ended := e.Lift(netip.MustParsePrefix("2001:db8::1/128"), "operator", at)
	if err := e.Forgive(netip.MustParsePrefix("2001:db8::1/128"), ended, at); err != nil || strike != 3 {
		t.Fatalf("strike %d, %v", strike, err)
	}
	stored := e.OrdersTouched()
	if x := e.Explain(netip.MustParsePrefix("2001:db8::1/128"), at); len(x.Strikes) != 0 {
		t.Errorf("strikes %+v", x.Strikes)
	}
	e = newEngine(t, past, DefaultJail("sshd", "sshd")) // after a restart
	e.Obey(stored, at)
	at = at.Add(time.Second)
	if first, second := ban(e, "2001:db8::2"), ban(e, "2001:db8::1"); first != 1 || second != 2 {
		t.Errorf("strikes %d and %d after three that were forgotten", first, second)
	}
	// All are one order.
	for _, p := range []string{"0.0.0.0/0", "::/0"} {
		if err := e.Forgive(netip.MustParsePrefix(p), nil, at); err != nil {
			t.Fatal(err)
		}
	}
	if got := e.Orders(at); len(got) != 2 {
		t.Errorf("%+v", got)
	}
}

// Whoever has very much forgotten may go on allowing: nobody ends what is forgotten, and nobody
// is shown it.
func TestForgivingLeavesRoom(t *testing.T) {
	e := newEngine(t, nil, DefaultJail("sshd", "sshd"))
	lifted := make([]Decision, maxOrders+1)
	for i := range lifted {
		lifted[i].Prefix = host(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}))
	}
	if err := e.Forgive(netip.MustParsePrefix("0.0.0.0/0"), lifted, epoch); err != nil {
		t.Fatal(err)
	}
	if got := e.Orders(epoch); len(got) != 1 {
		t.Errorf("%d orders say that all is forgotten", len(got))
	}
	later := epoch.Add(time.Second)
	for i := range maxOrders - 1 {
		if err := e.Forgive(lifted[i].Prefix, nil, later); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Forgive(lifted[maxOrders].Prefix, nil, later); err == nil {
		t.Error("there is no end to what is forgotten")
	}
	give(t, e, allow("198.51.100.8/32", time.Time{}), later)
	give(t, e, Order{Kind: Pause}, later)
	if err := e.Forgive(netip.MustParsePrefix("10.0.0.0/8"), nil, later.Add(time.Second)); err != nil {
		t.Error("what is wider takes the place of what it covers:", err)
	}
	if got := e.Orders(later); len(got) != 4 {
		t.Errorf("%d orders", len(got))
	}
}

func TestOrders(t *testing.T) {
	e := newEngine(t, nil, DefaultJail("sshd", "sshd"))
	later := epoch.Add(time.Hour)
	give(t, e, allow("::ffff:198.51.100.8/128", later), epoch)
	give(t, e, allow("198.51.100.8/32", later.Add(time.Hour)), epoch.Add(time.Second)) // takes its place
	give(t, e, Order{Kind: Pause, Until: later}, epoch)
	for _, o := range []Order{{Kind: Allow}, allow("198.51.100.9/32", epoch)} {
		if _, _, err := e.Give(o, epoch); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
	text := func(orders []Order) (out []string) {
		for _, o := range orders {
			out = append(out, fmt.Sprint(o.Kind, " ", o.Prefix, o.Jail, " ", o.Until.Sub(epoch), " ", o.Ended))
		}
		return out
	}
	if diff := cmp.Diff([]string{"0 198.51.100.8/32 2h0m0s false", "1 invalid Prefix 1h0m0s false"}, text(e.Orders(epoch))); diff != "" {
		t.Error(diff)
	}
	e.OrdersTouched()
	e.Expire(later)
	if diff := cmp.Diff([]string{"1 invalid Prefix 1h0m0s true"}, text(e.OrdersTouched())); diff != "" {
		t.Error(diff)
	}
	ended := e.End(Allow, func(o *Order) bool { return o.Prefix == netip.MustParsePrefix("198.51.100.8/32") })
	if len(ended) != 1 || len(e.Orders(later)) != 0 || len(e.OrdersTouched()) != 1 {
		t.Errorf("ended %+v", ended)
	}
	for i := range maxOrders {
		e.orders.put(Order{Kind: Pause, Jail: fmt.Sprint(i)})
	}
	if _, _, err := e.Give(Order{Kind: Pause, Jail: "one more"}, later); err == nil {
		t.Error("there is no end to them")
	}
	ahead := newEngine(t, nil, DefaultJail("sshd", "sshd"))
	give(t, ahead, Order{Kind: Pause, Until: later.Add(time.Hour)}, later)
	ahead.SetBack(epoch, 0)
	if diff := cmp.Diff([]string{"1 invalid Prefix 1h0m0s false"}, text(ahead.Orders(epoch))); diff != "" {
		t.Error("after the clock was set back", diff)
	}
	// What was said since holds over what was stored, and what is over does not come back.
	fresh := newEngine(t, nil, DefaultJail("sshd", "sshd"))
	attack(fresh, "198.51.100.8", epoch, 5)
	give(t, fresh, Order{Kind: Pause, Until: later}, epoch)
	lifts := fresh.Obey([]Order{{Kind: Pause, At: epoch, Until: later.Add(time.Hour)}, allow("198.51.100.0/24", later), allow("203.0.113.0/24", epoch)}, epoch.Add(time.Minute))
	if diff := cmp.Diff([]string{"0 198.51.100.0/24 1h0m0s false", "1 invalid Prefix 1h0m0s false"}, text(fresh.Orders(epoch.Add(time.Minute)))); diff != "" || len(lifts) != 1 {
		t.Error(diff, lifts)
	}
}
