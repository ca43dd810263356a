package decide

import (
	"fmt"
	"testing"
	"time"
)

// forge bans n addresses by packets in their names.
func forge(e *Engine, from, n int, at time.Time) (bans, alarms int) {
	for i := range n {
		for range 5 {
			for _, d := range e.Observe(packet(fmt.Sprintf("10.%d.%d.%d", (from+i)>>16, (from+i)>>8&255, (from+i)&255), "101", at), at) {
				if d.Action == Ban {
					bans++
				} else {
					alarms++
				}
			}
		}
	}
	return bans, alarms
}

func TestCeiling(t *testing.T) {
	e := newEngine(t, nil, pbx())
	bans, alarms := forge(e, 0, 200, epoch)
	if bans != 60 || alarms != 1 || len(e.Held()) != 140 || e.Stats().Held != 140 {
		t.Fatalf("%d bans, %d alarms, %d held; want 60, 1 and 140", bans, alarms, len(e.Held()))
	}
	// What is proven has a budget of its own.
	var got []Decision
	for i := range 5 {
		got = append(got, e.Observe(proven(packet("198.51.100.8", "101", seconds(i))), seconds(i))...)
	}
	if len(got) != 1 || got[0].Action != Ban {
		t.Fatalf("a proven attack decided %+v", got)
	}
	if out := e.Release(epoch.Add(10 * time.Second)); len(out) != 10 {
		t.Errorf("%d are let through after ten seconds, want 10", len(out))
	}
	if out := e.Release(epoch.Add(20 * time.Minute)); len(out) != 0 || len(e.Held()) != 0 || e.Stats().HeldDropped != 130 {
		t.Errorf("%d are let through when they would be over; %d are held still", len(out), len(e.Held()))
	}
}

// Who comes back is let through first.
func TestHeldOrder(t *testing.T) {
	j := pbx()
	j.BanTime = time.Hour
	past := &record{strikes: []Strike{{Prefix: prefix("10.0.0.150/32"), Jail: "pbx", At: epoch.Add(-2 * time.Hour), Until: epoch.Add(-time.Hour)}}}
	e := newEngine(t, past, j)
	forge(e, 0, 200, epoch)
	if held := e.Held(); held[0].Prefix != prefix("10.0.0.150/32") || held[0].Strike != 1 || held[1].Prefix != prefix("10.0.0.60/32") {
		t.Errorf("in front are %+v", held[:2])
	}
	out := e.ReleaseHeld(prefix("10.0.0.199/32"), false, epoch)
	if len(out) != 1 || len(e.Held()) != 139 {
		t.Errorf("an operator released %+v", out)
	}
	if out := e.ReleaseHeld(prefix("0.0.0.0/0"), true, epoch); len(out) != 0 || len(e.Held()) != 0 {
		t.Errorf("an operator dropped all, and %+v is banned", out)
	}
	if bans, _ := forge(e, 100, 1, epoch); bans != 0 {
		t.Error("what was dropped is decided again by old lines")
	}
}

// A ban that was held when the process ended is decided at the next attempt, by the
// window that was stored.
func TestHeldSurvivesARestart(t *testing.T) {
	e := newEngine(t, nil, pbx())
	forge(e, 0, 61, epoch)
	windows := e.Touched()
	e = newEngine(t, nil, pbx())
	e.Restore(nil, windows, epoch)
	if got := e.Observe(packet("10.0.0.60", "101", seconds(1)), seconds(1)); len(got) != 1 || got[0].Attempts != 6 {
		t.Errorf("the next attempt decided %+v", got)
	}
}

func TestHeldIsBounded(t *testing.T) {
	opt := DefaultOptions()
	opt.Jails, opt.Ceiling.Spoofable = []Jail{pbx()}, 1
	e, err := New(opt, nil)
	if err != nil {
		t.Fatal(err)
	}
	forge(e, 0, maxHeld+20, epoch)
	if len(e.Held()) != maxHeld-maxHeld/16+19 || e.Stats().HeldDropped != maxHeld/16 {
		t.Errorf("%d held, %d dropped", len(e.Held()), e.Stats().HeldDropped)
	}
}

