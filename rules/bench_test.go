package rules_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"bailiff/ingest"
	"bailiff/rules"
)

// Lines for benchmarks: what the shipped packs match, and what stands around it.
var (
	attacks = [][2]string{
		{"sshd", "Failed password for root from 198.51.100.7 port 46639 ssh2"},
		{"sshd", "Failed password for invalid user admin from 198.51.100.7 port 46639 ssh2"},
		{"sshd", "Invalid user admin from 198.51.100.7 port 46639"},
		{"sshd", "Connection closed by authenticating user root 198.51.100.7 port 46639 [preauth]"},
		{"asterisk", "NOTICE[7820]: chan_sip.c:29058 in handle_request_register: Registration from '<sip:101@192.0.2.10>' failed for '198.51.100.1:52478' - Wrong password"},
		{"asterisk", `SECURITY[7820]: res_security_log.c:114 in security_event_stasis_cb: SecurityEvent="InvalidPassword",EventTV="2026-11-23T01:38:48.141+0000",Severity="Error",Service="SIP",EventVersion="2",AccountID="101",SessionID="0x7f3a3c00c2d8",LocalAddress="IPV4/UDP/192.0.2.10/5060",RemoteAddress="IPV4/UDP/198.51.100.1/52478",Challenge="4f7b5f0e",ReceivedChallenge="4f7b5f0e",ReceivedHash="0f1ea9ae5d66a9b3b7cbe1fc1e6a3e93"`},
	}
	ordinary = [][2]string{
		{"sshd", "pam_unix(sshd:session): session opened for user alice(uid=1000) by (uid=0)"},
		{"sshd", "Server listening on 0.0.0.0 port 22."},
		{"asterisk", "VERBOSE[7820][C-0000001a]: pbx.c:4300 in pbx_extension_helper: Executing [101@internal:1] Dial(\"SIP/100-00000001\", \"SIP/101,30\") in new stack"},
		{"CRON", "(root) CMD (command -v debian-sa1 > /dev/null && debian-sa1 1 1)"},
		{"systemd", "Started session-1234.scope - Session 1234 of User alice."},
		{"kernel", "[12345.678901] eth0: renamed from veth1a2b3c4"},
		{"postfix/smtpd", "connect from mail.example.org[203.0.113.9]"},
		{"dhclient", "DHCPREQUEST for 192.0.2.23 on eth0 to 192.0.2.1 port 67"},
	}
)

func entries(lines [][2]string) []*ingest.Entry {
	now := time.Unix(1_795_000_000, 0)
	out := make([]*ingest.Entry, len(lines))
	for i, l := range lines {
		out[i] = &ingest.Entry{
			Source: "bench", Time: now, Received: now, Host: []byte("host"),
			Identifier: []byte(l[0]), Message: []byte(l[1]), UID: -1, PID: -1, Repeat: 1,
		}
	}
	return out
}

// measure matches the entries in turn, one an iteration.
func measure(b *testing.B, set *rules.Set, lines [][2]string) {
	b.Helper()
	list := entries(lines)
	bytes := 0
	for _, e := range list {
		bytes += len(e.Message)
	}
	b.SetBytes(int64(bytes / len(list)))
	b.ReportAllocs()
	var found []rules.Match
	for _, e := range list { // what reads a line is made with the first
		found = set.AppendMatches(found[:0], e)
	}
	i := 0
	for b.Loop() {
		found = set.AppendMatches(found[:0], list[i])
		if i++; i == len(list) {
			i = 0
		}
	}
}

// BenchmarkLine is one line of ordinary and of hostile kinds, with all shipped
// packs.
func BenchmarkLine(b *testing.B) {
	set := compile(b, embedded(b)...)
	mixed := slicesRepeat(ordinary, 6)
	mixed = append(mixed, attacks[0])
	b.Run("mixed", func(b *testing.B) { measure(b, set, mixed) })
	b.Run("attacks", func(b *testing.B) { measure(b, set, attacks) })
	for _, l := range attacks {
		b.Run(l[0]+"/"+l[1][:12], func(b *testing.B) { measure(b, set, [][2]string{l}) })
	}
	for _, l := range ordinary[:3] {
		b.Run("miss/"+l[0]+"/"+l[1][:12], func(b *testing.B) { measure(b, set, [][2]string{l}) })
	}
}

func slicesRepeat(lines [][2]string, n int) [][2]string {
	var out [][2]string
	for range n {
		out = append(out, lines...)
	}
	return out
}

