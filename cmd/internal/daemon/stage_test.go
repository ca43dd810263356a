package daemon

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"bailiff/decide"
	"bailiff/store"
)

// A source whose lines nobody can read again, and whose senders can wait, loses none to a
// full queue, nor to a stop.
func TestWaitingSourceLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newSpine(t, decide.DefaultJail("ssh", "sshd"))
		p.queue = make(chan finding, 2)
		account := newAccount()
		account.waits = true
		stopping := make(chan struct{})
		close(stopping)
		h := p.read(stopping, account)
		handed := make(chan struct{})
		go func() {
			guesses(h, "198.51.100.8", "", 50)
			close(p.queue)
			close(handed)
		}()
		synctest.Wait()
		select {
		case <-handed:
			t.Error("nobody waited for room")
		default:
		}
		p.judge(t.Context())
		<-handed
		if decided, dropped := total(account, "decided"), total(account, "dropped"); decided != 50 || dropped != 0 {
			t.Errorf("%d decided, %d dropped, want 50 and none", decided, dropped)
		}
	})
}

func TestMemory(t *testing.T) {
	start := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	prefix := func(i byte) netip.Prefix { return netip.PrefixFrom(netip.AddrFrom4([4]byte{203, 0, 113, i}), 32) }
	m := newMemory(24*time.Hour, 2)
	ban := func(i byte, jail string, after time.Duration, change func(*decide.Decision)) decide.Decision {
		d := decide.Decision{Action: decide.Ban, Prefix: prefix(i), Jail: jail, At: start.Add(after), Until: start.Add(after + time.Hour)}
		if change != nil {
			change(&d)
		}
		return d
	}
	commit := func(ds ...decide.Decision) {
		t.Helper()
		if err := m.Commit(store.Batch{Decisions: ds}); err != nil {
			t.Fatal(err)
		}
	}
	jails := func(i byte, jail string, since time.Duration) (out []string) {
		t.Helper()
		strikes, err := m.Strikes(prefix(i), jail, start.Add(since))
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range strikes {
			out = append(out, s.Jail+" "+s.Until.Sub(start).String())
		}
		return out
	}
	commit(
		ban(1, "a", 0, nil),
		ban(1, "b", time.Minute, nil),
		ban(1, "c", 0, func(d *decide.Decision) { d.Simulated = true }),
		ban(1, "d", 0, func(d *decide.Decision) { d.Action = decide.Alarm }),
		ban(1, "b", 2*time.Minute, func(d *decide.Decision) { d.Action = decide.Lift }),
	)
	for _, tc := range []struct {
		jail  string
		since time.Duration
		want  []string
	}{
		{"", 0, []string{"a 1h0m0s", "b 2m0s"}},
		{"a", 0, []string{"a 1h0m0s"}},
		{"", 3 * time.Minute, []string{"a 1h0m0s"}}, // a ban that was lifted ended then
		{"", 2 * time.Hour, nil},
	} {
		if diff := cmp.Diff(tc.want, jails(1, tc.jail, tc.since)); diff != "" {
			t.Errorf("jail %q since %v (-want +got):\n%s", tc.jail, tc.since, diff)
		}
	}

	// What is too old to count is forgotten, and so is whoever came first when there are
	// too many.
	commit(ban(1, "e", 48*time.Hour, nil), ban(2, "f", 0, nil))
	if diff := cmp.Diff([]string{"e 49h0m0s"}, jails(1, "", 0)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	commit(ban(3, "g", 0, nil))
	if got := [][]string{jails(1, "", 0), jails(2, "", 0), jails(3, "", 0)}; len(got[0]) != 0 || len(got[1]) != 1 || len(got[2]) != 1 {
		t.Errorf("of three, two of whom are remembered: %v", got)
	}
}
