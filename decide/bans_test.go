package decide

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func admit(t *testing.T, e *Engine, d Decision) Decision {
	t.Helper()
	d.At, d.Origin = epoch, "operator"
	got, err := e.Admit(d, epoch)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestWhomAnOperatorsBanSilences says whose later lines do not count.
func TestWhomAnOperatorsBanSilences(t *testing.T) {
	hour := epoch.Add(time.Hour)
	for _, tt := range []struct {
		name   string
		ban    Decision
		addr   string
		silent bool
	}{
		{"the address", Decision{Prefix: prefix("198.51.100.8/32"), Until: hour}, "198.51.100.8", true},
		{"one in the prefix", Decision{Prefix: prefix("198.51.100.0/24"), Until: hour}, "198.51.100.8", true},
		{"without an end", Decision{Prefix: prefix("198.51.100.0/24")}, "198.51.100.8", true},
		{"a neighbour", Decision{Prefix: prefix("198.51.100.9/32"), Until: hour}, "198.51.100.8", false},
		{"the host of a site", Decision{Prefix: prefix("2001:db8::8/128"), Until: hour}, "2001:db8::8", true},
		{"the rest of its site", Decision{Prefix: prefix("2001:db8::9/128"), Until: hour}, "2001:db8::8", false},
		{"some ports", Decision{Prefix: prefix("198.51.100.8/32"), Until: hour, Ports: []Port{{"udp", 5060}}}, "198.51.100.8", false},
		{"simulated", Decision{Prefix: prefix("198.51.100.8/32"), Until: hour, Simulated: true}, "198.51.100.8", false},
		{"some ports, of this jail", Decision{Prefix: prefix("198.51.100.8/32"), Until: hour, Jail: "sshd", Ports: []Port{{"tcp", 22}}}, "198.51.100.8", true},
		{"simulated, of this jail", Decision{Prefix: prefix("198.51.100.8/32"), Until: hour, Jail: "sshd", Simulated: true}, "198.51.100.8", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for name, before := range map[string]int{"new": 0, "watched": 4} {
				e := newEngine(t, nil, DefaultJail("sshd", "sshd"))
				attack(e, tt.addr, epoch, before)
				admit(t, e, tt.ban)
				got := attack(e, tt.addr, epoch.Add(time.Minute), 5)
				if (len(got) == 0) != tt.silent {
					t.Errorf("%s: decided %+v, want silence: %v", name, got, tt.silent)
				}
			}
		})
	}
}

// TestLineReadAfterTheBan was logged in its last moment.
func TestLineReadAfterTheBan(t *testing.T) {
	e := newEngine(t, nil, DefaultJail("sshd", "sshd"))
	end := epoch.Add(time.Hour)
	admit(t, e, Decision{Prefix: prefix("198.51.100.0/24"), Until: end})
	m := failure("198.51.100.8", end)
	m.Count = 5
	if got := e.Observe(m, end.Add(time.Minute)); len(got) != 0 {
		t.Errorf("decided %+v", got)
	}
}

// TestShorterBanLeavesTheSilenceOfTheLonger ends both and reads a late line.
func TestShorterBanLeavesTheSilenceOfTheLonger(t *testing.T) {
	e := newEngine(t, nil, DefaultJail("sshd", "sshd"))
	attack(e, "198.51.100.8", epoch, 5)
	d := Decision{Prefix: prefix("198.51.100.8/32"), At: seconds(60), Until: seconds(120)}
	if _, err := e.Admit(d, d.At); err != nil {
		t.Fatal(err)
	}
	e.Committed() // to no record: the window alone must know
	e.Expire(seconds(604))
	m := failure("198.51.100.8", seconds(500))
	m.Count = 4
	e.Observe(m, seconds(605))
	if got := attack(e, "198.51.100.8", seconds(605), 1); len(got) != 0 {
		t.Errorf("lines of the ban count: %+v", got)
	}
}

// TestSilencedWindowsAreNotStored prunes what was never worth storing.
func TestSilencedWindowsAreNotStored(t *testing.T) {
	e := newEngine(t, nil, DefaultJail("sshd", "sshd"))
	admit(t, e, Decision{Prefix: prefix("198.51.100.0/24")})
	attack(e, "198.51.100.8", epoch, 5)
	e.Expire(epoch.Add(time.Hour))
	if got := e.Touched(); len(got) != 0 || e.watched != 0 {
		t.Errorf("handed out %+v, %d watched", got, e.watched)
	}
}