func TestCeilingOfSpace(t *testing.T) {
	opt := DefaultOptions()
	j := DefaultJail("nets", "sshd")
	j.GroupBy, j.Prefix4 = ByPrefix, 10
	opt.Jails = []Jail{j}
	e, err := New(opt, nil)
	if err != nil {
		t.Fatal(err)
	}
	var bans int
	for i := range 6 {
		for _, d := range attack(e, fmt.Sprintf("%d.%d.0.1", 20+i/4, 64*(i%4)), epoch, 5) {
			if d.Action == Ban {
				bans++
			}
		}
	}
	if bans != 4 || len(e.Held()) != 2 {
		t.Errorf("%d bans of a /10 and %d held; a /8 holds four", bans, len(e.Held()))
	}
}

// A clock that is set back keeps the budget from being filled for no longer than it takes.
func TestCeilingAfterClockSetBack(t *testing.T) {
	e := newEngine(t, nil, pbx())
	if bans, _ := forge(e, 0, 61, epoch); bans != 60 {
		t.Fatalf("%d bans", bans)
	}
	back := epoch.Add(-time.Hour)
	if bans, _ := forge(e, 100, 1, back); bans != 0 {
		t.Error("a clock that is set back gives room")
	}
	if bans, _ := forge(e, 200, 5, back.Add(10*time.Second)); bans != 5 {
		t.Errorf("%d bans ten seconds later, want 5", bans)
	}
}

// Who releases one address releases no network that it is in.
func TestReleaseNoMoreThanIsNamed(t *testing.T) {
	j := pbx()
	j.GroupBy, j.Prefix4, j.Prefix6 = ByPrefix, 24, 56
	opt := DefaultOptions()
	opt.Jails, opt.Ceiling = []Jail{j}, Ceiling{Spoofable: 1}
	e, err := New(opt, nil)
	if err != nil {
		t.Fatal(err)
	}
	forge(e, 0, 1, epoch)
	forge(e, 256, 1, epoch)
	if e.Waiting() != 1 {
		t.Fatalf("%d wait", e.Waiting())
	}
	if got := e.ReleaseHeld(prefix("10.0.1.0/32"), false, epoch); len(got) != 0 || e.Waiting() != 1 {
		t.Errorf("released %+v", got)
	}
	if got := e.ReleaseHeld(prefix("10.0.0.0/16"), false, epoch); len(got) != 1 {
		t.Errorf("released %+v", got)
	}
}

// What was held counts for its neighbours when it is let through.
func TestHeldBansPromote(t *testing.T) {
	opt := DefaultOptions()
	j := DefaultJail("sshd", "sshd")
	j.BanTime, j.PromoteAfter = time.Hour, 2
	opt.Jails, opt.Ceiling = []Jail{j}, Ceiling{Proven: 1}
	e, err := New(opt, nil)
	if err != nil {
		t.Fatal(err)
	}
	attack(e, "2001:db8:0:101::1", epoch, 5)
	attack(e, "2001:db8:0:102::1", epoch, 5)
	if n := e.Waiting(); n != 1 {
		t.Fatalf("%d bans wait, want 1", n)
	}
	var got []string
	for i := range 4 {
		for _, d := range e.Release(epoch.Add(time.Duration(2*i+2) * time.Minute)) {
			got = append(got, d.Prefix.String())
		}
	}
	// The budget of a minute is taken by the /64 itself: the /56 has to wait for
	// the next that comes.
	if len(got) == 0 || got[0] != "2001:db8:0:102::/64" {
		t.Fatalf("let through %v", got)
	}
	opt.Ceiling.Proven = 10
	if err := e.Reconfigure(opt); err != nil {
		t.Fatal(err)
	}
	at := epoch.Add(20 * time.Minute)
	if got := attack(e, "2001:db8:0:103::1", at, 5); len(got) != 2 || got[1].Prefix != prefix("2001:db8:0:100::/56") {
		t.Errorf("the next decided %+v, want the /56 too", got)
	}
}
