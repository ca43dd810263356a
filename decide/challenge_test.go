package decide

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bailiff/rules"
)

// office is what phones behind one address are logged with: challenges, and logins
// of those that answer.
type office struct {
	*testing.T
	*Engine
	bans []Decision
}

const officeAddr = "198.51.100.9"

func (o *office) line(event rules.Event, account string, at time.Duration) {
	m := failure(officeAddr, epoch.Add(at))
	m.Event, m.Account = event, account
	o.bans = append(o.bans, o.Observe(m, m.Time)...)
}

func newOffice(t *testing.T) *office {
	return &office{T: t, Engine: newEngine(t, nil, DefaultJail("pbx", "sshd"))}
}

// Two hundred phones that come back together are challenged before the first of
// them has answered. Nobody is banned, then or when they do it again.
func TestChallengesInAStorm(t *testing.T) {
	o := newOffice(t)
	for round := range 5 {
		at := time.Duration(round) * time.Minute
		for phone := range 200 {
			o.line(rules.Challenge, string(rune('a'+phone)), at+time.Duration(phone)*time.Millisecond)
		}
		for phone := range 200 {
			o.line(rules.Success, string(rune('a'+phone)), at+5*time.Second+time.Duration(phone)*time.Millisecond)
		}
	}
	if len(o.bans) != 0 {
		t.Errorf("the office was banned: %+v", o.bans)
	}
}

// Who is challenged and never logs in is banned with the challenge that finds
// thirty due.
func TestUnansweredChallenges(t *testing.T) {
	o := newOffice(t)
	for i := range 61 {
		o.line(rules.Challenge, "", time.Duration(i)*time.Second)
	}
	if len(o.bans) != 0 {
		t.Fatalf("banned with 29 due: %+v", o.bans)
	}
	o.line(rules.Challenge, "", 61*time.Second) // 30 are 32 seconds old or more
	if len(o.bans) != 1 || o.bans[0].Attempts != 30 || o.bans[0].Reason != "challenges that no login followed" {
		t.Fatalf("want one ban for 30 challenges: %+v", o.bans)
	}
	if got := o.bans[0].At; !got.Equal(epoch.Add(61 * time.Second)) {
		t.Errorf("banned at %v", got)
	}
}

// A login answers what came before it and nothing that comes after; one on
// another service answers nothing.
func TestLoginAnswersChallenges(t *testing.T) {
	for _, c := range []struct {
		name    string
		service string
		want    int
	}{{"the same service", rule.Service, 0}, {"another", "http", 1}} {
		t.Run(c.name, func(t *testing.T) {
			o := newOffice(t)
			other := *rule
			other.Service = c.service
			for i := range 40 {
				o.line(rules.Challenge, "", time.Duration(i)*time.Second)
			}
			login := failure(officeAddr, epoch.Add(40*time.Second))
			login.Rule, login.Event, login.Account = &other, rules.Success, "x"
			o.bans = append(o.bans, o.Observe(login, login.Time)...)
			for i := range 22 {
				o.line(rules.Challenge, "", time.Duration(41+i)*time.Second)
			}
			if len(o.bans) != c.want {
				t.Errorf("%d bans, want %d", len(o.bans), c.want)
			}
		})
	}
}

// Challenges are no failures, whichever there are more of, and a jail may leave
// them alone.
func TestChallengesAreNoFailures(t *testing.T) {
	o := newOffice(t)
	for i := range 29 {
		o.line(rules.Challenge, "", time.Duration(i)*time.Second)
	}
	for i := range 4 {
		o.line(rules.Failure, "x", 2*time.Minute+time.Duration(i)*time.Second)
	}
	if len(o.bans) != 0 {
		t.Errorf("29 challenges and 4 failures ban: %+v", o.bans)
	}
	jail := DefaultJail("pbx", "sshd")
	jail.MaxChallenges = 0
	deaf := &office{T: t, Engine: newEngine(t, nil, jail)}
	for i := range 500 {
		deaf.line(rules.Challenge, "", time.Duration(i)*time.Second)
	}
	if len(deaf.bans) != 0 || deaf.Watched()["pbx"] != 0 {
		t.Errorf("max_challenges = 0 counts: %+v", deaf.bans)
	}
}

// A flood of challenges costs one slot a second, not one a line.
func TestChallengeFloodIsSmall(t *testing.T) {
	o := newOffice(t)
	for i := range 20_000 {
		o.line(rules.Challenge, string(rune(i)), time.Duration(i)*time.Millisecond)
	}
	for _, w := range o.dockets[0].watches {
		if len(w.slots) > 20 {
			t.Errorf("%d slots for 20 seconds", len(w.slots))
		}
	}
}

// What earlier versions stored is read.
func TestOldWindows(t *testing.T) {
	for version := range byte(windowVersion) {
		if version == 0 {
			continue
		}
		prefix, err := netip.MustParsePrefix(officeAddr + "/32").MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		b := appendString(appendString([]byte{version}, "j"), string(prefix))
		b = append(appendTime(b, epoch), 1) // settled, and one tally
		b = appendTime(b, epoch.Add(time.Second))
		for _, s := range []string{"a/b", "ssh", "main", "udp", "alice"} {
			b = appendString(b, s)
		}
		b = append(b, 1, 1, 2) // per attempt, weight, lines
		if version > 1 {
			b = append(b, 1) // a challenge
		}
		b = appendString(append(b, 1), "a line")
		var back Window
		if err := back.UnmarshalBinary(b); err != nil {
			t.Fatal(err)
		}
		want := Window{
			Jail: "j", Prefix: netip.MustParsePrefix(officeAddr + "/32"), Settled: epoch, Evidence: []string{"a line"},
			Tallies: []Tally{{
				Time: epoch.Add(time.Second), Rule: "a/b", Service: "ssh", Witness: "main", Origin: "udp", Account: "alice",
				PerAttempt: 1, Weight: 1, Lines: 2, Challenge: version > 1,
			}},
		}
		if diff := cmp.Diff(want, back, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
			t.Errorf("version %d (-want +got)\n%s", version, diff)
		}
	}
}
