package nft_test

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"bailiff/decide"
	"bailiff/enforce/nft"
	"bailiff/enforce/nft/nfttest"
)

// The addresses of the machine under test.
const (
	server4 = "192.0.2.1"
	server6 = "2001:db8:f::1"
)

// patience bounds every wait for something that must come.
const patience = 20 * time.Second

func TestBannedSourceIsCutOff(t *testing.T) {
	nfttest.Need(t)
	nfttest.Address(t, server4, server6)
	attacker := nfttest.NewHost(t, "attacker", "198.51.100.66", "2001:db8:1:1::66")
	bystander := nfttest.NewHost(t, "bystander", "198.51.100.67", "2001:db8:1:1::67", "2001:db8:1:2::67")
	for _, test := range []struct {
		name, server, ban, attacker, bystander string
		ports                                  bool
	}{
		{name: "IPv4 host", server: server4, ban: "198.51.100.66/32", attacker: "198.51.100.66", bystander: "198.51.100.67"},
		{name: "IPv4 network", server: server4, ban: "198.51.100.64/31", attacker: "198.51.100.65", bystander: "198.51.100.67"},
		{name: "IPv6 host", server: server6, ban: "2001:db8:1:1::66/128", attacker: "2001:db8:1:1::66", bystander: "2001:db8:1:1::67"},
		{name: "IPv6 /64", server: server6, ban: "2001:db8:1:1::/64", attacker: "2001:db8:1:1::66", bystander: "2001:db8:1:2::67"},
		{name: "IPv6 /48", server: server6, ban: "2001:db8:2::/48", attacker: "2001:db8:2:3::66", bystander: "2001:db8:1:1::67"},
		{name: "IPv4 port", server: server4, ban: "198.51.100.66/32", attacker: "198.51.100.66", bystander: "198.51.100.67", ports: true},
		{name: "IPv6 /64 port", server: server6, ban: "2001:db8:1:1::/64", attacker: "2001:db8:1:1::66", bystander: "2001:db8:1:2::67", ports: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			nfttest.Fresh(t)
			f := open(t)
			ensureAddress(t, attacker, test.attacker)
			tcp, udp := serveTCP(t, test.server), listenUDP(t, test.server)
			standing := dial(t, attacker, "tcp", test.attacker, tcp)
			echo(t, standing)
			other := dial(t, bystander, "tcp", test.bystander, tcp)
			echo(t, other)
			datagrams := dial(t, attacker, "udp", test.attacker, udp.LocalAddr().String())
			write(t, datagrams, "before the ban")
			receive(t, udp, "before the ban")

			d := ban(test.ban, time.Hour)
			if test.ports {
				d.Ports = []decide.Port{{Proto: "tcp", Port: portOf(t, tcp)}, {Proto: "udp", Port: portOf(t, udp.LocalAddr().String())}}
			}
			apply(t, f, d)

			// What is refused is counted, so there is no need to wait for
			// what must not come.
			write(t, datagrams, "after the ban")
			awaitRefused(t, f, test.ban, 1)
			write(t, standing, "after the ban")
			awaitRefused(t, f, test.ban, 2)
			echo(t, other)
			write(t, dial(t, bystander, "udp", test.bystander, udp.LocalAddr().String()), "from the bystander")
			receive(t, udp, "from the bystander")

			if test.ports {
				elsewhere := listenUDP(t, test.server)
				write(t, dial(t, attacker, "udp", test.attacker, elsewhere.LocalAddr().String()), "to another port")
				receive(t, elsewhere, "to another port")
			}

			lift := d
			lift.Action = decide.Lift
			apply(t, f, lift)
			write(t, datagrams, "after the lift")
			receive(t, udp, "after the lift")
		})
	}
}

func TestForwardedTrafficIsRefused(t *testing.T) {
	nfttest.Need(t)
	nfttest.Fresh(t)
	for _, file := range []string{"/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv6/conf/all/forwarding"} {
		if err := os.WriteFile(file, []byte("1"), 0); err != nil {
			t.Fatal(err)
		}
	}
	attacker := nfttest.NewHost(t, "attacker", "198.51.100.66", "2001:db8:1:1::66")
	bystander := nfttest.NewHost(t, "bystander", "198.51.100.67", "2001:db8:1:2::67")
	inner := nfttest.NewHost(t, "inner", "203.0.113.1", "2001:db8:3::1")
	f := open(t)
	for i, prefix := range []string{"198.51.100.66/32", "2001:db8:1:1::/64"} {
		service := listenOn(t, inner, inner.Addrs[i].String())
		datagrams := dial(t, attacker, "udp", attacker.Addrs[i].String(), service.LocalAddr().String())
		write(t, datagrams, "before the ban")
		receive(t, service, "before the ban")
		apply(t, f, ban(prefix, time.Hour))
		write(t, datagrams, "after the ban")
		awaitRefused(t, f, prefix, 1)
		write(t, dial(t, bystander, "udp", bystander.Addrs[i].String(), service.LocalAddr().String()), "from the bystander")
		receive(t, service, "from the bystander")
	}
}

