package decide

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"bailiff/ingest"
	"bailiff/rules"
)

func TestHears(t *testing.T) {
	for _, tt := range []struct {
		name    string
		sources []string
		least   ingest.Trust
		trust   ingest.Trust
		hears   bool
	}{
		{"anybody", nil, ingest.TrustLow, ingest.TrustLow, true},
		{"its source", []string{"journald"}, ingest.TrustLow, ingest.TrustLow, true},
		{"its origin", []string{"x", "pbx"}, ingest.TrustLow, ingest.TrustLow, true},
		{"another source", []string{"x"}, ingest.TrustLow, ingest.TrustHigh, false},
		{"trusted enough", nil, ingest.TrustNormal, ingest.TrustNormal, true},
		{"not trusted enough", []string{"pbx"}, ingest.TrustHigh, ingest.TrustNormal, false},
	} {
		j := DefaultJail("sshd", "sshd")
		j.Sources, j.MinTrust = tt.sources, tt.least
		e := newEngine(t, nil, j)
		bans := 0
		for i := range 5 {
			m := failure("198.51.100.8", seconds(i))
			m.Origin, m.Trust = "pbx", tt.trust
			bans += len(e.Observe(m, seconds(i)))
		}
		if (bans == 1) != tt.hears || (e.Unheard()["sshd"] == 5) == tt.hears {
			t.Errorf("%s: %d bans, %d not heard", tt.name, bans, e.Unheard()["sshd"])
		}
	}
}

// What a jail does not hear changes nothing of what it does, not even whom it knows:
// it decides and remembers what it would if those lines had never come.
func TestUnheardMatchesCountNowhere(t *testing.T) {
	names := []string{"office", "branch", "journald", "udp"}
	total := uint64(0)
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 11))
		jail := DefaultJail("j", "p")
		jail.MaxRetry, jail.KnownGoodFactor = 1+r.IntN(4), 1+r.IntN(3)
		jail.MinTrust = ingest.Trust(r.IntN(3) - 1)
		if r.IntN(2) == 0 {
			jail.Sources = names[r.IntN(2) : 2+r.IntN(2)]
		}
		all, heard := newEngine(t, nil, jail), newEngine(t, nil, jail)
		clock := time.Unix(1_800_000_000, 0)
		unheard := uint64(0)
		for range 150 {
			clock = clock.Add(time.Duration(r.IntN(4000)) * time.Millisecond)
			m := randomMatch(r, clock)
			m.Origin, m.Source, m.Trust = names[r.IntN(2)], names[2+r.IntN(2)], ingest.Trust(r.IntN(3)-1)
			if r.IntN(3) == 0 {
				m.Event = rules.Success
			}
			hears := m.Trust >= jail.MinTrust && (jail.Sources == nil || slices.Contains(jail.Sources, m.Origin) || slices.Contains(jail.Sources, m.Source))
			if !hears && !m.Ambiguous() {
				unheard++
			}
			copied := m
			got := bansOf(all.Observe(&m, clock))
			var want []Decision
			if hears {
				want = bansOf(heard.Observe(&copied, clock))
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Prefix{})); diff != "" {
				t.Fatalf("seed %d, jail %+v, match %+v: (-without +with)\n%s", seed, jail, m, diff)
			}
		}
		if all.Acquaintances() != heard.Acquaintances() || all.Watched()["j"] != heard.Watched()["j"] {
			t.Fatalf("seed %d: knows %d accounts and watches %d, without what it did not hear %d and %d", seed,
				all.Acquaintances(), all.Watched()["j"], heard.Acquaintances(), heard.Watched()["j"])
		}
		if n := all.Unheard()["j"]; n > unheard {
			t.Fatalf("seed %d: %d not heard of %d", seed, n, unheard)
		} else {
			total += n
		}
	}
	if total < 10_000 {
		t.Errorf("only %d matches were not heard", total)
	}
}

// bansOf leaves the bans: an alarm may ring of what counts nowhere.
func bansOf(ds []Decision) []Decision {
	return slices.DeleteFunc(ds, func(d Decision) bool { return d.Action != Ban })
}
