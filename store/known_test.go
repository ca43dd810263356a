package store

import (
	"net/netip"
	"testing"
	"time"

	"bailiff/decide"
)

func TestKnown(t *testing.T) {
	opts := testOptions(t)
	opts.RetainKnown = 31 * 24 * time.Hour
	s := mustOpen(t, opts)
	now := time.Now().Truncate(time.Hour)
	alice := decide.Known{Prefix: netip.MustParsePrefix("192.0.2.1/32"), Account: "alice", Last: now}
	bob := decide.Known{Prefix: netip.MustParsePrefix("2001:db8::/64"), Account: "bob\x00\xff", Last: now}
	old := decide.Known{Prefix: netip.MustParsePrefix("192.0.2.1/32"), Account: "old", Last: now.Add(-40 * 24 * time.Hour)}
	for _, batch := range [][]decide.Known{{alice, bob, old}, {{Prefix: alice.Prefix, Account: "nobody"}}} {
		if err := s.Commit(Batch{Known: batch}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Known()
	if d := diff([]decide.Known{alice, bob}, got); d != "" || err != nil {
		t.Errorf("%v (-want +got)\n%s", err, d)
	}
	alice.Last = time.Time{}
	if err := s.Commit(Batch{Known: []decide.Known{alice}}); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Known(); len(got) != 1 || got[0].Account != bob.Account || err != nil {
		t.Errorf("after forgetting: %+v, %v", got, err)
	}
}
