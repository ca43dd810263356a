package daemon

import (
	"context"
	"net/netip"
	"testing"

	"bailiff/cmd/internal/admin"
	"bailiff/decide"
)

// From the lines to the next sentence, and over a restart.
func TestWhy(t *testing.T) {
	dir := t.TempDir() + "/state"
	ssh, slow := decide.DefaultJail("ssh", "sshd"), decide.DefaultJail("slow", "sshd")
	slow.MaxRetry = 20
	d := recorded(t, dir, ssh, slow)
	go d.pipe.judge(t.Context())
	guesses(d.pipe.read(nil, newAccount()), "198.51.100.1", "", 5)
	why := func(p string) admin.Why {
		t.Helper()
		return asked(t, d, func(ctx context.Context) (admin.Why, error) { return d.why(ctx, netip.MustParsePrefix(p)) })
	}
	check := func(when string) {
		t.Helper()
		for _, p := range []string{"198.51.100.1/32", "198.51.100.0/24"} {
			w := why(p)
			if !w.Banned || w.Standing != 1 || len(w.Decisions) != 1 || w.Windows != 2 || len(w.Jails) != 2 {
				t.Fatalf("%s: %s: %+v", when, p, w)
			}
			ban := w.Decisions[0]
			if len(ban.Evidence) != 5 || len(ban.Witnesses) != 1 || ban.Witnesses[0].Lines != 5 || ban.Witnesses[0].Source != "log" {
				t.Errorf("%s: %s: the ban %+v", when, p, ban)
			}
			if j := w.Jails[0]; j.Jail != "slow" || j.Attempts != 5 || j.First == nil || len(j.Ladder) != 3 || j.Next != "10m" {
				t.Errorf("%s: %s: the open window %+v", when, p, j)
			}
			if j := w.Jails[1]; j.Jail != "ssh" || j.Attempts != 0 || j.First != nil || j.NextStrike != 2 {
				t.Errorf("%s: %s: the window of the ban %+v", when, p, j)
			}
		}
		if w := why("198.51.100.2/32"); w.Banned || len(w.Decisions)+len(w.Jails)+len(w.Guards) != 0 {
			t.Errorf("%s: of a stranger: %+v", when, w)
		}
	}
	check("at once")
	close(d.pipe.queue)
	<-d.pipe.closed
	if err := d.store.Close(); err != nil {
		t.Fatal(err)
	}
	d = recorded(t, dir, ssh, slow)
	go d.pipe.judge(t.Context())
	check("after a restart")
	close(d.pipe.queue)
	<-d.pipe.closed
	if err := d.store.Close(); err != nil {
		t.Fatal(err)
	}
}
