package store

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"bailiff/decide"
)

func TestOrders(t *testing.T) {
	opts := testOptions(t)
	s := mustOpen(t, opts)
	now := time.Now().UTC()
	office := decide.Order{Kind: decide.Allow, Prefix: netip.MustParsePrefix("192.0.2.0/24"), At: now, Until: now.Add(time.Hour), Reason: "the office"}
	over := decide.Order{Kind: decide.Allow, Prefix: netip.MustParsePrefix("2001:db8::/64"), At: now, Until: now.Add(-time.Minute)}
	all := decide.Order{Kind: decide.Pause, At: now}
	jail := decide.Order{Kind: decide.Pause, Jail: "sshd", At: now}
	again := office
	again.Until = again.Until.Add(time.Hour)
	for _, batch := range [][]decide.Order{{office, over, all, jail}, {again, {Kind: decide.Pause, Jail: "sshd", Ended: true}}} {
		if err := s.Commit(Batch{Orders: batch}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Orders()
	slices.SortFunc(got, func(a, b decide.Order) int { return int(a.Kind) - int(b.Kind) })
	if d := diff([]decide.Order{again, all}, got); d != "" || err != nil {
		t.Errorf("%v (-want +got)\n%s", err, d)
	}
}
