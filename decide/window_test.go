package decide

import (
	"strings"
	"testing"
	"time"
)

// TestReloadKeepsWindowsExact changes find_time and jails while windows are open.
func TestReloadKeepsWindowsExact(t *testing.T) {
	reload := func(e *Engine, jails ...Jail) {
		t.Helper()
		opt := DefaultOptions()
		opt.Jails = jails
		if err := e.Reconfigure(opt); err != nil {
			t.Fatal(err)
		}
	}
	sshd, short := DefaultJail("sshd", "sshd"), DefaultJail("sshd", "sshd")
	short.FindTime = 10 * time.Second
	other := DefaultJail("other", "other")

	t.Run("a shorter find_time", func(t *testing.T) {
		e := newEngine(t, nil, sshd)
		for _, s := range []int{0, 1, 2, 30} {
			e.Observe(failure("198.51.100.8", seconds(s)), seconds(30))
		}
		reload(e, other, short)
		if got := e.Observe(failure("198.51.100.8", seconds(29)), seconds(31)); len(got) != 0 {
			t.Errorf("two attempts in ten seconds decided %+v", got)
		}
	})
	t.Run("a shorter find_time over a restart", func(t *testing.T) {
		e := newEngine(t, nil, sshd)
		for _, s := range []int{0, 1, 2, 30} {
			e.Observe(failure("198.51.100.8", seconds(s)), seconds(30))
		}
		again := newEngine(t, nil, short)
		again.Restore(nil, e.Touched(), seconds(31))
		if got := again.Observe(failure("198.51.100.8", seconds(30)), seconds(31)); len(got) != 0 {
			t.Errorf("two attempts in ten seconds decided %+v", got)
		}
	})
	t.Run("another order of jails", func(t *testing.T) {
		e := newEngine(t, nil, sshd, other)
		attack(e, "198.51.100.8", epoch, 4)
		reload(e, other, sshd)
		if got := attack(e, "198.51.100.8", seconds(4), 1); len(got) != 1 || got[0].Jail != "sshd" {
			t.Errorf("the fifth attempt decided %+v", got)
		}
	})
	t.Run("a jail that goes", func(t *testing.T) {
		e := newEngine(t, nil, sshd, other)
		attack(e, "198.51.100.8", epoch, 4)
		e.Touched()
		reload(e, other)
		if got := e.Touched(); len(got) != 1 || got[0].Jail != "sshd" || !got[0].Empty() {
			t.Errorf("handed out %+v, want the window to be deleted", got)
		}
		reload(e, other, sshd)
		if got := attack(e, "198.51.100.8", seconds(4), 1); len(got) != 0 {
			t.Errorf("a jail that came again remembers: %+v", got)
		}
	})
	t.Run("a policy that cannot work", func(t *testing.T) {
		e := newEngine(t, nil, sshd)
		attack(e, "198.51.100.8", epoch, 4)
		if e.Reconfigure(Options{Jails: []Jail{{}}}) == nil {
			t.Fatal("accepted")
		}
		if got := attack(e, "198.51.100.8", seconds(4), 1); len(got) != 1 {
			t.Errorf("the old policy is gone: %+v", got)
		}
	})
}

// TestJailThatBeginsToMeanIt ends its simulation with a reload, or over a restart.
func TestJailThatBeginsToMeanIt(t *testing.T) {
	simulated, meant := DefaultJail("sshd", "sshd"), DefaultJail("sshd", "sshd")
	simulated.Simulate = true
	opt := DefaultOptions()
	opt.Jails = []Jail{meant}
	for name, change := range map[string]func(*Engine) *Engine{
		"reload": func(e *Engine) *Engine {
			if err := e.Reconfigure(opt); err != nil {
				t.Fatal(err)
			}
			return e
		},
		"restart": func(e *Engine) *Engine {
			again := newEngine(t, nil, meant)
			again.Restore(e.Bans(seconds(10)), e.Touched(), seconds(10))
			return again
		},
	} {
		e := newEngine(t, nil, simulated)
		attack(e, "198.51.100.8", epoch, 5)
		e = change(e)
		if got := e.Bans(seconds(10)); len(got) != 0 {
			t.Errorf("%s: simulated bans stand: %+v", name, got)
		}
		if got := attack(e, "198.51.100.8", seconds(11), 5); len(got) != 1 || got[0].Simulated {
			t.Errorf("%s: five attempts decided %+v, want a ban", name, got)
		}
	}
}

