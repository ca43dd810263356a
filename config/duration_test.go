package config

import (
	"testing"
	"time"
)

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0s": 0, "10m": 10 * time.Minute, "1d": day, "5w": 35 * day, "1d12h": 36 * time.Hour,
		"forever": Forever, "1500ms": 1500 * time.Millisecond, "1m1m": 2 * time.Minute,
		"106751d": 106751 * day,
	} {
		if got, err := ParseDuration(text); got != want || err != nil {
			t.Errorf("ParseDuration(%q) = %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "10", "m", "-1m", "+1m", "1.5h", "1 m", " 1m", "1M", "1y", "1µs", "Forever", "1mforever",
		"106752d", "99999999999999999999s", "106751d24h",
	} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("ParseDuration(%q) = %v, want an error", text, got)
		}
	}
}

func FuzzDuration(f *testing.F) {
	f.Add(int64(time.Hour + 1500*time.Millisecond))
	f.Add(int64(Forever))
	f.Fuzz(func(t *testing.T, n int64) {
		d := time.Duration(n)
		if d < 0 {
			t.Skip()
		}
		if d != Forever {
			d = d.Truncate(time.Millisecond)
		}
		text := FormatDuration(d)
		if got, err := ParseDuration(text); got != d || err != nil {
			t.Errorf("ParseDuration(%q) = %v, %v, want %v", text, got, err, d)
		}
	})
}
