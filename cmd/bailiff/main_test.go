package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"bailiff/cmd/internal/admin"
	"bailiff/enforce/nft/nfttest"
)

func TestMain(m *testing.M) {
	testscript.Main(inNamespace{m}, map[string]func(){"bailiff": main})
}

// inNamespace runs the tests where no table of this machine can be harmed.
type inNamespace struct{ *testing.M }

func (n inNamespace) Run() int { return nfttest.InNamespace(n.M) }

// TestScript runs what stands in testdata/script: the command line as its users
// see it.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: os.Getenv("UPDATE") != "",
		Setup: func(env *testscript.Env) error {
			env.Setenv("TZ", "UTC")
			env.Setenv("NO_COLOR", "1")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"daemon": startDaemon,
			"exits":  exits,
		},
	})
}

// exits N CMD ARG… runs a command that must exit with N.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits N command…")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	if exit, ok := errors.AsType[interface {
		error
		ExitCode() int
	}](err); ok {
		code = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if fmt.Sprint(code) != args[0] {
		ts.Fatalf("exit %d, want %s", code, args[0])
	}
}

// startDaemon SOCKET starts the API of a daemon that holds two bans and forgets
// nothing it is told, until the script ends.
func startDaemon(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: daemon SOCKET")
	}
	bench := newFake()
	server := admin.New(admin.Options{
		Socket: ts.MkAbs(args[0]),
		List:   bench.list, Ban: bench.ban, Unban: bench.unban, Held: bench.held, SettleHeld: bench.settleHeld,
		Why: bench.why, Status: bench.status, Jail: bench.jail, Reload: bench.reload,
		Orders: bench.inForce, Give: bench.give, End: bench.end,
	})
	ts.Check(server.Listen())
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	ts.Defer(func() {
		stop()
		ts.Check(<-done)
	})
}

// fake is a daemon without logs and without a kernel. Its clock stands.
type fake struct {
	now    time.Time
	bans   []admin.Ban
	orders []admin.Order
}

func newFake() *fake {
	now := time.Date(2001, 2, 3, 10, 21, 7, 0, time.UTC)
	until := now.Add(10 * time.Minute)
	return &fake{now: now, bans: []admin.Ban{
		{
			Prefix: netip.MustParsePrefix("203.0.113.9/32"), Jail: "sshd", Rule: "sshd/failed-password",
			Since: now, Until: &until, Strike: 1, Origin: "rules", Packets: 12, Bytes: 1300,
		},
		{Prefix: netip.MustParsePrefix("198.51.100.0/24"), Since: now, Origin: "operator"},
		{Prefix: netip.MustParsePrefix("192.0.2.7/32"), Jail: "lab", Since: now, Origin: "rules", Simulated: true},
	}}
}

func (f *fake) list(_ context.Context, jail string) ([]admin.Ban, error) {
	var out []admin.Ban
	for _, b := range f.bans {
		if jail == "" || b.Jail == jail {
			out = append(out, b)
		}
	}
	return out, nil
}

func (f *fake) ban(_ context.Context, r admin.BanRequest) ([]admin.Ban, error) {
	if r.Prefix.Contains(netip.MustParseAddr("127.0.0.1")) {
		return nil, admin.Refuse(http.StatusConflict, "loopback is never banned", "%s is guarded", r.Prefix)
	}
	b := admin.Ban{Prefix: r.Prefix, Jail: r.Jail, Since: f.now, Origin: "operator", Rule: r.For + "|" + r.Reason}
	f.bans = append(f.bans, b)
	return []admin.Ban{b}, nil
}

// held holds the first ban back.
func (f *fake) held(context.Context) ([]admin.Held, error) {
	return []admin.Held{{Ban: f.bans[0], Why: "rule sshd/failed-password has made 1000 bans within a minute"}}, nil
}

func (f *fake) settleHeld(_ context.Context, r admin.HeldRequest) ([]admin.Ban, error) {
	if r.All || r.Prefixes[0].Overlaps(f.bans[0].Prefix) {
		return f.bans[:1], nil
	}
	return nil, nil
}

func (f *fake) unban(_ context.Context, r admin.UnbanRequest) ([]admin.Ban, error) {
	var kept, lifted []admin.Ban
next:
	for _, b := range f.bans {
		for _, p := range r.Prefixes {
			if b.Prefix.Overlaps(p) {
				lifted = append(lifted, b)
				continue next
			}
		}
		if r.All {
			lifted = append(lifted, b)
		} else {
			kept = append(kept, b)
		}
	}
	f.bans = kept
	return lifted, nil
}

func (f *fake) why(_ context.Context, p netip.Prefix) (admin.Why, error) {
	return admin.Why{Prefix: p, Guards: []admin.Guard{{Prefix: p, Reason: "never_ban"}}}, nil
}

func (f *fake) status(context.Context) (admin.Status, error) {
	return admin.Status{
		Version: "v0.1.0", PID: 812, Started: f.now.Add(-time.Hour), Now: f.now,
		Store: admin.Part{OK: true, Detail: "/var/lib/bailiff"}, Firewall: admin.Firewall{Part: admin.Part{OK: true}},
		Warnings: []string{"the tea is cold"},
	}, nil
}

func (f *fake) jail(_ context.Context, name string) (admin.JailStatus, error) {
	if name != "sshd" {
		return admin.JailStatus{}, admin.Refuse(http.StatusBadRequest, "the jails are: sshd lab", "there is no jail %q", name)
	}
	return admin.JailStatus{
		Name: name, Packs: []string{"sshd"}, Since: &f.now,
		Failed: admin.JailFailed{Open: 1, Matches: 7, Sources: []string{"journald"}},
		Banned: admin.JailBanned{Standing: 1, Total: 1, List: []netip.Prefix{f.bans[0].Prefix}},
		Policy: admin.JailPolicy{MaxRetry: 5, FindTime: "10m", Ladder: []string{"10m", "20m"}, GroupBy: "address", Verdict: "drop", MinTrust: "low", Spoofable: "full"},
	}, nil
}

func (f *fake) reload(context.Context) (string, error) {
	return "", admin.Refuse(http.StatusBadRequest, "the old configuration stays", "bailiff.toml:3: unknown key \"max_rety\"")
}
