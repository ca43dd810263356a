package daemon

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	"bailiff/cmd/internal/admin"
	"bailiff/decide"
)

// What an operator says outlasts the daemon, lifts what is in the way, and ends when it
// is told to.
func TestOrdersOutlastTheDaemon(t *testing.T) {
	dir := t.TempDir() + "/state"
	ssh := decide.DefaultJail("ssh", "sshd")
	d := recorded(t, dir, ssh)
	h := d.pipe.read(nil, newAccount())
	go d.pipe.judge(t.Context())
	close := func() {
		t.Helper()
		close(d.pipe.queue)
		<-d.pipe.closed
		if err := d.store.Close(); err != nil {
			t.Fatal(err)
		}
	}
	ask := func(f func(context.Context, admin.OrderRequest) (admin.OrderResult, error), req admin.OrderRequest) admin.OrderResult {
		t.Helper()
		return asked(t, d, func(ctx context.Context) (admin.OrderResult, error) { return f(ctx, req) })
	}
	office := []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}
	guesses(h, "198.51.100.1", "", 5)
	guesses(h, "203.0.113.1", "", 5)
	allowed := ask(d.give, admin.OrderRequest{Kind: admin.Allow, Prefixes: office, For: "1h", Reason: "moving"})
	if len(allowed.Orders) != 1 || len(allowed.Lifted) != 1 || allowed.Lifted[0].Prefix.String() != "198.51.100.1/32" || allowed.Unsaved != "" {
		t.Errorf("%+v", allowed)
	}
	ask(d.give, admin.OrderRequest{Kind: admin.Pause, Jail: "ssh", For: "forever"})
	if _, err := d.give(t.Context(), admin.OrderRequest{Kind: admin.Pause, Jail: "nowhere", For: "1h"}); err == nil {
		t.Error("a jail that is none was paused")
	}
	if _, err := d.give(t.Context(), admin.OrderRequest{Kind: admin.Allow, Prefixes: office, For: "soon"}); hint(err) == "" {
		t.Errorf("for soon: %v", err)
	}
	guesses(h, "203.0.113.2", "", 5)
	close()

	d = recorded(t, dir, ssh)
	h = d.pipe.read(nil, newAccount())
	go d.pipe.judge(t.Context())
	guesses(h, "198.51.100.2", "", 5)
	guesses(h, "203.0.113.3", "", 5)
	bans := func() (out []string) {
		t.Helper()
		for _, b := range asked(t, d, func(ctx context.Context) ([]admin.Ban, error) { return d.list(ctx, "") }) {
			out = append(out, b.Prefix.String())
		}
		return out
	}
	if got := strings.Join(bans(), " "); got != "203.0.113.1/32" {
		t.Errorf("banned %s", got)
	}
	if got := asked(t, d, d.orders); len(got) != 2 || got[0].Reason != "moving" || got[1].Jail != "ssh" || got[1].Until != nil {
		t.Errorf("in force %+v", got)
	}
	if got := ask(d.end, admin.OrderRequest{Kind: admin.Pause}); len(got.Orders) != 1 {
		t.Errorf("ended %+v", got)
	}
	guesses(h, "198.51.100.2", "", 5)
	guesses(h, "203.0.113.3", "", 5)
	if got := strings.Join(bans(), " "); got != "203.0.113.1/32 203.0.113.3/32" {
		t.Errorf("banned %s", got)
	}
	ask(d.end, admin.OrderRequest{Kind: admin.Allow, Prefixes: office})
	lifted := asked(t, d, func(ctx context.Context) ([]admin.Ban, error) {
		return d.unban(ctx, admin.UnbanRequest{Prefixes: []netip.Prefix{netip.MustParsePrefix("203.0.113.3/32")}, Forget: true, Allow: "1h"})
	})
	guesses(h, "203.0.113.3", "", 5)
	if got := strings.Join(bans(), " "); len(lifted) != 1 || got != "203.0.113.1/32" {
		t.Errorf("lifted %+v, banned %s", lifted, got)
	}
	close()

	d = recorded(t, dir, ssh)
	go d.pipe.judge(t.Context())
	if got := asked(t, d, d.orders); len(got) != 1 || got[0].Prefix.String() != "203.0.113.3/32" {
		t.Errorf("in force at last: %+v", got)
	}
	close()
}
