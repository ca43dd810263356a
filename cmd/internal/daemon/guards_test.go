package daemon

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"bailiff/config"
	"bailiff/decide"
)

func guarded(t *testing.T, addr string) netip.Addr {
	t.Helper()
	a, err := netip.ParseAddr(addr)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func spell(addrs []netip.Addr) string {
	var words []string
	for _, a := range addrs {
		words = append(words, a.String())
	}
	return strings.Join(words, " ")
}

func TestGateways4(t *testing.T) {
	for name, tt := range map[string]struct{ file, want string }{
		"a default route and a local one": {`Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	016433C6	0003	0	0	100	00000000	0	0	0
eth0	006433C6	00000000	0001	0	0	100	00FFFFFF	0	0	0
`, "198.51.100.1"},
		"nothing":             {"", ""},
		"a short line":        {"eth0 00000000\n", ""},
		"no hexadecimal":      {"eth0 00000000 0164zzC6 0003\n", ""},
		"an address too long": {"eth0 00000000 016433C600 0003\n", ""},
	} {
		if got := spell(gateways4(strings.NewReader(tt.file))); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

func TestGateways6(t *testing.T) {
	const zero = "00000000000000000000000000000000"
	for name, tt := range map[string]struct{ file, want string }{
		"a default route and a local one": {
			zero + " 00 " + zero + " 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth0\n" +
				"20010db8000000000000000000000000 40 " + zero + " 00 " + zero + " 00000100 00000001 00000000 00000001     eth0\n",
			"fe80::1",
		},
		"nothing":        {"", ""},
		"a short line":   {zero + " 00 " + zero + " 00\n", ""},
		"no hexadecimal": {zero + " 00 " + zero + " 00 " + strings.Repeat("z", 32) + "\n", ""},
	} {
		if got := spell(gateways6(strings.NewReader(tt.file))); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

func TestResolvers(t *testing.T) {
	got := spell(resolvers(strings.NewReader(`# nameserver 192.0.2.99
search example.org
nameserver 192.0.2.53
	nameserver   2001:db8::53
nameserver fe80::1%eth0
nameserver
nameserver dns.example.org
`)))
	if want := "192.0.2.53 2001:db8::53 fe80::1%eth0"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestMachineGuards has a machine made of files.
func TestMachineGuards(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	session := func(name string, lines ...string) {
		t.Helper()
		write("sessions/"+name, strings.Join(lines, "\n")+"\n")
	}
	session("1", "UID=0", "STATE=active", "REMOTE=1", "REMOTE_HOST=203.0.113.1")
	session("2", `UID=0`, "STATE=online", "REMOTE=1", `REMOTE_HOST="2001:db8::2"`)
	session("3", "UID=0", "STATE=closing", "REMOTE=1", "REMOTE_HOST=203.0.113.3")
	session("4", "UID=0", "STATE=active", "REMOTE=0", "REMOTE_HOST=203.0.113.4")
	session("5", "UID=0", "STATE=active", "REMOTE=1", "REMOTE_HOST=attacker.example.org")
	session("6", "UID=4294967", "STATE=active", "REMOTE=1", "REMOTE_HOST=203.0.113.6") // nobody
	session("7", "no session")
	b := &bench{
		route4:      filepath.Join(dir, "missing"),
		route6:      filepath.Join(dir, "missing"),
		resolv:      write("resolv.conf", "nameserver ::ffff:192.0.2.53\n"),
		sessions:    filepath.Join(dir, "sessions"),
		adminGroups: []string{"sudo", "wheel"},
		interfaceAddrs: func() ([]net.Addr, error) {
			_, own, err := net.ParseCIDR("198.51.100.0/24")
			own.IP = net.IPv4(198, 51, 100, 2)
			return []net.Addr{own}, err
		},
	}
	var got []string
	for _, g := range b.guards(quiet) {
		got = append(got, g.Prefix.String()+" "+g.Why)
	}
	want := []string{
		"127.0.0.0/8 loopback", "::1/128 loopback", "198.51.100.2/32 own address", "192.0.2.53/32 resolver",
		"203.0.113.1/32 administrator's session", "2001:db8::2/128 administrator's session",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}

	b.interfaceAddrs = func() ([]net.Addr, error) { return nil, errors.New("no netlink") }
	if n := len(b.guards(quiet)); n != len(want)-1 {
		t.Errorf("%d guards when the addresses cannot be listed, want %d", n, len(want)-1)
	}
}

// TestGuardsAreRenewedBesideTheJudge bans, has the machine get a new gateway, and
// waits a minute.
func TestGuardsAreRenewedBesideTheJudge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, spine := newSpine(t, decide.DefaultJail("ssh", "sshd"))
		own := &net.IPNet{IP: net.IPv4(198, 51, 100, 2), Mask: net.CIDRMask(24, 32)}
		d := &daemon{log: quiet, pipe: p, law: law{config: config.Default()}, guarded: time.Now(), bench: defaultBench()}
		d.bench.route4, d.bench.route6, d.bench.resolv, d.bench.sessions = "", "", "", t.TempDir()
		var asked atomic.Int32
		d.bench.interfaceAddrs = func() ([]net.Addr, error) {
			asked.Add(1)
			return []net.Addr{own}, nil
		}
		p.tick = func(_ context.Context, now time.Time) { d.guardsDue(now) }
		order := decide.Decision{Prefix: host(guarded(t, "198.51.100.2")), At: time.Now(), Origin: "operator"}
		if _, err := p.engine.Admit(order, time.Now()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		go p.judge(ctx)
		go d.renewGuards(ctx)
		time.Sleep(guardsEvery - time.Second)
		synctest.Wait()
		if got := spine.read(); len(got) != 0 {
			t.Errorf("before the minute is over: %v", got)
		}
		time.Sleep(guardsEvery / 2)
		synctest.Wait()
		if n := asked.Load(); n != 1 {
			t.Errorf("asked %d times in a minute and a half", n)
		}
		want := []string{"commit 1 decisions 0 marks", "apply lift ", "fsync", "tell lift "}
		if diff := cmp.Diff(want, spine.read()); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		close(p.queue)
		<-p.closed
		cancel()
	})
}

// Names, lists and the last that was known of each guard addresses, and trunks are spared.
func TestGuardsByNameAndList(t *testing.T) {
	list := filepath.Join(t.TempDir(), "friends")
	if err := os.WriteFile(list, []byte("192.0.2.0/24 # office\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := config.Default()
	c.NeverBan.Names, c.NeverBan.Files, c.Trunks.Names = []string{"home.example.net"}, []string{list}, []string{"sip.example.net"}
	d := &daemon{log: quiet, law: law{config: c}, bench: defaultBench()}
	up := true
	d.bench.lookup = func(_ context.Context, name string) ([]netip.Addr, error) {
		switch {
		case !up:
			return nil, errors.New("no resolver")
		case name == "home.example.net":
			return []netip.Addr{netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("2001:db8::1")}, nil
		}
		return []netip.Addr{netip.MustParseAddr("203.0.113.5")}, nil
	}
	for _, now := range []bool{true, false} { // what was known lasts
		if up = now; !up {
			if err := os.Remove(list); err != nil {
				t.Fatal(err)
			}
		}
		s, err := d.guardsOf(c)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []decide.Guard{
			{Prefix: netip.MustParsePrefix("198.51.100.1/32"), Why: "never_ban home.example.net"},
			{Prefix: netip.MustParsePrefix("2001:db8::1/128"), Why: "never_ban home.example.net"},
			{Prefix: netip.MustParsePrefix("192.0.2.0/24"), Why: "never_ban file:" + list},
		} {
			if !slices.Contains(s.guards, want) {
				t.Errorf("resolver %v: %+v does not guard", now, want)
			}
		}
		if want := (decide.Guard{Prefix: netip.MustParsePrefix("203.0.113.5/32"), Why: "trunks sip.example.net"}); !slices.Contains(s.trunks, want) {
			t.Errorf("resolver %v: trunks %+v", now, s.trunks)
		}
		if n := len(d.bench.unguarded()); (n == 0) != now {
			t.Errorf("resolver %v: %d warnings", now, n)
		}
	}
	d = &daemon{log: quiet, law: law{config: c}, bench: defaultBench()}
	d.bench.lookup = func(context.Context, string) ([]netip.Addr, error) { return nil, errors.New("no resolver") }
	if _, err := d.guardsOf(c); err == nil {
		t.Error("a list that never was there is no error")
	}
	c.NeverBan.Files = nil
	if s, err := d.guardsOf(c); err != nil || len(s.trunks) != 0 {
		t.Errorf("a name that never had an address keeps bailiff from starting: %v", err)
	}
}
