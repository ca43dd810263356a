package decide

import (
	"fmt"
	"testing"
	"time"
)

// While the ban of a window is held, its lines fill no memory, and those who accused
// are held once each.
func TestHeldWindowIsBounded(t *testing.T) {
	account := pbx()
	account.GroupBy, account.FindTime = ByAccount, 24*time.Hour
	for name, j := range map[string]Jail{"address": pbx(), "account": account} {
		t.Run(name, func(t *testing.T) {
			e := newEngine(t, nil, j)
			for i := range 4000 {
				at := epoch.Add(time.Duration(i) * time.Millisecond)
				e.Observe(packet(fmt.Sprintf("10.1.%d.%d", i>>8, i&255), "1000", at), at)
				e.Observe(packet("10.2.0.1", "1000", at), at)
			}
			forge(e, 0, 60, seconds(5)) // nothing is left of the budget
			for i := range 4000 {
				at := seconds(5).Add(time.Duration(i) * time.Millisecond)
				e.Observe(packet(fmt.Sprintf("10.3.%d.%d", i>>8, i&255), "1000", at), seconds(5))
				e.Observe(packet("10.4.0.1", "1000", at), seconds(5))
			}
			for _, d := range e.dockets {
				for k, w := range d.watches {
					if len(w.slots) > w.most(1) {
						t.Errorf("the window of %v has %d slots", k, len(w.slots))
					}
				}
			}
			if len(e.held) == 0 {
				t.Error("nothing is held")
			}
		})
	}
}

// A flood of invented names takes no place of an account that somebody opened: its login
// after guesses still rings.
func TestGuessedAmongInvented(t *testing.T) {
	e := newEngine(t, nil, DefaultJail("sshd", "sshd"))
	e.Observe(login("192.0.2.1", "alice", epoch), epoch)
	for i := range maxGuessed + 10 {
		e.Observe(guess(fmt.Sprintf("10.%d.%d.8", i>>8, i&255), fmt.Sprint("name", i), seconds(1)), seconds(1))
	}
	for i := range suspectAttempts {
		e.Observe(guess(fmt.Sprintf("198.51.100.%d", i), "alice", seconds(2)), seconds(2))
	}
	if got := e.Observe(login("203.0.113.1", "alice", seconds(3)), seconds(3)); len(got) != 1 || got[0].Action != Alarm {
		t.Errorf("a login after guesses decided %+v", got)
	}
	if len(e.guessed) > maxGuessed+1 {
		t.Errorf("guesses on %d accounts are remembered", len(e.guessed))
	}
}

// Whoever logs in with one account from very many addresses makes nobody else a stranger.
func TestOneAccountCrowdsOutNobody(t *testing.T) {
	a := newAcquaintance()
	a.keep = time.Hour
	a.meet(prefix("192.0.2.1/32"), "alice", 1)
	for i := range maxKnown + 10 {
		a.meet(prefix(fmt.Sprintf("10.%d.%d.%d/32", i>>16, i>>8&255, i&255)), "mallory", int64(2+i))
	}
	if a.pairs > maxKnown || !a.knows(prefix("192.0.2.1/32"), "alice", 2) {
		t.Errorf("%d pairs are known, or alice is not", a.pairs)
	}
}
