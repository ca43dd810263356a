package store

import (
	"net/netip"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"

	"bailiff/decide"
)

// window holds one tally of so many lines.
func window(prefix, jail string, lines int) decide.Window {
	return decide.Window{
		Jail: jail, Prefix: netip.MustParsePrefix(prefix), Settled: now,
		Tallies:  []decide.Tally{{Time: now, Rule: "sshd/refused", PerAttempt: 1, Weight: 1, Lines: lines}},
		Evidence: []string{"Failed password"},
	}
}

func TestWindows(t *testing.T) {
	opts := testOptions(t)
	s := mustOpen(t, opts)
	commit := func(windows ...decide.Window) {
		t.Helper()
		if err := s.Commit(Batch{Windows: windows}); err != nil {
			t.Fatal(err)
		}
	}
	emptied := decide.Window{Jail: "sshd", Prefix: netip.MustParsePrefix("192.0.2.1/32")}
	commit(window("192.0.2.3/32", "sshd", 1), window("2001:db8::/64", "sshd", 1), window("192.0.2.1/32", "sshd", 1))
	commit(window("192.0.2.2/32", "sshd", 1), window("192.0.2.2/32", "pbx", 1))
	commit(window("192.0.2.2/32", "sshd", 2), emptied)
	alice, bob := window("192.0.2.4/32", "pairs", 1), window("192.0.2.4/32", "pairs", 2)
	alice.Account, bob.Account = "alice", "bob"
	anybody := decide.Window{Jail: "accounts", Account: "alice", Tallies: []decide.Tally{{
		Time: now, Rule: "sshd/refused", PerAttempt: 1, Weight: 1, Lines: 1, Spoofable: true, KnownGood: true, Peer: netip.MustParsePrefix("192.0.2.4/32"),
	}}}
	commit(bob, alice, anybody)
	want := []decide.Window{
		anybody, window("192.0.2.2/32", "pbx", 1), window("192.0.2.2/32", "sshd", 2),
		window("192.0.2.3/32", "sshd", 1), alice, bob, window("2001:db8::/64", "sshd", 1),
	}
	for range 2 {
		got, err := s.Windows()
		if d := diff(want, got); d != "" || err != nil {
			t.Errorf("windows (-want +got): %v\n%s", err, d)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = mustOpen(t, opts)
	}
}

func TestWindowsExpire(t *testing.T) {
	for _, retain := range []time.Duration{1, 0} {
		opts := testOptions(t)
		opts.RetainWindow = retain
		s := mustOpen(t, opts)
		if err := s.Commit(Batch{Windows: []decide.Window{window("192.0.2.1/32", "sshd", 1)}}); err != nil {
			t.Fatal(err)
		}
		err := s.db.View(func(txn *badger.Txn) error {
			return scan(txn, []byte{kindWindow}, func(it *badger.Item) error {
				if (it.ExpiresAt() == 0) != (retain == 0) {
					t.Errorf("retained for %v, a window expires at %d", retain, it.ExpiresAt())
				}
				return nil
			})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
