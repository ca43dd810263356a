package decide

import (
	"slices"
	"testing"
)

// What goes first when there is no more room: packets of which the sender may be
// invented, then single attempts, then few; and last who is close to a ban or had one.
func TestWhoIsForgotten(t *testing.T) {
	opt := DefaultOptions()
	j := DefaultJail("all", "sshd", "asterisk")
	j.MaxRetry = 8
	opt.Jails, opt.MaxKeys = []Jail{j}, 6
	e, err := New(opt, nil)
	if err != nil {
		t.Fatal(err)
	}
	at := 0
	fail := func(addr string, n int, proven bool) (out []Decision) {
		for range n {
			at++
			m := packet(addr, "101", seconds(at))
			if proven {
				m = failure(addr, seconds(at))
			}
			out = append(out, e.Observe(m, seconds(at))...)
		}
		return out
	}
	fail("198.51.100.1", 4, false) // half of the attempts
	fail("198.51.100.2", 1, true)
	fail("198.51.100.3", 1, false)
	fail("198.51.100.4", 2, true)
	fail("198.51.100.5", 1, false)
	fail("198.51.100.6", 3, true)
	var order []string
	watched := func() (out []string) {
		for k := range e.dockets[0].watches {
			out = append(out, k.prefix.Addr().String())
		}
		return out
	}
	var alarms int
	for i := range 5 {
		before := watched()
		addr := []string{"203.0.113.1", "203.0.113.2", "203.0.113.3", "203.0.113.4", "203.0.113.5"}[i]
		for _, d := range fail(addr, 4, true) { // half of the attempts as well
			if d.Action == Alarm {
				alarms++
			}
		}
		for _, a := range before {
			if !slices.Contains(watched(), a) {
				order = append(order, a)
			}
		}
	}
	want := []string{"198.51.100.3", "198.51.100.5", "198.51.100.2", "198.51.100.4", "198.51.100.6"}
	if !slices.Equal(order, want) {
		t.Errorf("forgotten: %v, want %v", order, want)
	}
	if alarms != 1 || e.Stats().Evicted != 5 {
		t.Errorf("%d alarms, %d evicted", alarms, e.Stats().Evicted)
	}
}