func TestBanEndsWithoutUs(t *testing.T) {
	nfttest.Need(t)
	nfttest.Fresh(t)
	nfttest.Address(t, server4)
	attacker := nfttest.NewHost(t, "attacker", "198.51.100.66")
	udp := listenUDP(t, server4)
	datagrams := dial(t, attacker, "udp", "198.51.100.66", udp.LocalAddr().String())

	f, err := nft.New(nft.DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	// Less than a millisecond would be for ever if it were rounded down.
	apply(t, f, ban("198.51.100.66/32", time.Millisecond), ban("198.51.100.70/32", time.Hour))
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	poll(t, "the ban to end", func() bool {
		return !strings.Contains(nfttest.NFT(t, "list", "set", "inet", "bailiff", "banned4"), "198.51.100.66")
	})
	write(t, datagrams, "after the ban")
	receive(t, udp, "after the ban")
	if listing := nfttest.NFT(t, "list", "set", "inet", "bailiff", "banned4"); !strings.Contains(listing, "198.51.100.70") {
		t.Errorf("the longer ban ended too:\n%s", listing)
	}
}

func TestRejectAnswers(t *testing.T) {
	nfttest.Need(t)
	nfttest.Fresh(t)
	nfttest.Address(t, server4, server6)
	attacker := nfttest.NewHost(t, "attacker", "198.51.100.66", "2001:db8:1:1::66")
	f := open(t)
	for i, test := range []struct{ server, ban string }{{server4, "198.51.100.66/32"}, {server6, "2001:db8:1:1::/64"}} {
		from := attacker.Addrs[i].String()
		tcp, udp := serveTCP(t, test.server), listenUDP(t, test.server)
		standing := dial(t, attacker, "tcp", from, tcp)
		echo(t, standing)
		datagrams := dial(t, attacker, "udp", from, udp.LocalAddr().String())

		d := ban(test.ban, time.Hour)
		d.Verdict = decide.Reject
		apply(t, f, d)

		write(t, datagrams, "after the ban")
		if _, err := datagrams.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("%s: UDP read: %v, want ECONNREFUSED", test.ban, err)
		}
		write(t, standing, "after the ban")
		if _, err := standing.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%s: TCP read: %v, want ECONNRESET", test.ban, err)
		}
		attacker.Do(t, func() {
			if _, err := dialer(from).Dial("tcp", tcp); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("%s: TCP dial: %v, want ECONNREFUSED", test.ban, err)
			}
		})
		awaitRefused(t, f, test.ban, 3)
	}
}

// ban is a ban that ends in that time.
func ban(prefix string, length time.Duration) decide.Decision {
	return decide.Decision{Prefix: netip.MustParsePrefix(prefix), Until: time.Now().Add(length)}
}

func apply(t testing.TB, f *nft.Firewall, ds ...decide.Decision) {
	t.Helper()
	if err := f.Apply(t.Context(), ds); err != nil {
		t.Fatal(err)
	}
}

// awaitRefused waits until so many packets or more were refused.
func awaitRefused(t *testing.T, f *nft.Firewall, prefix string, want uint64) {
	t.Helper()
	poll(t, "refused packets of "+prefix, func() bool {
		refused, err := f.Refused(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return refused[netip.MustParsePrefix(prefix)].Packets >= want
	})
}

// poll asks until the answer is yes.
func poll(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !done(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// ensureAddress gives a host the address unless it has it.
func ensureAddress(t *testing.T, h *nfttest.Host, addr string) {
	t.Helper()
	for _, a := range h.Addrs {
		if a.String() == addr {
			return
		}
	}
	h.Address(t, addr)
}

// serveTCP echoes what is sent to it and returns its address.
func serveTCP(t *testing.T, addr string) string {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(addr, "0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.Copy(c, c)
			}()
		}
	}()
	return l.Addr().String()
}

func listenUDP(t *testing.T, addr string) net.PacketConn {
	t.Helper()
	c, err := net.ListenPacket("udp", net.JoinHostPort(addr, "0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func listenOn(t *testing.T, h *nfttest.Host, addr string) (c net.PacketConn) {
	t.Helper()
	var err error
	h.Do(t, func() { c, err = net.ListenPacket("udp", net.JoinHostPort(addr, "0")) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func dialer(from string) *net.Dialer {
	addr := netip.AddrPortFrom(netip.MustParseAddr(from), 0)
	return &net.Dialer{Timeout: patience, Control: func(_, _ string, raw syscall.RawConn) error {
		var bound error
		err := raw.Control(func(fd uintptr) { bound = bind(int(fd), addr) })
		return errors.Join(err, bound)
	}}
}

// bind gives a socket its source address: net.Dialer.LocalAddr wants to know
// the protocol.
func bind(fd int, addr netip.AddrPort) error {
	if addr.Addr().Is4() {
		return syscall.Bind(fd, &syscall.SockaddrInet4{Addr: addr.Addr().As4()})
	}
	return syscall.Bind(fd, &syscall.SockaddrInet6{Addr: addr.Addr().As16()})
}

// dial connects a host to the machine under test.
func dial(t *testing.T, h *nfttest.Host, network, from, to string) (c net.Conn) {
	t.Helper()
	var err error
	h.Do(t, func() { c, err = dialer(from).Dial(network, to) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c
}

func write(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := c.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
}

// echo sends a word over an echoing connection and wants it back.
func echo(t *testing.T, c net.Conn) {
	t.Helper()
	write(t, c, "hello")
	got := make([]byte, 5)
	if _, err := io.ReadFull(c, got); err != nil || string(got) != "hello" {
		t.Fatalf("echo: %q, %v", got, err)
	}
}

// receive wants this datagram next.
func receive(t *testing.T, c net.PacketConn, want string) {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	n, _, err := c.ReadFrom(buf)
	if err != nil || string(buf[:n]) != want {
		t.Fatalf("received %q, %v, want %q", buf[:n], err, want)
	}
}

func portOf(t *testing.T, addr string) uint16 {
	t.Helper()
	a, err := netip.ParseAddrPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return a.Port()
}
