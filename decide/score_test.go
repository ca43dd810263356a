package decide

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// Each match and ban counts once, for the rule and the jail that it is of.
func TestScores(t *testing.T) {
	opt := DefaultOptions()
	opt.Jails, opt.Ceiling = []Jail{DefaultJail("sshd", "sshd")}, Ceiling{Proven: 3}
	opt.Jails = append(opt.Jails, DefaultJail("slow", "sshd"))
	opt.Jails[1].MaxRetry, opt.Jails[1].Simulate = 9, true
	e, err := New(opt, nil)
	if err != nil {
		t.Fatal(err)
	}
	attack(e, "198.51.100.1", epoch, 7) // five, and two during the ban
	attack(e, "198.51.100.2", epoch, 4)
	attack(e, "198.51.100.2", epoch.Add(-time.Hour), 1) // too late
	attack(e, "198.51.100.3", epoch, 5)
	attack(e, "198.51.100.4", epoch, 5)
	attack(e, "198.51.100.6", epoch, 5) // a fourth ban, which is held
	many := failure("198.51.100.5", epoch)
	many.Count = 3
	e.Observe(many, epoch)
	admit(t, e, Decision{Prefix: netip.MustParsePrefix("203.0.113.9/32"), At: epoch, Jail: "sshd", Origin: "operator"})
	now := epoch.Add(time.Minute)
	lift := func(p string) { e.Lift(netip.MustParsePrefix(p), "operator", now) }
	lift("198.51.100.1/32")
	for range 2 { // the second finds nothing
		if _, _, err := e.Give(Order{Kind: Allow, Prefix: netip.MustParsePrefix("198.51.100.3/32"), Until: now.Add(time.Second)}, now); err != nil {
			t.Fatal(err)
		}
	}
	lift("203.0.113.9/32") // an operator's own
	lift("0.0.0.0/0")      // everybody
	want := []Score{
		{Jail: "slow", Rule: "sshd/failed-password", At: now, Matches: 30, During: 2, Late: 1},
		{Jail: "sshd", At: now, Bans: 1},
		{Jail: "sshd", Rule: "sshd/failed-password", At: now, Matches: 30, During: 2, Late: 1, Bans: 3, Held: 1, Lifted: 2},
	}
	order := cmpopts.SortSlices(func(a, b Score) bool { return a.Jail+a.Rule < b.Jail+b.Rule })
	if diff := cmp.Diff(want, e.Scores(now), order); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if more := e.Scores(now); len(more) > 0 {
		t.Errorf("counted twice: %+v", more)
	}
	attack(e, "198.51.100.9", now, 9)
	want = []Score{
		{Jail: "slow", Rule: "sshd/failed-password", At: now, Matches: 9, During: 4},
		{Jail: "sshd", Rule: "sshd/failed-password", At: now, Matches: 9, During: 4, Bans: 1},
	}
	if diff := cmp.Diff(want, e.Scores(now), order); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// Open windows are those that hold something.
func TestDocketCountsOpenWindows(t *testing.T) {
	e := newEngine(t, nil, DefaultJail("sshd", "sshd"))
	attack(e, "198.51.100.1", epoch, 5)
	attack(e, "198.51.100.2", epoch, 1)
	attack(e, "198.51.100.3", epoch, 4)
	got, ok := e.Docket("sshd")
	if !ok || got.Watched != 3 || got.Open != 2 {
		t.Errorf("%+v, %v", got, ok)
	}
	e.Expire(epoch.Add(time.Hour))
	if got, _ := e.Docket("sshd"); got.Watched != 0 || got.Open != 0 {
		t.Errorf("an hour later %+v", got)
	}
	if _, ok := e.Docket("nowhere"); ok {
		t.Error("there is a jail that nobody has")
	}
}
