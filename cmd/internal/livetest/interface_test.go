package livetest

import (
	"fmt"
	"net"
	"os/exec"
	"testing"

	"bailiff/enforce/nft/nfttest"
)

// TestInterfaceMadeAgain takes away the interface that a listener is held to, and makes
// another of its name: the kernel knows interfaces by number.
func TestInterfaceMadeAgain(t *testing.T) {
	nfttest.Need(t)
	nfttest.Fresh(t)
	b := newBailiff(t, `
[source.journald]
enabled = false
[[source.syslog]]
listen = "udp://0.0.0.0:5515"
allow_from = ["198.51.100.0/24"]
path = "protected"
interface = "veth-lan"
[jail.sshd]
packs = ["sshd"]
`)
	send := func(h *nfttest.Host, guesser string) {
		var c net.Conn
		var err error
		h.Do(t, func() { c, err = net.Dial("udp", "203.0.113.250:5515") })
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for range 5 {
			fmt.Fprintf(c, "<86>Nov 23 10:11:12 pbx sshd[4]: Failed password for root from %s port 4 ssh2", guesser)
		}
	}
	ip := func(args ...string) {
		t.Helper()
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %v: %v\n%s", args, err, out)
		}
	}
	nfttest.Address(t, "203.0.113.250")
	old := nfttest.NewHost(t, "lan", "198.51.100.7")
	b.Start()
	send(old, "192.0.2.7")
	b.AwaitBan("192.0.2.7/32")

	ip("link", "set", "veth-lan", "down")
	ip("link", "set", "veth-lan", "name", "veth-old")
	t.Cleanup(func() { ip("link", "set", "veth-old", "name", "veth-lan") }) // for the old host, who removes it
	next := nfttest.NewHost(t, "lan", "198.51.100.8")
	Eventually(t, "a ban by what came over the new interface", func() bool {
		send(next, "192.0.2.8")
		_, banned := b.Banned("192.0.2.8/32")
		return banned
	})
}
