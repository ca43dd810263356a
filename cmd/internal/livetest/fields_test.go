package livetest

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"bailiff/enforce/nft/nfttest"
	"bailiff/ingest/journald/journaltest"
)

// gate reads a daemon that writes JSON; gatePeer is what a later version adds, for
// fields of the journal.
const (
	gate = `
[pack]
name = "gate"
evidence = "proven"
[pack.match]
identifier = ["gated"]
any_unit = true
[[rule]]
name = "refused"
event = "failure"
field.msg = "login refused"
field.request.remote_ip = "<addr>"
`
	gatePeer = `
[[rule]]
name = "refused-again"
event = "failure"
pattern = "refused"
field.GATE_PEER = "<addr>"
`
)

// TestStructuredDaemon bans by a member of a JSON message and, after a reload, by a
// field of the journal that nobody asked for before.
func TestStructuredDaemon(t *testing.T) {
	nfttest.Need(t)
	nfttest.Fresh(t)
	j := journaltest.Start(t)
	b, write := startWithPack(t, "gate", gate)
	conn := nativeJournal(t)
	say := func(fields ...string) {
		t.Helper()
		if _, err := fmt.Fprintln(conn, strings.Join(append(fields, "SYSLOG_IDENTIFIER=gated"), "\n")); err != nil {
			t.Fatal(err)
		}
	}
	for range 5 {
		say("MESSAGE=refused", "GATE_PEER=198.51.100.8")
		say(`MESSAGE={"msg":"login refused","request":{"remote_ip":"198.51.100.7","headers":{"X-Forwarded-For":["192.0.2.77"]}}}`)
	}
	b.AwaitBan("198.51.100.7/32")

	write(gate + gatePeer)
	if out, err := b.Command("reload").CombinedOutput(); err != nil {
		t.Fatalf("reload: %v\n%s", err, out)
	}
	for range 6 { // one may be in hand already
		say("MESSAGE=refused", "GATE_PEER=198.51.100.9")
	}
	b.AwaitBan("198.51.100.9/32")
	if bans := b.Bans(); len(bans) != 2 {
		t.Errorf("banned are %v", bans)
	}

	// What journalctl exports is read alike.
	j.Sync()
	export, err := exec.Command("journalctl", "--directory="+j.Dir, "--output=export", "SYSLOG_IDENTIFIER=gated").Output()
	if err != nil {
		t.Fatal(err)
	}
	match := exec.Command(b.Binary, "match", "--json", "--pack", filepath.Join(b.Dir, "rules.d", "gate.toml"), "-")
	match.Stdin = bytes.NewReader(export)
	out, err := match.Output()
	if err != nil {
		t.Fatalf("match: %v\n%s", err, out)
	}
	for text, n := range map[string]int{`"addr":"198.51.100.7"`: 5, `"addr":"198.51.100.8"`: 5, `"addr":"198.51.100.9"`: 6} {
		if got := strings.Count(string(out), text); got != n {
			t.Errorf("%d matches with %s in the export, want %d\n%s", got, text, n, out)
		}
	}
}

// startWithPack starts a bailiff whose one jail judges a pack, and returns it with
// what changes the pack's file.
func startWithPack(t *testing.T, name, text string) (b *Bailiff, write func(text string)) {
	t.Helper()
	b = newBailiff(t, "")
	dir := filepath.Join(b.Dir, "rules.d")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	write = func(text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name+".toml"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(text)
	b.Configure(fmt.Sprintf("rules_dir = %q\n[jail.%s]\npacks = [%q]\n", dir, name, name))
	b.Start()
	return b, write
}

// nativeJournal connects to journald by its own protocol.
func nativeJournal(t *testing.T) net.Conn {
	t.Helper()
	conn, err := net.Dial("unixgram", "/run/systemd/journal/socket")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}