// hostile are messages of 8 KiB made to cost as much as they can.
func hostile() map[string][2]string {
	fill := func(unit string) string { return strings.Repeat(unit, 8192/len(unit)+1) }
	wrap := func(identifier, head, middle, tail string) [2]string {
		return [2]string{identifier, head + middle[:8100-len(head)-len(tail)] + tail}
	}
	sip := "NOTICE[7820]: chan_sip.c:29058 in handle_request_register: Registration from '"
	sipEnd := "' failed for '198.51.100.1:52478' - Wrong password"
	event := `SECURITY[7820]: res_security_log.c:114 in security_event_stasis_cb: SecurityEvent="InvalidPassword",EventTV="2026-11-23T01:38:48.141+0000",Severity="Error",Service="SIP",EventVersion="2",AccountID="`
	eventEnd := `",SessionID="0x7f3a3c00c2d8",LocalAddress="IPV4/UDP/192.0.2.10/5060",RemoteAddress="IPV4/UDP/198.51.100.1/52478",Challenge="4f7b5f0e",ReceivedChallenge="4f7b5f0e",ReceivedHash="0f1ea9ae5d66a9b3b7cbe1fc1e6a3e93"`
	return map[string][2]string{
		"sshd/letters":      wrap("sshd", "Failed password for invalid user ", fill("a"), " from 198.51.100.7 port 1 ssh2"),
		"sshd/imitations":   wrap("sshd", "Failed password for invalid user ", fill("x from 192.0.2.77 port 22 ssh2 "), " from 198.51.100.7 port 1 ssh2"),
		"sshd/v6":           wrap("sshd", "Failed password for invalid user ", fill("2001:db8::1 "), " from 198.51.100.7 port 1 ssh2"),
		"sshd/colons":       wrap("sshd", "Failed password for invalid user ", fill("::1 "), " from 198.51.100.7 port 1 ssh2"),
		"sshd/closes":       wrap("sshd", "Connection closed by invalid user ", fill("x 192.0.2.77 port 22 [preauth] "), " 198.51.100.7 port 1 [preauth]"),
		"sshd/changed":      wrap("sshd", "Disconnecting invalid user ", fill("x 192.0.2.77 port 22: Change of username or service not allowed: (y "), " 198.51.100.7 port 1: Change of username or service not allowed: (x,a) -> (y,b) [preauth]"),
		"sshd/addresses":    wrap("sshd", "Disconnecting invalid user ", fill("1.2.3.4 "), " 198.51.100.7 port 1: Change of username or service not allowed: (x,a) -> (y,b) [preauth]"),
		"sshd/behind":       wrap("sshd", "Disconnecting invalid user x 198.51.100.7 port 1: Change of username or service not allowed: (", fill("1.2.3.4 "), ",a) -> (y,b) [preauth]"),
		"sshd/v6 behind":    wrap("sshd", "Disconnecting invalid user x 198.51.100.7 port 1: Change of username or service not allowed: (", fill("1::2 "), ",a) -> (y,b) [preauth]"),
		"sshd/ports behind": wrap("sshd", "Disconnecting invalid user x 198.51.100.7 port 1: Change of username or service not allowed: (", fill("1::2 port 3: "), ",a) -> (y,b) [preauth]"),
		"asterisk/letters":  wrap("asterisk", sip, fill("a"), sipEnd),
		"asterisk/imitate":  wrap("asterisk", sip, fill("x' failed for '192.0.2.77:5060' - Wrong password"), sipEnd),
		"asterisk/event":    wrap("asterisk", event, fill("a"), eventEnd),
		"asterisk/eventish": wrap("asterisk", event, fill(`x",RemoteAddress="IPV4/UDP/192.0.2.77/5060"`), eventEnd),
	}
}

// BenchmarkHostile is one message of 8 KiB, to the shipped packs as if the
// daemons did not cut theirs.
func BenchmarkHostile(b *testing.B) {
	var packs []*rules.Pack
	for _, file := range []string{"packs/sshd.toml", "packs/asterisk.toml"} {
		data, err := os.ReadFile(file)
		if err != nil {
			b.Fatal(err)
		}
		p, err := rules.Parse(file, regexp.MustCompile(`(?m)^cut = .*$`).ReplaceAll(data, nil))
		if err != nil {
			b.Fatal(err)
		}
		packs = append(packs, p)
	}
	set := compile(b, packs...)
	for name, l := range hostile() {
		b.Run(name, func(b *testing.B) { measure(b, set, [][2]string{l}) })
	}
}

// BenchmarkRules is a line with 100 rules on its identifier and with 1,000.
func BenchmarkRules(b *testing.B) {
	for _, n := range []int{100, 1000} {
		set := compile(b, syntheticPack(b, n))
		random := rand.New(rand.NewPCG(1, 2))
		var lines [][2]string
		for range 500 {
			i := random.IntN(100)
			line := syntheticLine(i)
			if random.IntN(50) != 0 { // near to it
				line = strings.Replace(line, "failed", "ended", 1)
			}
			lines = append(lines, [2]string{"daemon", line})
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) { measure(b, set, lines) })
	}
}

var syllables = strings.Fields("ba ce di fo gu ha je ki lo mu na pe qi ro su ta ve wi xo zu")

func word(i int) string {
	return syllables[i%20] + syllables[i/20%20] + syllables[i/400%20] + "er"
}

func syntheticLine(i int) string {
	return fmt.Sprintf("%s: login failed for user alice in module %s from 198.51.100.7 port 4711 after 3 tries", word(i), word(i*7))
}

// syntheticPack has n rules for one identifier.
func syntheticPack(b *testing.B, n int) *rules.Pack {
	b.Helper()
	var doc strings.Builder
	doc.WriteString("[pack]\nname = \"synthetic\"\n[pack.match]\nidentifier = [\"daemon\"]\n")
	for i := range n {
		fmt.Fprintf(&doc, "[[rule]]\nname = \"r%d\"\nevent = \"failure\"\naccount = \"user\"\n", i)
		fmt.Fprintf(&doc, "pattern = '%s: login failed for user <user:text> in module %s from <addr> port <port> after <int> tries'\n", word(i), word(i*7))
	}
	p, err := rules.Parse("synthetic.toml", []byte(doc.String()))
	if err != nil {
		b.Fatal(err)
	}
	return p
}
