package decide

import (
	"testing"
	"time"
)

// TestClockSetBack: whoever was heard by a clock that was an hour ahead is judged like
// anybody else when it has been set right, and a ban of that time is no hour longer.
func TestClockSetBack(t *testing.T) {
	const ahead = time.Hour
	for _, by := range []time.Duration{0, ahead} {
		past := &record{}
		e := newEngine(t, past, DefaultJail("sshd", "sshd"))
		attack(e, "198.51.100.8", epoch.Add(ahead), 3)
		early := attack(e, "198.51.100.9", epoch.Add(ahead), 5)
		past.commit(early)
		e.Committed()
		now := epoch.Add(time.Minute)
		e.SetBack(epoch.Add(2*ahead), 0) // which is no setting back
		got := e.SetBack(now, by)
		if len(got) != 2 || got[0].Action != Lift || got[1].Action != Ban {
			t.Fatalf("by %v: decided %+v, want the ban lifted and made again", by, got)
		}
		want := now
		if by != 0 {
			want = early[0].At.Add(-by)
		}
		if b := e.Bans(now); len(b) != 1 || !b[0].At.Equal(want) || b[0].Until.Sub(b[0].At) != 10*time.Minute || b[0].Strike != 1 {
			t.Errorf("by %v: %+v stands, want a first ban of ten minutes from %v", by, b, want)
		}
		if got := attack(e, "198.51.100.8", now.Add(time.Second), 2); len(got) != 1 {
			t.Errorf("by %v: two attempts more decided %+v, want a ban", by, got)
		}
		over := now.Add(10*time.Minute + time.Second)
		e.Expire(over)
		if got := attack(e, "198.51.100.9", over, 5); len(got) != 1 || got[0].Strike != 2 {
			t.Errorf("by %v: five attempts after the ban decided %+v, want a second one", by, got)
		}
	}
}

// TestClockSetBackKeeps: what is of the past stays as it is.
func TestClockSetBackKeeps(t *testing.T) {
	e := newEngine(t, nil, DefaultJail("sshd", "sshd"))
	attack(e, "198.51.100.8", epoch, 3)
	attack(e, "198.51.100.9", epoch, 5)
	before := e.Touched()
	if got := e.SetBack(epoch.Add(5*time.Second), time.Hour); len(got) != 0 {
		t.Errorf("decided %+v", got)
	}
	if got := e.Touched(); len(before) != 2 || len(got) != 0 {
		t.Errorf("changed %+v", got)
	}
	if got := attack(e, "198.51.100.9", epoch.Add(time.Minute), 9); len(got) != 0 {
		t.Errorf("in its ban an address was given %+v", got)
	}
}
