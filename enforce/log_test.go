package enforce_test

import (
	"bytes"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"bailiff/decide"
	"bailiff/enforce"
	"bailiff/enforce/enforcetest"
)

func TestLogConforms(t *testing.T) {
	enforcetest.Run(t, func(*testing.T) enforcetest.Subject {
		l := enforce.NewLog(nil)
		return enforcetest.Subject{Enforcer: l, Standing: func(*testing.T) []enforcetest.Ban {
			var bans []enforcetest.Ban
			for _, d := range l.Standing(time.Now()) {
				bans = append(bans, enforcetest.Ban{
					Prefix: d.Prefix.Masked().String(), Ports: d.Ports, Verdict: d.Verdict, Until: d.Until,
				})
			}
			return bans
		}}
	})
}

func TestLogSaysWhatItWouldDo(t *testing.T) {
	var out bytes.Buffer
	l := enforce.NewLog(slog.New(slog.NewTextHandler(&out, nil)))
	prefix := netip.MustParsePrefix("192.0.2.7/32")
	now := time.Now()
	err := l.Apply(t.Context(), []decide.Decision{
		{Action: decide.Ban, Prefix: prefix, Until: now.Add(time.Hour), Jail: "sshd", Rule: "sshd/password"},
		{Action: decide.Ban, Prefix: netip.MustParsePrefix("192.0.2.8/32"), Until: now.Add(-time.Hour)},
		{Action: decide.Lift, Prefix: prefix, Jail: "sshd"},
	})
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(got) != 2 || !strings.Contains(got[0], "would ban") || !strings.Contains(got[0], "prefix=192.0.2.7/32") ||
		!strings.Contains(got[0], "rule=sshd/password") || !strings.Contains(got[1], "would lift") {
		t.Errorf("logged:\n%s", out.String())
	}
}

func TestLogForgetsWhatIsOver(t *testing.T) {
	l := enforce.NewLog(nil)
	now := time.Now()
	err := l.Apply(t.Context(), []decide.Decision{
		{Action: decide.Ban, Prefix: netip.MustParsePrefix("192.0.2.7/32"), Until: now.Add(time.Hour)},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := l.Standing(now.Add(59 * time.Minute)); len(got) != 1 {
		t.Errorf("a minute before its end: %d bans, want 1", len(got))
	}
	if got := l.Standing(now.Add(time.Hour)); len(got) != 0 {
		t.Errorf("at its end: %d bans, want 0", len(got))
	}
}