// TestRestoreAdds has a record that can be read only after counting has begun.
func TestRestoreAdds(t *testing.T) {
	jail := DefaultJail("sshd", "sshd")
	jail.FindTime = 10 * time.Second
	before := newEngine(t, nil, jail)
	attack(before, "198.51.100.8", epoch, 3)
	windows := before.Touched()

	t.Run("windows", func(t *testing.T) {
		e := newEngine(t, nil, jail)
		attack(e, "198.51.100.8", seconds(3), 1)
		e.Restore(nil, windows, seconds(4))
		if got := attack(e, "198.51.100.8", seconds(4), 1); len(got) != 1 {
			t.Errorf("three before and two after decided %+v", got)
		}
	})
	t.Run("windows that are over", func(t *testing.T) {
		e := newEngine(t, nil, jail)
		attack(e, "198.51.100.8", seconds(30), 1)
		e.Restore(nil, windows, seconds(31))
		if got := attack(e, "198.51.100.8", seconds(31), 1); len(got) != 0 {
			t.Errorf("two attempts decided %+v", got)
		}
	})
	t.Run("windows are deleted where they are stored", func(t *testing.T) {
		e := newEngine(t, nil, jail)
		e.Restore(nil, windows, seconds(31))
		e.Expire(seconds(41))
		if got := e.Touched(); len(got) != 1 || !got[0].Empty() {
			t.Errorf("handed out %+v", got)
		}
	})
	t.Run("windows outlast a flood", func(t *testing.T) {
		e := newEngine(t, nil, jail)
		e.opt.MaxKeys = 2
		e.Restore(nil, windows, seconds(3))
		for i := range 5 {
			e.Observe(stranger(i), seconds(4))
		}
		if got := attack(e, "198.51.100.8", seconds(4), 2); len(got) != 1 {
			t.Errorf("three before and two after decided %+v", got)
		}
	})
	t.Run("a newer ban stays", func(t *testing.T) {
		e := newEngine(t, nil, jail)
		p := prefix("198.51.100.8/32")
		admit(t, e, Decision{Prefix: p, Until: epoch.Add(time.Hour)})
		older := Decision{Action: Ban, Prefix: p, At: epoch.Add(-time.Hour), Until: epoch.Add(24 * time.Hour)}
		e.Restore([]Decision{older, {Action: Ban, Prefix: p, Jail: "sshd", Until: epoch}}, nil, epoch)
		if got := e.Bans(epoch); len(got) != 1 || !got[0].At.Equal(epoch) {
			t.Errorf("standing: %+v", got)
		}
	})
}

// TestEvictionIsFair fills the engine: those with the fewest lines go first, and
// of them the one silent longest, whatever jail watches it.
func TestEvictionIsFair(t *testing.T) {
	opt := DefaultOptions()
	opt.MaxKeys = 3
	opt.Jails = []Jail{DefaultJail("sshd", "sshd"), DefaultJail("other", "other")}
	e, err := New(opt, nil)
	if err != nil {
		t.Fatal(err)
	}
	attack(e, "198.51.100.1", seconds(0), 2)
	attack(e, "198.51.100.2", seconds(2), 1)
	attack(e, "198.51.100.3", seconds(3), 1)
	e.Touched()
	attack(e, "198.51.100.4", seconds(4), 1)
	got := e.Touched()
	if len(got) != 2 || !got[0].Empty() || got[0].Prefix != prefix("198.51.100.2/32") {
		t.Errorf("handed out %+v, want the window of .2 to be deleted and that of .4", got)
	}
	attack(e, "198.51.100.3", seconds(5), 1) // two lines now
	attack(e, "198.51.100.5", seconds(6), 1)
	for addr, want := range map[string]bool{"198.51.100.1": true, "198.51.100.3": true, "198.51.100.4": false, "198.51.100.5": true} {
		if kept := len(e.Explain(prefix(addr+"/32"), seconds(7)).Jails) > 0; kept != want {
			t.Errorf("%s is watched: %v, want %v", addr, kept, want)
		}
	}
	if n := e.Stats().Evicted; n != 2 || e.watched != 3 {
		t.Errorf("%d evicted, %d watched", n, e.watched)
	}
}

