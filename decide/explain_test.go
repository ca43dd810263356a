package decide

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"bailiff/rules"
)

// Lines of several witnesses and origins are told apart, and as many attempts as count.
func TestExplainTellsWhatWasMerged(t *testing.T) {
	e := newEngine(t, nil, DefaultJail("sshd", "sshd"))
	second := *rule
	second.Witness, second.Name, second.PerAttempt = "pam", "pam", 2
	tell := func(n int) (out []Decision) {
		for i := range n {
			m := failure("198.51.100.8", seconds(i))
			out = append(out, e.Observe(m, seconds(i))...)
			m.Origin = "pbx"
			out = append(out, e.Observe(m, seconds(i))...)
			for range 2 {
				m := failure("198.51.100.8", seconds(i))
				m.Rule = &second
				out = append(out, e.Observe(m, seconds(i))...)
			}
		}
		return out
	}
	tell(4)
	v := e.Explain(prefix("198.51.100.8/32"), seconds(10)).Jails[0]
	want := []Sum{{"ssh", "main", "journald", 4, 4}, {"ssh", "main", "journald pbx", 4, 4}, {"ssh", "pam", "journald", 4, 8}}
	if diff := cmp.Diff(want, v.Sums); diff != "" || v.Attempts != 4 {
		t.Errorf("%d attempts (-want +got)\n%s", v.Attempts, diff)
	}
	if !v.First.Equal(seconds(0)) || !v.Last.Equal(seconds(3)) {
		t.Errorf("from %v to %v", v.First, v.Last)
	}
	ladder := []time.Duration{10 * time.Minute, 20 * time.Minute, 40 * time.Minute}
	if diff := cmp.Diff(ladder, v.Ladder); diff != "" {
		t.Errorf("ladder (-want +got)\n%s", diff)
	}
	m := failure("198.51.100.8", seconds(4))
	got := e.Observe(m, seconds(4))
	want[0] = Sum{"ssh", "main", "journald", 5, 5}
	if len(got) != 1 {
		t.Fatalf("decided %+v", got)
	}
	if diff := cmp.Diff(want, got[0].Sums); diff != "" {
		t.Errorf("the ban (-want +got)\n%s", diff)
	}
	v = e.Explain(prefix("198.51.100.8/32"), seconds(10)).Jails[0]
	if v.NextStrike != 2 || v.Ladder[0] != 20*time.Minute || !v.First.IsZero() {
		t.Errorf("after the ban %+v", v)
	}
}

// A participant is charged with its own lines, of what many did to an account.
func TestExplainChargesEachWithItsOwn(t *testing.T) {
	j := DefaultJail("acct", "sshd")
	j.GroupBy, j.Distinct = ByAccount, 3
	past := &record{}
	past.commit([]Decision{{Action: Ban, Prefix: prefix("198.51.100.2/32"), At: epoch.Add(-time.Hour), Until: epoch.Add(-time.Minute), Jail: "acct"}})
	e := newEngine(t, past, j)
	var got []Decision
	for i, addr := range []string{"198.51.100.1", "198.51.100.2", "198.51.100.1", "198.51.100.1", "198.51.100.3"} {
		if i == 4 {
			v := e.Explain(prefix("198.51.100.2/32"), seconds(i)).Jails[0]
			if v.NextStrike != 2 || v.Account != "root" || v.Attempts != 4 || v.Peers != 2 || v.Distinct != 3 || v.Sums[0].Lines != 4 {
				t.Errorf("the window of the account: %+v", v)
			}
		}
		got = append(got, e.Observe(failure(addr, seconds(i)), seconds(i))...)
	}
	lines := map[string]int{}
	for _, d := range got {
		lines[d.Prefix.String()] = d.Sums[0].Lines
	}
	if diff := cmp.Diff(map[string]int{"198.51.100.1/32": 3, "198.51.100.2/32": 1, "198.51.100.3/32": 1}, lines); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// Of a wide prefix it tells a part, and how much there is.
func TestExplainIsCapped(t *testing.T) {
	opt := DefaultOptions()
	opt.Jails, opt.Ceiling = []Jail{DefaultJail("sshd", "sshd")}, Ceiling{Proven: 120}
	opt.Jails[0].KnownGoodFactor = 1
	e, err := New(opt, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 150 {
		attack(e, fmt.Sprintf("198.51.100.%d", i), epoch, 5)
		login := failure(fmt.Sprintf("198.51.101.%d", i), epoch.Add(time.Duration(i)*time.Second))
		login.Event, login.Account = rules.Success, fmt.Sprint("user", i)
		e.Observe(login, epoch)
	}
	attack(e, "198.51.101.7", epoch, 4)
	x := e.Explain(prefix("198.51.0.0/16"), seconds(9))
	if x.Standing != 120 || len(x.Bans) != maxBans || x.Waiting != 30 || len(x.Held) != maxViews || x.Pairs != 150 || len(x.Known) != maxViews || len(x.Jails) != maxViews || x.Windows != 151 {
		t.Errorf("%d of %d bans, %d of %d held, %d of %d pairs, %d of %d windows", len(x.Bans), x.Standing, len(x.Held), x.Waiting, len(x.Known), x.Pairs, len(x.Jails), x.Windows)
	}
	if x.Known[0].Account != "user149" || x.Held[0].Why == "" {
		t.Errorf("first %+v, %+v", x.Known[0], x.Held[0])
	}
	one := e.Explain(prefix("198.51.101.7/32"), seconds(9))
	if one.Standing+one.Waiting != 0 || one.Pairs != 1 || one.Known[0].Account != "user7" || one.Windows != 1 {
		t.Errorf("%+v", one)
	}
	held := e.Explain(prefix("198.51.100.149/32"), seconds(9))
	if held.Standing != 0 || held.Waiting != 1 || held.Jails[0].Attempts != 5 {
		t.Errorf("%+v", held)
	}
	if x := e.Explain(prefix("203.0.113.0/24"), seconds(9)); !cmp.Equal(x, Explanation{}, cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Prefix{})) {
		t.Errorf("of strangers it tells %+v", x)
	}
}

// Bans that cover, hold and equal what is asked for are told of, each once.
func TestExplainFindsBansAround(t *testing.T) {
	e := newEngine(t, nil, DefaultJail("sshd", "sshd"))
	for _, p := range []string{"198.51.100.0/24", "198.51.100.8/32", "198.51.0.0/16", "203.0.113.0/24"} {
		for _, jail := range []string{"", "sshd"} {
			admit(t, e, Decision{Prefix: prefix(p), At: epoch, Jail: jail, Origin: "operator"})
		}
	}
	for p, want := range map[string]int{"198.51.100.8/32": 6, "198.51.100.0/24": 6, "198.51.100.9/32": 4, "198.0.0.0/8": 6, "192.0.2.1/32": 0} {
		if x := e.Explain(prefix(p), epoch); x.Standing != want || len(x.Bans) != want {
			t.Errorf("%s: %d, %d bans, want %d", p, x.Standing, len(x.Bans), want)
		}
	}
}
