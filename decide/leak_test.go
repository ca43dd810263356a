package decide

import (
	"testing"
	"time"
)

// Lines under way when a ban falls are none of its failures; those that go on are.
func TestLeaks(t *testing.T) {
	e := newEngine(t, nil, DefaultJail("sshd", "sshd"))
	p := prefix("198.51.100.8/32")
	attack(e, "198.51.100.8", epoch, 5) // banned at 4 s
	e.Observe(failure("198.51.100.8", seconds(6)), seconds(6))
	if n := e.Leaks()[p]; n != 0 {
		t.Errorf("%d leaks two seconds after the ban", n)
	}
	e.Observe(failure("198.51.100.8", seconds(7)), seconds(7))
	e.Observe(failure("198.51.100.8", seconds(8)), seconds(8))
	if n := e.Leaks()[p]; n != 2 {
		t.Errorf("%d leaks, want 2", n)
	}
	e.Lift(p, "operator", seconds(9))
	if n := len(e.Leaks()); n != 0 {
		t.Errorf("%d bans leak after all were lifted", n)
	}
	operator := Decision{Prefix: prefix("203.0.113.0/24"), At: seconds(20), Origin: "operator", Until: seconds(100)}
	if _, err := e.Admit(operator, seconds(20)); err != nil {
		t.Fatal(err)
	}
	e.Observe(failure("203.0.113.7", seconds(23)), seconds(23))
	if n := e.Leaks()[operator.Prefix]; n != 1 {
		t.Errorf("%d leaks through an operator's ban", n)
	}
	e.Expire(epoch.Add(time.Hour))
	if n := len(e.Leaks()); n != 0 {
		t.Errorf("%d bans leak that have ended", n)
	}
	e = newEngine(t, nil, DefaultJail("sshd", "sshd"), DefaultJail("slow", "sshd"))
	attack(e, "198.51.100.8", epoch, 5)
	attack(e, "198.51.100.8", seconds(10), 3)
	if n := e.Leaks()[p]; n != 3 {
		t.Errorf("%d leaks of three lines before two jails", n)
	}
	j := DefaultJail("lab", "sshd")
	j.Simulate = true
	e = newEngine(t, nil, j)
	attack(e, "198.51.100.8", epoch, 20)
	if n := len(e.Leaks()); n != 0 {
		t.Error("a simulated ban leaks")
	}
}
