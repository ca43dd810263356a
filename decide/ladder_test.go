package decide

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSentences(t *testing.T) {
	formula := func(text string) *Formula {
		f, err := CompileFormula(text)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	minutes := func(n ...time.Duration) []time.Duration {
		for i := range n {
			if n[i] != Forever {
				n[i] *= time.Minute
			}
		}
		return n
	}
	for _, tt := range []struct {
		name string
		e    Escalation
		want []time.Duration
	}{
		{"factor", Escalation{Factor: 2, Jitter: time.Hour}, minutes(10, 20, 40, 80, 160)},
		{"max", Escalation{Factor: 2, Max: time.Hour}, minutes(10, 20, 40, 60, 60)},
		{"multipliers", Escalation{Factor: 2, Multipliers: []float64{1, 6, 144}}, minutes(10, 60, 1440, 1440, 1440)},
		{"formula", Escalation{Factor: 3, Formula: formula("ban_time * (1 + count * factor)")}, minutes(10, 40, 70, 100, 130)},
		{"forever", Escalation{Factor: 2, Max: 30 * time.Minute, ForeverAfter: 3}, minutes(10, 20, 30, Forever, Forever)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			j := DefaultJail("sshd", "sshd")
			if diff := cmp.Diff(tt.want, tt.e.Ladder(&j, 5)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestCompileFormula(t *testing.T) {
	for text, ok := range map[string]bool{
		"ban_time * 2 ** min(count, 20) * factor": true,
		"ban_time * exp(count)":                   true,
		"600":                                     true,
		"ban_time *":                              false,
		"bantime * 2":                             false,
		`"1h"`:                                    false,
		"ban_time / (5 - count)":                  false, // endless, then negative
		"ban_time - count * 10":                   false,
		"log(0 - count)":                          false,
	} {
		if _, err := CompileFormula(text); (err == nil) != ok {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// A ban counts half when its decay has passed since its end.
func TestDecay(t *testing.T) {
	e := Escalation{Factor: 2, ForgetAfter: 90 * 24 * time.Hour, Decay: 24 * time.Hour}
	strikes := []Strike{
		{At: epoch, Until: epoch.Add(time.Hour)},
		{At: epoch.Add(2 * time.Hour), Until: epoch.Add(3 * time.Hour), Spoofable: true},
		{At: epoch.Add(23 * time.Hour), Until: epoch.Add(25 * time.Hour)},
	}
	got := e.earlier(strikes, &Decision{At: epoch.Add(25 * time.Hour)})
	if got.strikes != 2 || got.weight != 1.5 {
		t.Errorf("two bans, one of yesterday, are %+v", got)
	}
	if got = e.earlier(strikes, &Decision{At: epoch.Add(24 * time.Hour)}); got.weight < 1.5 || got.weight > 1.52 {
		t.Errorf("a ban that stands counts whole: %+v", got)
	}
}

func TestRepeatMaxRetry(t *testing.T) {
	j := DefaultJail("sshd", "sshd")
	j.RepeatMaxRetry = 2
	past := &record{}
	e := newEngine(t, past, j)
	first := attack(e, "198.51.100.8", epoch, 5)
	if len(first) != 1 {
		t.Fatalf("decided %+v", first)
	}
	past.commit(first)
	e.Committed()
	back := first[0].Until.Add(time.Minute)
	e.Expire(back)
	if got := attack(e, "198.51.100.8", back, 2); len(got) != 1 || got[0].Strike != 2 || got[0].Attempts != 2 {
		t.Errorf("two attempts of one who came back decided %+v", got)
	}
	e = newEngine(t, past, j) // which knows it from the record alone
	if got := attack(e, "198.51.100.8", back, 2); len(got) != 1 {
		t.Errorf("after a restart: %+v", got)
	}
	if got := attack(e, "198.51.100.9", back, 4); len(got) != 0 {
		t.Errorf("a first offender: %+v", got)
	}
}

func TestPromotion(t *testing.T) {
	ban := func(e *Engine, addr string, at time.Time) (out []string) {
		for _, d := range attack(e, addr, at, 5) {
			out = append(out, d.Action.String()+" "+d.Prefix.String())
		}
		return out
	}
	e := newEngine(t, nil, DefaultJail("sshd", "sshd"))
	at := epoch
	next := func() time.Time { at = at.Add(10 * time.Second); return at }
	var got []string
	for _, addr := range []string{
		"2001:db8:1:100::1", "2001:db8:1:101::1", "2001:db8:1:102::1", // makes 2001:db8:1:100::/56
		"2001:db8:1:200::1", "2001:db8:1:201::1", "2001:db8:1:202::1",
		"2001:db8:1:300::1", "2001:db8:1:301::1", "2001:db8:1:302::1", // and the /48
		"198.51.100.1", "198.51.100.2", "198.51.100.3", "198.51.100.4",
	} {
		got = append(got, ban(e, addr, next())...)
	}
	want := []string{
		"ban 2001:db8:1:100::/64", "ban 2001:db8:1:101::/64", "ban 2001:db8:1:102::/64", "ban 2001:db8:1:100::/56",
		"ban 2001:db8:1:200::/64", "ban 2001:db8:1:201::/64", "ban 2001:db8:1:202::/64", "ban 2001:db8:1:200::/56",
		"ban 2001:db8:1:300::/64", "ban 2001:db8:1:301::/64", "ban 2001:db8:1:302::/64", "ban 2001:db8:1:300::/56", "ban 2001:db8:1::/48",
		"ban 198.51.100.1/32", "ban 198.51.100.2/32", "ban 198.51.100.3/32", "ban 198.51.100.4/32",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}

	// Not where somebody lives, nor where a guard is.
	j := DefaultJail("sshd", "sshd")
	j.Promote4 = true
	for name, prepare := range map[string]func(*Engine){
		"guard":  func(e *Engine) { e.SetGuards([]Guard{{Prefix: prefix("198.51.100.77/32"), Why: "x"}}, at) },
		"friend": func(e *Engine) { e.Observe(login("198.51.100.77", "alice", at), at) },
	} {
		e := newEngine(t, nil, j)
		prepare(e)
		got := append(ban(e, "198.51.100.1", next()), ban(e, "198.51.100.2", next())...)
		got = append(got, ban(e, "198.51.100.3", next())...)
		if diff := cmp.Diff([]string{"ban 198.51.100.1/32", "ban 198.51.100.2/32", "ban 198.51.100.3/32", "alarm 198.51.100.0/24"}, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
	e = newEngine(t, nil, j)
	ban(e, "198.51.100.1", next())
	ban(e, "198.51.100.2", next())
	if got := ban(e, "198.51.100.3", next()); len(got) != 2 || got[1] != "ban 198.51.100.0/24" {
		t.Errorf("decided %v, want the /24 too", got)
	}
}