func TestSecondBanOfAJailTakesThePlaceOfTheFirst(t *testing.T) {
	e := newEngine(t, nil)
	p := prefix("198.51.100.8/32")
	admit(t, e, Decision{Prefix: p, Until: epoch.Add(24 * time.Hour)})
	d := Decision{Prefix: p, At: epoch.Add(time.Second), Until: epoch.Add(time.Hour)}
	if _, err := e.Admit(d, d.At); err != nil {
		t.Fatal(err)
	}
	admit(t, e, Decision{Prefix: p, Until: epoch.Add(time.Minute), Jail: "other"})
	if got := e.Bans(d.At); len(got) != 2 {
		t.Errorf("standing: %+v, want one of each jail", got)
	}
	if got, ok := e.Standing(p, d.At); !ok || !got.Until.Equal(d.Until) {
		t.Errorf("holds: %+v, want the operator's last word", got)
	}
	if diff := cmp.Diff(Census{Jails: map[string]int{"": 1, "other": 1}, Enforced: 1, Space4: 1}, e.Census()); diff != "" {
		t.Errorf("census (-want +got)\n%s", diff)
	}
	e.Expire(epoch.Add(time.Minute))
	if n := e.Census().Jails["other"]; n != 0 {
		t.Errorf("%d bans in the moment of the end", n)
	}
	e.Expire(epoch.Add(time.Hour))
	if diff := cmp.Diff(Census{Jails: map[string]int{"": 0, "other": 0}}, e.Census()); diff != "" {
		t.Errorf("census after all has ended (-want +got)\n%s", diff)
	}
}

func TestAdmitRefuses(t *testing.T) {
	e := newEngine(t, nil)
	for name, d := range map[string]Decision{
		"a ban that is over":  {Prefix: prefix("198.51.100.8/32"), Until: epoch},
		"no address":          {Prefix: prefix("0.0.0.0/32")},
		"a multicast address": {Prefix: prefix("ff02::1/128")},
	} {
		if got, err := e.Admit(d, epoch); err == nil {
			t.Errorf("%s is admitted: %+v", name, got)
		}
	}
	if got := admit(t, e, Decision{Prefix: prefix("::ffff:198.51.100.0/120")}); got.Prefix != prefix("198.51.100.0/24") {
		t.Errorf("4-in-6 prefix: %v", got.Prefix)
	}
}

// TestGuardThatGoesAgain lifts a ban, goes, and leaves nothing behind: neither
// the ban's silence nor its attempts.
func TestGuardThatGoesAgain(t *testing.T) {
	for _, length := range []time.Duration{10 * time.Minute, Forever} {
		past := &record{}
		jail := DefaultJail("sshd", "sshd")
		jail.BanTime = length
		e := newEngine(t, past, jail)
		attack(e, "198.51.100.8", epoch, 5)
		now := epoch.Add(time.Minute)
		lifts := e.SetGuards([]Guard{{prefix("198.51.100.0/24"), "never_ban"}}, now)
		if len(lifts) != 1 || lifts[0].Origin != "guard" {
			t.Fatalf("lifted %+v", lifts)
		}
		e.SetGuards(nil, now)
		if got := attack(e, "198.51.100.8", now.Add(time.Second), 4); len(got) != 0 {
			t.Errorf("four attempts decided %+v", got)
		}
		if got := attack(e, "198.51.100.8", now.Add(5*time.Second), 1); len(got) != 1 || got[0].Strike != 2 {
			t.Errorf("the fifth attempt decided %+v, want the second strike", got)
		}
	}
}

// TestGuardedAttemptsDoNotPileUp has a guard go in the middle of an attack.
func TestGuardedAttemptsDoNotPileUp(t *testing.T) {
	e := newEngine(t, nil, DefaultJail("sshd", "sshd"))
	e.SetGuards([]Guard{{prefix("198.51.100.0/24"), "never_ban"}}, epoch)
	attack(e, "198.51.100.8", epoch, 7)
	e.SetGuards(nil, seconds(8))
	if got := attack(e, "198.51.100.8", seconds(8), 2); len(got) != 0 {
		t.Errorf("two attempts after two decided %+v", got)
	}
	if got := attack(e, "198.51.100.8", seconds(10), 1); len(got) != 1 {
		t.Errorf("the fifth since the alarm decided %+v", got)
	}
}

