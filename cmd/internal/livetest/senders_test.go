package livetest

import (
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"bailiff/cmd/internal/admin"
	"bailiff/enforce/nft/nfttest"
)

// TestSenders has two machines send to one listener. The jail counts what one of
// them says; bailiff sees that lines of it are lost, and that a third is silent.
func TestSenders(t *testing.T) {
	nfttest.Need(t)
	nfttest.Fresh(t)
	b := newBailiff(t, `
[source.journald]
enabled = false
[[source.syslog]]
listen = "udp://127.0.0.1:5514"
name = "lab"
[origin.office]
from = ["127.0.0.8/31"]
trust = "high"
[origin.branch]
from = ["127.0.0.9"]
[origin.archive]
from = ["127.0.0.10"]
silent_after = "1s"
[jail.sshd]
packs = ["sshd"]
sources = ["office"]
min_trust = "high"
`)
	b.Start()
	from := func(addr string) io.Writer {
		c, err := net.DialUDP("udp", &net.UDPAddr{IP: net.ParseIP(addr)}, &net.UDPAddr{IP: net.ParseIP("127.0.0.1"), Port: 5514})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	office, branch := from("127.0.0.8"), from("127.0.0.9")
	send := func(w io.Writer, number int, guesser string) {
		_, err := fmt.Fprintf(w, `<86>1 2026-11-23T10:11:12.5Z pbx sshd %d - [meta sequenceId="%d"] Failed password for root from %s port 4 ssh2`, number, number, guesser)
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range 20 {
		send(branch, i+1, "198.51.100.9")
	}
	for i := range 20 {
		send(office, 1+i+i/10*300, "198.51.100.8")
	}
	b.AwaitBan("198.51.100.8/32")
	Eventually(t, "all lines", func() bool { return b.Count("lab", "decided") == 40 })
	if ban, ok := b.Banned("198.51.100.9/32"); ok {
		t.Errorf("what the jail must not hear has banned: %+v", ban)
	}
	var s admin.Status
	rings := func(text string) {
		t.Helper()
		Eventually(t, text, func() bool {
			s = b.Status()
			return slices.ContainsFunc(s.Alarms, func(d admin.Decision) bool { return strings.Contains(d.Reason, text) })
		})
	}
	rings("office (127.0.0.8) lost 300 lines")
	rings("archive is silent")
	for _, j := range s.Jails {
		if j.Name == "sshd" && j.Unheard != 20 {
			t.Errorf("%d matches were not heard", j.Unheard)
		}
	}
	got := map[string]string{}
	for _, from := range s.Senders {
		got[from.Name] = fmt.Sprintf("%s %s %s %d %v lost %d", from.Source, from.Origin, from.Trust, from.Lines, from.Dialects, *from.Lost)
	}
	for name, want := range map[string]string{
		"127.0.0.8": "lab office high 20 [rfc5424] lost 300", "127.0.0.9": "lab branch normal 20 [rfc5424] lost 0",
	} {
		if got[name] != want {
			t.Errorf("%s: %s, want %s", name, got[name], want)
		}
	}
	b.Stop()
}
