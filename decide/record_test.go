package decide

import (
	"net/netip"
	"testing"
	"time"

	"bailiff/rules"
)

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func seconds(n int) time.Time { return epoch.Add(time.Duration(n) * time.Second) }

// TestOldLogIsReadSlowly reads yesterday's log with a pause within the window and
// within the ban: neither is forgotten for being old.
func TestOldLogIsReadSlowly(t *testing.T) {
	e := newEngine(t, nil, DefaultJail("sshd", "sshd"))
	now := epoch.Add(24 * time.Hour)
	for i := range 4 {
		e.Observe(failure("198.51.100.8", seconds(i)), now)
	}
	e.Expire(now.Add(9 * time.Minute))
	got := e.Observe(failure("198.51.100.8", seconds(4)), now.Add(9*time.Minute))
	if len(got) != 1 || !got[0].Spent {
		t.Fatalf("the fifth attempt decided %+v, want a spent ban", got)
	}
	e.Committed() // to no record: the window alone must know
	e.Expire(now.Add(18 * time.Minute))
	for i := range 20 {
		if got := e.Observe(failure("198.51.100.8", seconds(5+i)), now.Add(18*time.Minute)); len(got) != 0 {
			t.Fatalf("a line logged during that ban decided %+v", got)
		}
	}
	for _, at := range []time.Time{got[0].Until, got[0].Until.Add(1), got[0].Until.Add(2), got[0].Until.Add(3), got[0].Until.Add(4)} {
		if got := e.Observe(failure("198.51.100.8", at), now.Add(18*time.Minute)); len(got) != 0 {
			t.Errorf("the moment of its end and four attempts after it decided %+v", got)
		}
	}
	if n := e.Stats().Settled; n != 21 {
		t.Errorf("%d lines were settled, want 20 and the one at the end", n)
	}
}

func TestSilenceForgets(t *testing.T) {
	e := newEngine(t, nil, DefaultJail("sshd", "sshd"))
	attack(e, "198.51.100.8", epoch, 4)
	e.Touched()
	if e.Expire(epoch.Add(10*time.Minute + 2*time.Second)); e.Watched()["sshd"] != 1 {
		t.Error("forgotten before find_time had passed")
	}
	if e.Expire(epoch.Add(10*time.Minute + 3*time.Second)); e.Watched()["sshd"] != 0 {
		t.Error("not forgotten after find_time")
	}
	if got := e.Touched(); len(got) != 1 || !got[0].Empty() {
		t.Errorf("handed out %+v, want one empty window that is deleted", got)
	}
}

func TestExpireForgetsALittleAtATime(t *testing.T) {
	e := newEngine(t, nil, DefaultJail("sshd", "sshd"))
	for i := range 2*sweepBudget + 1 {
		e.Observe(stranger(i), epoch)
	}
	for _, want := range []int{sweepBudget + 1, 1, 0} {
		if e.Expire(epoch.Add(time.Hour)); e.Watched()["sshd"] != want {
			t.Fatalf("%d windows left, want %d", e.Watched()["sshd"], want)
		}
	}
	for _, w := range e.Touched() {
		if !w.Empty() {
			t.Fatalf("handed out %+v", w)
		}
	}
	if len(e.Touched()) != 0 {
		t.Error("handed out twice")
	}
}

// TestForgottenWindowIsHeldAgainstTheRecord starts without windows, as after an
// eviction: the ban on record still answers what was logged during it.
func TestForgottenWindowIsHeldAgainstTheRecord(t *testing.T) {
	past := &record{strikes: []Strike{{Prefix: prefix("198.51.100.8/32"), Jail: "sshd", At: epoch, Until: epoch.Add(10 * time.Minute)}}}
	now := epoch.Add(time.Hour)
	for _, tt := range []struct {
		name                  string
		during, after, strike int
	}{
		{"all during the ban", 20, 0, 0},
		{"too few after it", 4, 4, 0},
		{"enough after it", 4, 5, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := newEngine(t, past, DefaultJail("sshd", "sshd"))
			var got []Decision
			for i := range tt.during {
				got = append(got, e.Observe(failure("198.51.100.8", seconds(600-i)), now)...)
			}
			for i := range tt.after {
				got = append(got, e.Observe(failure("198.51.100.8", seconds(601+i)), now)...)
			}
			switch {
			case tt.strike == 0 && len(got) > 0:
				t.Errorf("decided %+v", got)
			case tt.strike > 0 && (len(got) != 1 || got[0].Strike != tt.strike || got[0].Attempts != tt.after):
				t.Errorf("decided %+v, want strike %d of %d attempts", got, tt.strike, tt.after)
			}
		})
	}
}

