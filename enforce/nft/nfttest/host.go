package nfttest

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// The ends of the link between the namespace of the test and a host. Routes
// name them as next hop, for IPv4 as well, so that hosts may have any addresses.
const (
	nearEnd = "fe80::1"
	farEnd  = "fe80::2"
)

// Address gives the namespace of the test addresses until the test ends, the
// ones hosts talk to: "192.0.2.1" or, with the network it claims to be in,
// "2001:db8:1::1/64".
func Address(t testing.TB, addrs ...string) {
	t.Helper()
	for _, addr := range addrs {
		must(t, "ip", append([]string{"addr", "add", "dev", "lo", addr}, nodad(t, addr)...)...)
		t.Cleanup(func() { must(t, "ip", "addr", "del", "dev", "lo", addr) })
	}
}

// Host is a machine beside the one that is tested: a network namespace joined
// to that of the test by a pair of veth interfaces.
type Host struct {
	// Name is what NewHost was given.
	Name string
	// Addrs are its addresses, in the order given.
	Addrs []netip.Addr

	netns *os.File
}

// NewHost makes a host that has these addresses and sends everything to the
// namespace of the test. The name, at most eleven bytes, names the near end of
// the link (veth-NAME). The host is gone when the test ends.
func NewHost(t testing.TB, name string, addrs ...string) *Host {
	t.Helper()
	h := &Host{Name: name, netns: newNetns(t)}
	t.Cleanup(func() { h.netns.Close() })
	link := "veth-" + name
	must(t, "ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", h.path())
	t.Cleanup(func() { must(t, "ip", "link", "del", link) })
	must(t, "ip", "addr", "add", nearEnd+"/64", "dev", link, "nodad")
	must(t, "ip", "link", "set", link, "up")

	h.ip(t, "link", "set", "lo", "up")
	h.ip(t, "addr", "add", farEnd+"/64", "dev", "eth0", "nodad")
	h.ip(t, "link", "set", "eth0", "up")
	h.ip(t, "-4", "route", "add", "default", "via", "inet6", nearEnd, "dev", "eth0")
	h.ip(t, "-6", "route", "add", "default", "via", nearEnd, "dev", "eth0")
	for _, addr := range addrs {
		h.Address(t, addr)
	}
	return h
}

// Address gives the host one more address.
func (h *Host) Address(t testing.TB, addr string) {
	t.Helper()
	a, err := netip.ParseAddr(addr)
	if err != nil {
		t.Fatalf("host %s: %v", h.Name, err)
	}
	h.Addrs = append(h.Addrs, a)
	h.ip(t, append([]string{"addr", "add", "dev", "eth0", addr}, nodad(t, addr)...)...)
	must(t, "ip", "route", "add", netip.PrefixFrom(a, a.BitLen()).String(), "via", "inet6", farEnd, "dev", "veth-"+h.Name)
}

// Command is exec.Command on the host. The process has the host's network and
// everything else of the test's. It must have ended before the test does.
func (h *Host) Command(name string, args ...string) *exec.Cmd {
	return exec.Command("nsenter", append([]string{"--net=" + h.path(), name}, args...)...)
}

// Do runs f on a thread that is on the host: sockets it opens, and those a
// net.Dialer opens for it to a literal address, are the host's, and stay so
// wherever they are used. f must not end the test: it is another goroutine.
func (h *Host) Do(t testing.TB, f func()) {
	t.Helper()
	var err error
	OnThread(func() {
		if err = unix.Setns(int(h.netns.Fd()), unix.CLONE_NEWNET); err == nil {
			f()
		}
	})
	if err != nil {
		t.Fatalf("host %s: enter its namespace: %v", h.Name, err)
	}
}

// OnThread runs f on a thread that ends with it, so that f may change what
// belongs to a thread: namespaces, capabilities. It returns when f has. The
// main thread cannot end, and its network is what /proc/self/net and /proc/net
// show, so it is kept out of the way.
func OnThread(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked
		if unix.Gettid() == unix.Getpid() {
			defer runtime.UnlockOSThread()
			OnThread(f)
			return
		}
		f()
	}()
	<-done
}

// path names the host's namespace for other processes.
func (h *Host) path() string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), h.netns.Fd()) }

func (h *Host) ip(t testing.TB, args ...string) {
	t.Helper()
	must(t, "nsenter", append([]string{"--net=" + h.path(), "ip"}, args...)...)
}

// newNetns makes a network namespace that lives as long as the file.
func newNetns(t testing.TB) (netns *os.File) {
	t.Helper()
	var err error
	OnThread(func() {
		if err = unix.Unshare(unix.CLONE_NEWNET); err == nil {
			netns, err = os.Open("/proc/thread-self/ns/net")
		}
	})
	if err != nil {
		t.Fatalf("make a network namespace: %v", err)
	}
	return netns
}

// nodad is the argument that spares an IPv6 address the second of duplicate
// address detection.
func nodad(t testing.TB, addr string) []string {
	t.Helper()
	p, err := netip.ParsePrefix(addr)
	if err != nil {
		a, err := netip.ParseAddr(addr)
		if err != nil {
			t.Fatalf("address %q: %v", addr, err)
		}
		p = netip.PrefixFrom(a, a.BitLen())
	}
	if p.Addr().Is6() {
		return []string{"nodad"}
	}
	return nil
}

func must(t testing.TB, name string, args ...string) {
	t.Helper()
	if err := run(name, args...); err != nil {
		t.Fatal(err)
	}
}
