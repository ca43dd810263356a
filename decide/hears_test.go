package decide

import (
	"testing"

	"bailiff/ingest"
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