// TestLogReadTwice reads a log with lines during the ban again.
func TestLogReadTwice(t *testing.T) {
	past := &record{}
	first := newEngine(t, past, DefaultJail("sshd", "sshd"))
	past.commit(attack(first, "198.51.100.8", epoch, 40))
	again := newEngine(t, past, DefaultJail("sshd", "sshd"))
	if got := attack(again, "198.51.100.8", epoch, 40); len(got) != 0 {
		t.Errorf("the second time decided %+v", got)
	}
}

func TestWhatIsAStrike(t *testing.T) {
	simulated, ported := DefaultJail("sshd", "sshd"), DefaultJail("sshd", "sshd")
	simulated.Simulate, ported.Ports = true, []Port{{"tcp", 22}}
	for _, tt := range []struct {
		name   string
		jail   Jail
		commit bool
		want   int
	}{
		{"a ban on record", DefaultJail("sshd", "sshd"), true, 2},
		{"a ban not yet on record", DefaultJail("sshd", "sshd"), false, 2},
		{"a ban of ports", ported, true, 2},
		{"a simulated ban", simulated, true, 1},
		{"a simulated ban not yet on record", simulated, false, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			past := &record{}
			e := newEngine(t, past, tt.jail)
			got := attack(e, "198.51.100.8", epoch, 5)
			if tt.commit {
				past.commit(got)
				e.Committed()
			}
			next := attack(e, "198.51.100.8", got[0].Until.Add(time.Second), 5)
			if len(next) != 1 || next[0].Strike != tt.want {
				t.Errorf("the next ban: %+v, want strike %d", next, tt.want)
			}
		})
	}
}

// TestCommitThatIsNotReported has the record know a ban that the engine still
// holds to be new.
func TestCommitThatIsNotReported(t *testing.T) {
	past := &record{}
	e := newEngine(t, past, DefaultJail("sshd", "sshd"))
	got := attack(e, "198.51.100.8", epoch, 5)
	past.commit(got)
	if next := attack(e, "198.51.100.8", got[0].Until.Add(time.Second), 5); len(next) != 1 || next[0].Strike != 2 {
		t.Errorf("the next ban: %+v, want strike 2", next)
	}
}

// TestLaterBansDoNotCount reads an old log after a newer one.
func TestLaterBansDoNotCount(t *testing.T) {
	past := &record{strikes: []Strike{{Prefix: prefix("198.51.100.8/32"), Jail: "sshd", At: epoch.Add(time.Hour), Until: epoch.Add(2 * time.Hour)}}}
	e := newEngine(t, past, DefaultJail("sshd", "sshd"))
	if got := attack(e, "198.51.100.8", epoch, 5); len(got) != 1 || got[0].Strike != 1 {
		t.Errorf("decided %+v, want the first strike", got)
	}
}

func TestEarlierBansThatCount(t *testing.T) {
	at := epoch.Add(90 * 24 * time.Hour)
	for _, tt := range []struct {
		name    string
		jail    string
		until   time.Time
		overall bool
		want    int
	}{
		{"ended exactly forget_after ago", "sshd", epoch, false, 2},
		{"ended before that", "sshd", epoch.Add(-time.Nanosecond), false, 1},
		{"of another jail", "pbx", epoch, false, 1},
		{"of another jail, overall", "pbx", epoch, true, 2},
		{"of another jail, without end, overall", "pbx", time.Time{}, true, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			past := &record{strikes: []Strike{{Prefix: prefix("198.51.100.8/32"), Jail: tt.jail, At: epoch.Add(-time.Hour), Until: tt.until}}}
			opt := DefaultOptions()
			opt.Jails, opt.Escalation.Overall = []Jail{DefaultJail("sshd", "sshd")}, tt.overall
			opt.Jails[0].MaxRetry = 1
			e, err := New(opt, past)
			if err != nil {
				t.Fatal(err)
			}
			got := e.Observe(failure("198.51.100.8", at), at)
			if len(got) != 1 || got[0].Strike != tt.want {
				t.Errorf("%+v, want strike %d", got, tt.want)
			}
		})
	}
}

