package nft_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"bailiff/enforce/nft"
	"bailiff/enforce/nft/nfttest"
)

const root, nobody = 0, 65534

func TestGuardedDatagrams(t *testing.T) {
	nfttest.Need(t)
	for _, addr := range []string{"127.0.0.1", "::1"} {
		t.Run(addr, func(t *testing.T) {
			nfttest.Fresh(t)
			f := open(t)
			service, other := listenUDP(t, addr), listenUDP(t, addr)
			guard := nft.Listener{Proto: "udp", Port: portOf(t, service.LocalAddr().String()), UIDs: []uint32{root}}
			if err := f.Guard(t.Context(), []nft.Listener{guard}); err != nil {
				t.Fatal(err)
			}

			refusedTo := func(uid uint32) {
				t.Helper()
				if err := send(uid, service.LocalAddr(), "refused"); err == nil {
					t.Errorf("uid %d could send", uid)
				}
			}
			refusedTo(nobody)
			mustSend(t, root, service.LocalAddr(), "from root")
			receive(t, service, "from root")
			mustSend(t, nobody, other.LocalAddr(), "to another port")
			receive(t, other, "to another port")

			nfttest.NFT(t, "flush", "ruleset")
			if err := f.Sync(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			refusedTo(nobody)

			guard.UIDs = []uint32{100, nobody}
			if err := f.Guard(t.Context(), []nft.Listener{guard}); err != nil {
				t.Fatal(err)
			}
			refusedTo(root)
			mustSend(t, nobody, service.LocalAddr(), "from nobody")
			receive(t, service, "from nobody")

			guard.UIDs = nil
			if err := f.Guard(t.Context(), []nft.Listener{guard}); err != nil {
				t.Fatal(err)
			}
			refusedTo(root)
			refusedTo(nobody)

			if err := f.Guard(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			mustSend(t, nobody, service.LocalAddr(), "unguarded")
			receive(t, service, "unguarded")
			if listing := nfttest.NFT(t, "list", "table", "inet", "bailiff"); strings.Contains(listing, "loopback") {
				t.Errorf("the chain is left behind:\n%s", listing)
			}
		})
	}
}

func TestGuardedConnections(t *testing.T) {
	nfttest.Need(t)
	for _, addr := range []string{"127.0.0.1", "::1"} {
		t.Run(addr, func(t *testing.T) {
			nfttest.Fresh(t)
			f := open(t)
			l, err := net.Listen("tcp", net.JoinHostPort(addr, "0"))
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			port := portOf(t, l.Addr().String())
			err = f.Guard(t.Context(), []nft.Listener{{Proto: "tcp", Port: port, UIDs: []uint32{root}}})
			if err != nil {
				t.Fatal(err)
			}

			refused := sender(nobody, l.Addr(), "from nobody")
			if err := refused.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { _, _ = refused.Process.Kill(), refused.Wait() }()
			poll(t, "the refused connection to be tried again", func() bool { return retransmits(t, port) })

			// Had it been let through, it would be the first in the queue.
			mustSend(t, root, l.Addr(), "from root")
			c, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			buf := make([]byte, 100)
			if n, err := c.Read(buf); err != nil || string(buf[:n]) != "from root" {
				t.Errorf("received %q, %v, want %q", buf[:n], err, "from root")
			}
			// The end of a connection needs no user.
			if _, err := c.Read(buf); err == nil {
				t.Error("the connection was not closed")
			}
		})
	}
}

func TestGuardAgainstTheOutside(t *testing.T) {
	nfttest.Need(t)
	nfttest.Fresh(t)
	nfttest.Address(t, server4)
	// A neighbour that takes 127.0.0.1 for a far address, and a kernel that
	// lets it.
	neighbour := nfttest.NewHost(t, "neighbour", "198.51.100.66")
	script := "ip addr flush dev lo && ip -4 route add 127.0.0.1 via inet6 fe80::1 dev eth0 src 198.51.100.66 && " +
		"echo 1 > /proc/sys/net/ipv4/conf/eth0/route_localnet"
	if out, err := neighbour.Command("sh", "-c", script).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := os.WriteFile("/proc/sys/net/ipv4/conf/veth-neighbour/route_localnet", []byte("1"), 0); err != nil {
		t.Fatal(err)
	}
	service := listenUDP(t, "127.0.0.1")
	datagrams := dial(t, neighbour, "udp", "198.51.100.66", service.LocalAddr().String())
	write(t, datagrams, "unguarded")
	receive(t, service, "unguarded")

	f := open(t)
	guard := nft.Listener{Proto: "udp", Port: portOf(t, service.LocalAddr().String()), UIDs: []uint32{root}}
	if err := f.Guard(t.Context(), []nft.Listener{guard}); err != nil {
		t.Fatal(err)
	}
	write(t, datagrams, "from outside")
	// Packets of one link arrive in order, so the first has been dropped
	// when the second is here.
	beside := listenUDP(t, server4)
	write(t, dial(t, neighbour, "udp", "198.51.100.66", beside.LocalAddr().String()), "to another address")
	receive(t, beside, "to another address")
	mustSend(t, root, service.LocalAddr(), "from root")
	receive(t, service, "from root")
}

func TestGuardWantsAKnownProtocol(t *testing.T) {
	nfttest.Need(t)
	f := open(t)
	err := f.Guard(t.Context(), []nft.Listener{{Proto: "sctp", Port: 1}})
	if err == nil || !strings.Contains(err.Error(), `"sctp"`) {
		t.Errorf("Guard: %v", err)
	}
}

// sender is a process of the user that sends the text.
func sender(uid uint32, to net.Addr, text string) *exec.Cmd {
	host, port, _ := net.SplitHostPort(to.String())
	cmd := exec.Command("bash", "-c", fmt.Sprintf("printf %%s '%s' > /dev/%s/%s/%s", text, to.Network(), host, port))
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	cmd.Dir = "/"
	return cmd
}

func send(uid uint32, to net.Addr, text string) error {
	if out, err := sender(uid, to, text).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

func mustSend(t *testing.T, uid uint32, to net.Addr, text string) {
	t.Helper()
	if err := send(uid, to, text); err != nil {
		t.Fatalf("uid %d: %v", uid, err)
	}
}

// retransmits says whether an attempt to connect to the port has gone
// unanswered: state 02, SYN_SENT, and a retransmission (proc_net_tcp.rst).
func retransmits(t *testing.T, port uint16) bool {
	t.Helper()
	for _, file := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		table, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(table)) {
			fields := strings.Fields(line)
			if len(fields) > 6 && strings.HasSuffix(fields[2], fmt.Sprintf(":%04X", port)) &&
				fields[3] == "02" && fields[6] != "00000000" {
				return true
			}
		}
	}
	return false
}