// TestEvictionLooksAtAllJails has the one silent longest in either jail.
func TestEvictionLooksAtAllJails(t *testing.T) {
	elsewhere := *rule
	elsewhere.Pack = "other"
	for oldest := range 2 {
		opt := DefaultOptions()
		opt.MaxKeys = 2
		opt.Jails = []Jail{DefaultJail("sshd", "sshd"), DefaultJail("other", "other")}
		e, err := New(opt, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			m := failure("198.51.100.8", seconds(i))
			if (i+oldest)%2 == 0 {
				m.Rule = &elsewhere
			}
			if i == 2 {
				m.Addr = prefix("198.51.100.9/32").Addr()
			}
			e.Observe(m, seconds(i))
		}
		kept := e.Explain(prefix("198.51.100.8/32"), seconds(3)).Jails
		if want := []string{"sshd", "other"}[oldest]; len(kept) != 1 || kept[0].Jail != want {
			t.Errorf("kept %+v, want the younger one in %s", kept, want)
		}
	}
}

// TestEvidenceIsOfTheWindow keeps the lines of what is being counted.
func TestEvidenceIsOfTheWindow(t *testing.T) {
	e := newEngine(t, nil, DefaultJail("sshd", "sshd"))
	long := failure("198.51.100.8", epoch)
	long.Line = strings.Repeat("x", 5000)
	e.Observe(long, epoch)
	if w := e.Touched()[0]; len(w.Evidence[0]) != evidenceBytes {
		t.Errorf("%d bytes of a long line are kept", len(w.Evidence[0]))
	}
	for i := range 10 {
		e.Observe(failure("198.51.100.9", epoch.Add(time.Duration(i)*time.Minute*9)), epoch) // never five in a window
	}
	if w := e.Touched()[0]; len(w.Evidence) != maxEvidence {
		t.Errorf("%d lines are kept", len(w.Evidence))
	}
	first := attack(e, "203.0.113.8", epoch, 9)
	m := failure("203.0.113.8", first[0].Until.Add(time.Second))
	m.Line, m.Count = "after", 5
	if got := e.Observe(m, m.Time); len(got) != 1 || len(got[0].Evidence) != 1 || got[0].Evidence[0] != "after" {
		t.Errorf("the second ban: %+v, want the line after the first as its evidence", got)
	}
}

// TestExplainCountsWhatWouldCount shows a window that the clock has left behind.
func TestExplainCountsWhatWouldCount(t *testing.T) {
	e := newEngine(t, nil, DefaultJail("sshd", "sshd"))
	attack(e, "2001:db8::8", epoch, 4)
	for at, want := range map[int]int{4: 4, 600: 3, 603: 0} {
		x := e.Explain(prefix("2001:db8::1/128"), seconds(at))
		if len(x.Jails) != 1 || x.Jails[0].Attempts != want || x.Jails[0].Prefix != prefix("2001:db8::/64") {
			t.Errorf("after %d s: %+v, want %d attempts of the /64", at, x.Jails, want)
		}
	}
}

func TestActionsAreSpelled(t *testing.T) {
	for action, want := range map[Action]string{Ban: "ban", Lift: "lift", Alarm: "alarm"} {
		if action.String() != want {
			t.Errorf("%d is %q, want %q", action, action, want)
		}
	}
}