// TestAlarmsAreAsFewAsGuards attacks from many addresses within one guard.
func TestAlarmsAreAsFewAsGuards(t *testing.T) {
	e := newEngine(t, nil, DefaultJail("sshd", "sshd"))
	e.SetGuards([]Guard{{prefix("1.0.0.0/8"), "never_ban"}}, epoch)
	rung := 0
	for i := range 100 {
		for range 5 {
			rung += len(e.Observe(stranger(i), epoch))
		}
	}
	if rung != 1 || len(e.rung) != 1 {
		t.Errorf("%d alarms, %d bells kept, want one", rung, len(e.rung))
	}
	for i, at := range []time.Time{epoch.Add(time.Hour), epoch.Add(-time.Hour)} { // an hour on, and a clock set back
		m := stranger(100 + i)
		m.Count, m.Time = 5, at
		if got := e.Observe(m, at); len(got) != 1 {
			t.Errorf("at %v rang %d alarms, want 1", at, len(got))
		}
	}
	e.Expire(epoch.Add(2 * time.Hour))
	if len(e.rung) != 0 {
		t.Errorf("%d bells kept", len(e.rung))
	}
}

func TestLiftOfAnAddressLiftsWhatCoversIt(t *testing.T) {
	e := newEngine(t, nil)
	for _, p := range []string{"198.51.100.0/24", "198.51.100.8/32", "198.51.100.9/32", "203.0.113.0/24"} {
		admit(t, e, Decision{Prefix: prefix(p)})
	}
	_, ended := e.Lift(prefix("198.51.100.8/32"), "operator", seconds(1))
	var got []string
	for _, d := range ended {
		got = append(got, d.Prefix.String())
	}
	if diff := cmp.Diff([]string{"198.51.100.0/24", "198.51.100.8/32"}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if left := e.Bans(seconds(1)); len(left) != 2 {
		t.Errorf("left: %+v", left)
	}
}

// TestLiftForgetsOpenWindows looks at a window without a ban.
func TestLiftForgetsOpenWindows(t *testing.T) {
	for addr, lift := range map[string]string{
		"198.51.100.8": "198.51.100.8/32", "198.51.100.9": "198.51.100.0/24", "2001:db8::8": "2001:db8::8/128",
	} {
		e := newEngine(t, nil, DefaultJail("sshd", "sshd"))
		attack(e, addr, epoch, 4)
		e.Lift(prefix(lift), "operator", seconds(4))
		late := e.Observe(failure(addr, seconds(3)), seconds(5))
		if got := append(late, attack(e, addr, seconds(5), 4)...); len(got) != 0 {
			t.Errorf("%s: decided %+v", addr, got)
		}
		if got := attack(e, addr, seconds(9), 1); len(got) != 1 {
			t.Errorf("%s: the fifth attempt since decided %+v", addr, got)
		}
	}
}

// TestBanWithoutEffect counts what was written long after the ban, not what was
// read long after it.
func TestBanWithoutEffect(t *testing.T) {
	e := newEngine(t, nil, DefaultJail("sshd", "sshd"))
	attack(e, "198.51.100.8", epoch, 5)
	after := func() int { return e.Explain(prefix("198.51.100.8/32"), seconds(60)).Jails[0].After }
	e.Observe(failure("198.51.100.8", seconds(6)), seconds(60))
	if n := after(); n != 0 {
		t.Errorf("a line that was under way counts as %d", n)
	}
	e.Observe(failure("198.51.100.8", seconds(7)), seconds(60))
	if n := after(); n != 1 {
		t.Errorf("a line of three seconds later counts as %d", n)
	}
}

func TestBansFreeTheirEvidence(t *testing.T) {
	e := newEngine(t, nil, DefaultJail("sshd", "sshd"))
	got := attack(e, "198.51.100.8", epoch, 5)
	if len(got[0].Evidence) != 5 || len(e.Bans(seconds(5))[0].Evidence) != 0 {
		t.Error("evidence belongs into the decision, and not into memory for as long as the ban lasts")
	}
}
