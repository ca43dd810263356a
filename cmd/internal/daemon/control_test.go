package daemon

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"bailiff/cmd/internal/admin"
	"bailiff/decide"
)

func TestUnbanNamesTheBan(t *testing.T) {
	p, spine := newSpine(t)
	d := &daemon{log: quiet, pipe: p}
	go p.judge(t.Context())
	prefix := host(guarded(t, "198.51.100.8"))
	order := decide.Decision{Prefix: prefix, At: time.Now().Add(-time.Minute), Until: time.Now().Add(time.Hour), Origin: "operator"}
	if err := p.ask(t.Context(), func() { order, _ = p.engine.Admit(order, time.Now()) }); err != nil {
		t.Fatal(err)
	}
	got, err := d.unban(t.Context(), admin.UnbanRequest{All: true})
	if err != nil {
		t.Fatal(err)
	}
	want := []admin.Ban{{Prefix: prefix, Since: order.At, Until: &order.Until, Strike: 1, Origin: "operator"}}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Prefix{})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	events := []string{"commit 1 decisions 0 marks", "apply lift ", "fsync", "tell lift "}
	if diff := cmp.Diff(events, spine.read()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	close(p.queue)
	<-p.closed
}

func TestWhyShowsEvidenceSafely(t *testing.T) {
	got := whyJail(&decide.JailView{Jail: "ssh", After: 3, Evidence: []string{"user \x1b[31mroot"}})
	if got.After != 3 || len(got.Evidence) != 1 || got.Evidence[0] != admin.Safe("user \x1b[31mroot") {
		t.Errorf("%+v", got)
	}
}

func TestBansOfNoJailHaveARow(t *testing.T) {
	d := &daemon{law: law{decide: decide.Options{Jails: []decide.Jail{decide.DefaultJail("ssh", "sshd")}}}}
	d.jails.add(&decide.Decision{Action: decide.Ban})
	rows := d.jailStatus(map[string]int{"": 2, "ssh": 1}, map[string]int{"ssh": 7}, nil, nil)
	want := []admin.Jail{{Name: "ssh", Packs: []string{"sshd"}, Windows: 7, Standing: 1}, {Packs: []string{}, Standing: 2, Bans: 1}}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
