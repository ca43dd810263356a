package decide

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// restarted is an engine that begins with what another handed out.
func restarted(t *testing.T, e *Engine, jails ...Jail) *Engine {
	t.Helper()
	windows, held := e.Touched(), e.HeldTouched()
	next := newEngine(t, e.history, jails...)
	next.Restore(e.Bans(epoch), windows, epoch)
	next.Wait(held)
	return next
}

// What waits goes on waiting after a restart, in the same order, and is let through by itself.
func TestHeldOutlastsRestart(t *testing.T) {
	account := pbx()
	account.GroupBy, account.Name = ByAccount, "account"
	e := newEngine(t, nil, account)
	for round := range 13 { // of each five accused
		for i := range 5 {
			addr := netip.AddrFrom4([4]byte{10, 0, byte(round), byte(1 + i)}).String()
			e.Observe(packet(addr, "1"+strings.Repeat("0", round), epoch), epoch)
		}
	}
	want := e.Held()
	if len(want) != 5 {
		t.Fatalf("%d are held, want 5", len(want))
	}
	e = restarted(t, e, account)
	if diff := cmp.Diff(want, e.Held(), cmpopts.EquateComparable(netip.Prefix{})); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
	e.Observe(packet("10.0.13.1", "101", epoch), epoch)
	if out := bansOf(e.Release(seconds(2))); len(out) != 5 || !slices.EqualFunc(out, want, func(d Decision, h Held) bool { return d.ID == h.ID && slices.Equal(d.Evidence, h.Evidence) }) {
		t.Errorf("let through %+v", out)
	}
	if held := e.HeldTouched(); len(held) != 5 || !held[0].Over {
		t.Errorf("to be stored is %+v", held)
	}
}

// A jail that is gone, or only simulates now, has none wait.
func TestHeldOfNoJail(t *testing.T) {
	e := newEngine(t, nil, pbx())
	forge(e, 0, 62, epoch)
	quiet := pbx()
	quiet.Simulate = true
	for _, jails := range [][]Jail{{DefaultJail("other", "asterisk")}, {quiet}} {
		next := newEngine(t, nil, jails...)
		next.Wait(e.Held())
		if held := next.HeldTouched(); next.Waiting() != 0 || len(held) != 2 || !held[0].Over {
			t.Errorf("%d wait; to be stored is %+v", next.Waiting(), held)
		}
	}
	opt := DefaultOptions()
	opt.Jails = []Jail{quiet}
	if err := e.Reconfigure(opt); err != nil || e.Waiting() != 0 {
		t.Errorf("%v, %d wait in a jail that simulates", err, e.Waiting())
	}
}

// Whom an operator lets go is not banned by what waited, nor is a friend who logged in while
// spoofable evidence waited; proven evidence takes the place of it.
func TestHeldIsOverruled(t *testing.T) {
	e := newEngine(t, nil, pbx())
	forge(e, 0, 63, epoch)
	e.Lift(prefix("10.0.0.60/32"), "operator", epoch)
	m := login("10.0.0.61", "101", seconds(1))
	e.Observe(m, seconds(1))
	m.Rule = packet("10.0.0.61", "101", epoch).Rule
	e.Observe(m, seconds(1))
	out := e.Release(seconds(10))
	if len(out) != 1 || out[0].Prefix != prefix("10.0.0.62/32") || e.Waiting() != 0 {
		t.Errorf("let through %+v, %d wait", out, e.Waiting())
	}

	j := pbx()
	opt := DefaultOptions()
	opt.Jails, opt.Ceiling = []Jail{j}, Ceiling{Proven: 1, Spoofable: 1}
	e, err := New(opt, nil)
	if err != nil {
		t.Fatal(err)
	}
	forge(e, 0, 2, epoch)
	for i := range 5 {
		e.Observe(proven(packet("198.51.100.1", "101", seconds(i))), seconds(i))
	}
	for i := range 5 {
		e.Observe(proven(packet("10.0.0.1", "101", seconds(5+i))), seconds(5+i))
	}
	if held := e.Held(); len(held) != 1 || held[0].Spoofable || held[0].Prefix != prefix("10.0.0.1/32") {
		t.Errorf("held: %+v", held)
	}
}
