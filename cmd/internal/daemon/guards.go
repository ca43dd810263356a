package daemon

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"bailiff/config"
	"bailiff/decide"
)

// bench lists where this machine says who must never be banned. The paths are
// fields so that a test can write its own.
type bench struct {
	route4, route6 string // /proc/net/route and /proc/net/ipv6_route
	resolv         string // /etc/resolv.conf
	sessions       string // /run/systemd/sessions: one file a logind session
	adminGroups    []string
	interfaceAddrs func() ([]net.Addr, error)

	lookup func(ctx context.Context, name string) ([]netip.Addr, error)

	known map[string][]netip.Prefix // last content of sets, lists and names
	lost  map[string]bool           // those that cannot be read now

	troubles atomic.Pointer[[]string] // what lost means, in words

	mu  sync.Mutex    // held while the machine is asked
	due chan struct{} // asks that it be asked again
}

func defaultBench() bench {
	return bench{
		route4:         "/proc/net/route",
		route6:         "/proc/net/ipv6_route",
		resolv:         "/etc/resolv.conf",
		sessions:       "/run/systemd/sessions",
		adminGroups:    []string{"sudo", "wheel"},
		interfaceAddrs: net.InterfaceAddrs,
		lookup:         lookup,
		due:            make(chan struct{}, 1),
	}
}

// guards returns what is never banned without anybody saying so: loopback, the
// machine's own addresses, its gateways and resolvers, and the remote ends of
// administrators' login sessions. A missing file is an empty one, because no
// machine has all of them.
func (b *bench) guards(log *slog.Logger) []decide.Guard {
	guards := []decide.Guard{
		{Prefix: netip.MustParsePrefix("127.0.0.0/8"), Why: "loopback"},
		{Prefix: netip.MustParsePrefix("::1/128"), Why: "loopback"},
	}
	add := func(why string, addrs ...netip.Addr) {
		for _, a := range addrs {
			guards = append(guards, decide.Guard{Prefix: host(a), Why: why})
		}
	}
	own, err := b.interfaceAddrs()
	if err != nil {
		log.Warn("list own addresses", "err", err)
	}
	for _, a := range own {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			add("own address", p.Addr())
		}
	}
	add("gateway", readWith(b.route4, gateways4)...)
	add("gateway", readWith(b.route6, gateways6)...)
	add("resolver", readWith(b.resolv, resolvers)...)
	add("administrator's session", b.adminPeers()...)
	return guards
}

// host is the prefix that holds a alone.
func host(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	return netip.PrefixFrom(a, a.BitLen())
}

func readWith(path string, parse func(io.Reader) []netip.Addr) []netip.Addr {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	return parse(f)
}

// gateways4 reads /proc/net/route, where the third column is the gateway as
// eight hexadecimal digits in host byte order (Linux, net/ipv4/fib_trie.c,
// fib_route_seq_show). Every machine that bailiff is built for is
// little-endian.
func gateways4(r io.Reader) []netip.Addr {
	var out []netip.Addr
	for _, f := range columns(r) {
		if len(f) < 3 || len(f[2]) != 8 {
			continue
		}
		b, err := hex.DecodeString(f[2])
		if err != nil {
			continue
		}
		slices.Reverse(b)
		if a, ok := netip.AddrFromSlice(b); ok && !a.IsUnspecified() {
			out = append(out, a)
		}
	}
	return out
}

// gateways6 reads /proc/net/ipv6_route, where the fifth column is the next hop
// as 32 hexadecimal digits (Linux, net/ipv6/ip6_fib.c, ipv6_route_seq_show).
func gateways6(r io.Reader) []netip.Addr {
	var out []netip.Addr
	for _, f := range columns(r) {
		if len(f) < 5 || len(f[4]) != 32 {
			continue
		}
		b, err := hex.DecodeString(f[4])
		if err != nil {
			continue
		}
		if a, ok := netip.AddrFromSlice(b); ok && !a.IsUnspecified() {
			out = append(out, a)
		}
	}
	return out
}

// resolvers reads the nameserver lines of resolv.conf(5).
func resolvers(r io.Reader) []netip.Addr {
	var out []netip.Addr
	for _, f := range columns(r) {
		if len(f) < 2 || f[0] != "nameserver" {
			continue
		}
		if a, err := netip.ParseAddr(f[1]); err == nil {
			out = append(out, a)
		}
	}
	return out
}

// adminPeers returns the remote addresses of open login sessions of root and
// of members of the admin groups. logind keeps one KEY=VALUE file a session;
// REMOTE_HOST is what PAM was told by the login daemon.
func (b *bench) adminPeers() []netip.Addr {
	files, err := filepath.Glob(filepath.Join(b.sessions, "*"))
	if err != nil {
		return nil
	}
	var out []netip.Addr
	for _, path := range files {
		session := readSession(path)
		peer, err := netip.ParseAddr(session["REMOTE_HOST"])
		if err != nil || session["REMOTE"] != "1" || session["STATE"] == "closing" {
			continue
		}
		if session["UID"] == "0" || b.isAdmin(session["UID"]) {
			out = append(out, peer)
		}
	}
	return out
}

func readSession(path string) map[string]string {
	session := map[string]string{}
	f, err := os.Open(path)
	if err != nil {
		return session
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if key, value, ok := strings.Cut(lines.Text(), "="); ok {
			session[key] = strings.Trim(value, `"`)
		}
	}
	return session
}

func (b *bench) isAdmin(uid string) bool {
	u, err := user.LookupId(uid)
	if err != nil {
		return false
	}
	ids, err := u.GroupIds()
	if err != nil {
		return false
	}
	for _, name := range b.adminGroups {
		if g, err := user.LookupGroup(name); err == nil && slices.Contains(ids, g.Gid) {
			return true
		}
	}
	return false
}

// columns splits a small text file into white-space separated fields a line.
func columns(r io.Reader) [][]string {
	var out [][]string
	for lines := bufio.NewScanner(r); lines.Scan(); {
		if f := strings.Fields(lines.Text()); len(f) > 0 {
			out = append(out, f)
		}
	}
	return out
}

// guardsEvery is how often the machine is asked again whom it must not ban.
const guardsEvery = time.Minute

// guardsDue has the guards renewed when it is time. It runs on the judge.
func (d *daemon) guardsDue(now time.Time) {
	if now.Sub(d.guarded) < guardsEvery {
		return
	}
	d.guarded = now
	select {
	case d.bench.due <- struct{}{}:
	default: // still at it
	}
}

// renewGuards asks the machine again whenever that is due, until ctx is done.
func (d *daemon) renewGuards(ctx context.Context) {
	for {
		select {
		case <-d.bench.due:
			if err := d.renew(ctx); err != nil && !errors.Is(err, errStopping) && ctx.Err() == nil {
				d.log.Error("renew guards; the old ones hold", "err", err)
			}
		case <-ctx.Done():
			return
		}
	}
}

// renew replaces the guards, and lifts what is covered now.
func (d *daemon) renew(ctx context.Context) error {
	var c *config.Config
	if err := d.pipe.ask(ctx, func() { c = d.law.config }); err != nil {
		return err
	}
	guards, err := d.guardsOf(c)
	if err != nil {
		return err
	}
	return d.pipe.ask(ctx, func() {
		if d.law.config != c {
			return // a reload came between, with its own
		}
		d.pipe.settle(context.WithoutCancel(ctx), guards.put(d.pipe.engine, d.pipe.now()), nil)
	})
}
