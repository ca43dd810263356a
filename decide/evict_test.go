package decide

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"bailiff/rules"
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

// What is forgotten is counted by jail, neighbourhood and class of evidence, and told of.
func TestForgottenIsCounted(t *testing.T) {
	opt := DefaultOptions()
	account := DefaultJail("account", "sshd", "asterisk")
	account.GroupBy, account.MaxRetry = ByAccount, 50
	opt.Jails, opt.MaxKeys = []Jail{DefaultJail("all", "sshd", "asterisk"), account}, 8
	e, err := New(opt, nil)
	if err != nil {
		t.Fatal(err)
	}
	var alarms []Decision
	see := func(m *rules.Match) { alarms = append(alarms, e.Observe(m, m.Time)...) }
	for i := range 6 { // six windows, and one of the account
		see(packet(fmt.Sprint("203.0.113.", 1+i), "101", seconds(i)))
	}
	see(failure("198.51.100.1", seconds(6))) // of the account root as well: makes nine
	if len(alarms) != 1 || alarms[0].Prefix != prefix("203.0.113.0/24") || !strings.Contains(alarms[0].Reason, "; 6 of these are in 203.0.113.0/24") {
		t.Fatalf("alarms: %+v", alarms)
	}
	for i := range 7 {
		see(failure(fmt.Sprint("192.0.2.", 1+i), seconds(10+i))) // root is seven times attacked
	}
	want := []Forgotten{{Jail: "all", Prefix: prefix("203.0.113.0/24"), Windows: 6, Spoofable: 6, Since: seconds(6), Last: seconds(14)}}
	if diff := cmp.Diff(want, e.Forgotten(prefix("203.0.113.77/32")), cmpopts.EquateComparable(netip.Prefix{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := e.Explain(prefix("203.0.0.0/16"), seconds(20)).Forgotten; len(got) != 1 {
		t.Errorf("why shows %+v", got)
	}
	if most, ok := e.Crowded(); !ok || most.Prefix != want[0].Prefix {
		t.Errorf("most was forgotten of %+v", most)
	}
	if got := e.Forgotten(prefix("2001:db8::/32")); len(got) != 0 {
		t.Errorf("of others was forgotten %+v", got)
	}
	e.Expire(seconds(16).Add(opt.Jails[0].FindTime + time.Second))
	if got := e.Forgotten(prefix("0.0.0.0/0")); len(got) != 0 {
		t.Errorf("find_time later is left %+v", got)
	}
	if s := e.Stats(); s.Evicted != 8 || s.EvictedProven != 2 || s.EvictedSpoofable != 6 {
		t.Errorf("%+v", s)
	}
}

// The neighbourhoods are as many as they may be, and those that lose something all the
// time stay.
func TestForgottenIsBounded(t *testing.T) {
	var f forgotten
	often := placeOf(prefix("203.0.113.0/24"))
	for n := range 5 * maxForgotten {
		f.note(placeOf(netip.PrefixFrom(stray(n, failure("10.0.0.1", epoch)).Addr, 32)), 1, 0, int64(n))
		if n%1000 == 0 {
			f.note(often, 0, 1, int64(n))
		}
	}
	if len(f.by) != maxForgotten || f.order.Len() != maxForgotten {
		t.Errorf("%d and %d are counted", len(f.by), f.order.Len())
	}
	if l := f.by[often].Value.(*loss); l.spoofable != 5*maxForgotten/1000 {
		t.Errorf("%+v", l)
	}
}

func TestPlaces(t *testing.T) {
	for from, want := range map[string]string{
		"198.51.100.77/32": "198.51.100.0/24", "198.51.0.0/16": "198.51.0.0/16", "255.255.255.255/32": "255.255.255.0/24", "0.0.0.0/8": "0.0.0.0/8",
		"2001:db8:1:2::/64": "2001:db8:1::/48", "2001:db8::/32": "2001:db8::/32", "ffff:ffff:ffff:ffff::1/128": "ffff:ffff:ffff::/48",
	} {
		if got := placeOf(prefix(from)).prefix(); got != prefix(want) {
			t.Errorf("%s is in %s, want %s", from, got, want)
		}
	}
}