// TestJitterIsOfTheDecision holds jitter to its bounds and to the same line.
func TestJitterIsOfTheDecision(t *testing.T) {
	opt := DefaultOptions()
	opt.Jails, opt.Escalation.Jitter = []Jail{DefaultJail("sshd", "sshd")}, 5*time.Minute
	sentences := map[time.Duration]bool{}
	for i := range 50 {
		var lengths []time.Duration
		for range 2 {
			e, err := New(opt, nil)
			if err != nil {
				t.Fatal(err)
			}
			got := attack(e, "198.51.100.8", seconds(i), 5)
			lengths = append(lengths, got[0].Until.Sub(got[0].At))
		}
		if lengths[0] != lengths[1] || lengths[0] < 10*time.Minute || lengths[0] > 15*time.Minute {
			t.Fatalf("sentences %v, want twice the same between 10m and 15m", lengths)
		}
		sentences[lengths[0]] = true
	}
	if len(sentences) < 40 {
		t.Errorf("only %d different sentences of 50", len(sentences))
	}
}

func TestSentenceBeyondTheCalendar(t *testing.T) {
	opt := DefaultOptions()
	opt.Jails, opt.Escalation = []Jail{DefaultJail("sshd", "sshd")}, Escalation{Factor: 1}
	opt.Jails[0].BanTime = Forever - time.Hour
	e, err := New(opt, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := attack(e, "198.51.100.8", epoch, 30); len(got) != 1 || !got[0].Until.IsZero() {
		t.Errorf("a ban of 292 years: %+v, want one without an end", got)
	}
}

func TestIDsDiffer(t *testing.T) {
	d := Decision{Action: Ban, Prefix: prefix("198.51.100.8/32"), At: epoch, Jail: "sshd"}
	seen := map[string]string{}
	for name, change := range map[string]func(*Decision){
		"itself": func(*Decision) {},
		"action": func(d *Decision) { d.Action = Lift },
		"prefix": func(d *Decision) { d.Prefix = prefix("198.51.100.8/31") },
		"time":   func(d *Decision) { d.At = epoch.Add(1) },
		"jail":   func(d *Decision) { d.Jail = "ssh" },
	} {
		other := d
		change(&other)
		if twin, ok := seen[id(&other)]; ok {
			t.Errorf("%s and %s have one ID", name, twin)
		}
		seen[id(&other)] = name
	}
}

// TestLinesFromTwoSourcesAreOneAttempt has the same log come by two ways, and
// two channels of one daemon.
func TestLinesFromTwoSourcesAreOneAttempt(t *testing.T) {
	other := *rule
	other.Witness = "pam"
	for name, change := range map[string]func(*rules.Match){
		"source":  func(m *rules.Match) { m.Source = "udp" },
		"sender":  func(m *rules.Match) { m.Origin = "192.0.2.1" },
		"witness": func(m *rules.Match) { m.Rule = &other },
	} {
		e := newEngine(t, nil, DefaultJail("sshd", "sshd"))
		for i := range 4 {
			m := failure("198.51.100.8", seconds(i))
			got := e.Observe(m, m.Time)
			change(m)
			if got = append(got, e.Observe(m, m.Time)...); len(got) != 0 {
				t.Errorf("%s: %d attempts told twice decided %+v", name, i+1, got)
			}
		}
		if got := attack(e, "198.51.100.8", seconds(4), 1); len(got) != 1 || got[0].Attempts != 5 {
			t.Errorf("%s: the fifth attempt decided %+v", name, got)
		}
	}
}
