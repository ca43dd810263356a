package daemon

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"bailiff/cmd/internal/admin"
	"bailiff/config"
	"bailiff/decide"
	"bailiff/store"
)

// recorded is a daemon on a record, whose judge the test drives with finish.
func recorded(t *testing.T, dir string, jails ...decide.Jail) *daemon {
	t.Helper()
	opts := store.DefaultOptions()
	opts.Dir, opts.Logger = dir, quiet
	s, err := store.OpenResilient(opts)
	if err != nil {
		t.Fatal(err)
	}
	p, _ := newSpine(t, jails...)
	opt := decide.DefaultOptions()
	opt.Jails = jails
	if p.engine, err = decide.New(opt, s); err != nil {
		t.Fatal(err)
	}
	p.ledger, p.rates = s, rates{}
	d := &daemon{log: quiet, pipe: p, police: p.police, store: s, opt: Options{Config: &config.Config{}}, law: law{decide: opt}}
	if err := d.restore(t.Context(), safe{}); err != nil {
		t.Fatal(err)
	}
	return d
}

// asked answers a question to the judge of d.
func asked[T any](t *testing.T, d *daemon, ask func(context.Context) (T, error)) T {
	t.Helper()
	var out T
	err := d.pipe.ask(t.Context(), func() {}) // what is queued is judged by then, or soon
	for err == nil && len(d.pipe.queue) > 0 {
		err = d.pipe.ask(t.Context(), func() {})
	}
	if err == nil {
		out, err = ask(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// The totals of a jail outlast the daemon; rates do not.
func TestJailStatus(t *testing.T) {
	dir := t.TempDir() + "/state"
	lab := decide.DefaultJail("lab", "sshd")
	lab.Sources = []string{"elsewhere"}
	ssh := decide.DefaultJail("ssh", "sshd")
	d := recorded(t, dir, ssh, lab)
	go d.pipe.judge(t.Context())
	h := d.pipe.read(nil, newAccount())
	for _, addr := range []string{"198.51.100.1", "198.51.100.2", "198.51.100.3", "198.51.100.4"} {
		guesses(h, addr, "", 5)
	}
	guesses(h, "198.51.100.5", "", 2)
	status := func(name string) admin.JailStatus {
		t.Helper()
		return asked(t, d, func(ctx context.Context) (admin.JailStatus, error) { return d.jailStatusOf(ctx, name) })
	}
	status("ssh")
	for _, p := range []string{"198.51.100.1/32", "198.51.100.2/32", "198.51.100.3/32"} {
		if _, err := d.unban(t.Context(), admin.UnbanRequest{Prefixes: []netip.Prefix{netip.MustParsePrefix(p)}}); err != nil {
			t.Fatal(err)
		}
	}
	got := status("ssh")
	want := admin.JailStatus{
		Failed: admin.JailFailed{Open: 1, Matches: 22, Sources: []string{}, Unheard: []admin.Count{}},
		Banned: admin.JailBanned{Standing: 1, Total: 4, Lifted: 3, List: []netip.Prefix{netip.MustParsePrefix("198.51.100.4/32")}},
		Rates:  admin.JailRates{Minute: admin.JailRate{Matches: 22, Bans: 4}, Hour: admin.JailRate{Matches: 22, Bans: 4}, Day: admin.JailRate{Matches: 22, Bans: 4}},
		Rules:  []admin.JailRule{{Rule: "sshd/failed-password", Matches: 22, Bans: 4, Lifted: 3, RecentBans: 4, RecentLifted: 3}},
	}
	opts := cmp.Options{cmpopts.EquateComparable(netip.Prefix{}), cmpopts.IgnoreFields(admin.JailStatus{}, "Name", "Packs", "Since", "Policy", "Warnings")}
	if diff := cmp.Diff(want, got, opts); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if p := got.Policy; p.MaxRetry != 5 || p.FindTime != "10m" || !slices.Equal(p.Ladder, []string{"10m", "20m", "40m", "1h20m", "2h40m"}) {
		t.Errorf("policy %+v", p)
	}
	if len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], "lifted 3 of its 4 bans") {
		t.Errorf("warnings %q", got.Warnings)
	}
	if deaf := status("lab"); deaf.Failed.Matches != 0 || !slices.Equal(deaf.Failed.Unheard, []admin.Count{{Name: "log", N: 22}}) {
		t.Errorf("the jail that hears nobody: %+v", deaf.Failed)
	}
	close(d.pipe.queue)
	<-d.pipe.closed
	if err := d.store.Close(); err != nil {
		t.Fatal(err)
	}

	d = recorded(t, dir, ssh, lab)
	go d.pipe.judge(t.Context())
	again := status("ssh")
	want.Rates = admin.JailRates{}
	if diff := cmp.Diff(want, again, opts); diff != "" {
		t.Errorf("after a restart (-want +got)\n%s", diff)
	}
	if !again.Since.Equal(*got.Since) {
		t.Errorf("counts since %v, before since %v", again.Since, got.Since)
	}
	_, err := d.jailStatusOf(t.Context(), "nowhere")
	if h := hint(err); h != "the jails are: ssh lab" {
		t.Errorf("a jail that is none: %v, hint %q", err, h)
	}
	close(d.pipe.queue)
	<-d.pipe.closed
	if err := d.store.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestGauge(t *testing.T) {
	at := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	g := newGauge()
	sums := func(after time.Duration) (n [3]uint64) {
		for i := range g {
			n[i] = g[i].sum(at.Add(after))
		}
		return n
	}
	g.add(at, 3)
	g.add(at.Add(59*time.Second), 4)
	for _, tt := range []struct {
		after time.Duration
		want  [3]uint64
	}{
		{59 * time.Second, [3]uint64{7, 7, 7}},
		{60 * time.Second, [3]uint64{4, 7, 7}},
		{30 * time.Second, [3]uint64{4, 7, 7}}, // a clock that was set back
		{59 * time.Minute, [3]uint64{0, 7, 7}},
		{60 * time.Minute, [3]uint64{0, 0, 7}},
		{23 * time.Hour, [3]uint64{0, 0, 7}},
		{24 * time.Hour, [3]uint64{}},
	} {
		if got := sums(tt.after); got != tt.want {
			t.Errorf("after %v %v, want %v", tt.after, got, tt.want)
		}
	}
	g.add(at.Add(24*time.Hour), 1)
	if got := sums(-365 * 24 * time.Hour); got != [3]uint64{} {
		t.Errorf("by a clock that was wrong by a year %v", got)
	}
	g.add(at, 2)
	if got := sums(0); got != [3]uint64{2, 2, 2} {
		t.Errorf("when it is right again %v", got)
	}
}
