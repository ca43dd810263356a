package livetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bailiff/enforce/nft/nfttest"
)

// guess is a line of syslog about a wrong password.
func guess(from string) string {
	return "<86>Nov 23 10:11:12 host sshd[7]: Failed password for root from " + from + " port 4 ssh2\n"
}

// TestNamedPipe has writers come and go at a named pipe of the daemon, which is stopped
// and started meanwhile: every line that was written while it ran is decided.
func TestNamedPipe(t *testing.T) {
	nfttest.Need(t)
	nfttest.Fresh(t)
	fifo := filepath.Join(t.TempDir(), "sub", "log.fifo")
	b := newBailiff(t, fmt.Sprintf("[source.journald]\nenabled = false\n[[source.syslog]]\nlisten = \"unixgram://%s.sock\"\n[[source.pipe]]\npath = %q\nname = \"pipe\"\n%s", fifo, fifo, jailSSH))
	write := func(text string) {
		t.Helper()
		w, err := os.OpenFile(fifo, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		if _, err := w.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	b.Start()
	for range 5 {
		write(guess("198.51.100.7"))
	}
	b.AwaitBan("198.51.100.7/32")

	// What stands in the pipe when bailiff is told to stop is decided.
	write(strings.Repeat(guess("198.51.100.8"), 500))
	b.Stop()
	if !strings.Contains(b.Log(), "received=505") || !strings.Contains(b.Log(), "decided=505") {
		t.Errorf("of 505 lines:\n%s", b.Log())
	}
	b.Start()
	if _, ok := b.Banned("198.51.100.8/32"); !ok {
		t.Error("198.51.100.8 is not banned after a restart")
	}
	write(strings.Repeat(guess("198.51.100.9"), 5))
	b.AwaitBan("198.51.100.9/32")
	b.Stop()

	// Whoever may write may have anybody banned.
	if err := os.Chmod(fifo, 0o666); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(b.Binary, "run", "--config", b.Config).CombinedOutput()
	if err == nil || !bytes.Contains(out, []byte("others may write to it")) || !bytes.Contains(out, []byte("hint: chmod 0600 "+fifo)) {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestPipeEnforces has a stage hand its bans to the daemon: they stand in the kernel and
// on its record, and its guards hold.
func TestPipeEnforces(t *testing.T) {
	nfttest.Need(t)
	nfttest.Fresh(t)
	nfttest.Address(t, "192.0.2.10")
	b := newBailiff(t, "[source.journald]\nenabled = false\n"+loopbackListener+jailSSH+jailPBX)
	b.Start()
	other := filepath.Join(t.TempDir(), "stage.toml")
	if err := os.WriteFile(other, []byte(jailSSH+"[jail.elsewhere]\npacks = [\"dovecot\"]\nmax_retry = 1\n[jail.pbx]\npacks = [\"asterisk\"]\nmax_retry = 1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := b.Command("pipe", "--config", other, "--enforce")
	cmd.Stdin = strings.NewReader(strings.Repeat(guess("198.51.100.7"), 6) + strings.Repeat(guess("192.0.2.10"), 5) +
		"<22>Nov 23 10:11:12 host dovecot: imap-login: Disconnected: Connection closed (auth failed, 1 attempts in 2 secs): user=<bob>, method=PLAIN, rip=198.51.100.9, lip=192.0.2.10, session=<a>\n" +
		"<133>Nov 23 10:11:12 pbx asterisk[7820]: NOTICE[7820]: chan_sip.c:29058 in handle_request_register: Registration from '<sip:101@192.0.2.10>' failed for '198.51.100.11:5060' - Wrong password\n")
	var account bytes.Buffer
	cmd.Stderr = &account
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &account)
	}
	type outcome struct {
		Action, Prefix string
		Enforced       *bool
		Refused        string
	}
	yes, no := true, false
	var got []outcome
	for line := range bytes.Lines(out) {
		var o outcome
		if err := json.Unmarshal(line, &o); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		got = append(got, o)
	}
	want := []outcome{
		{"ban", "198.51.100.7/32", &yes, ""},
		{"alarm", "192.0.2.10/32", nil, ""},
		{"ban", "198.51.100.9/32", &no, `there is no jail "elsewhere"`},
		{"ban", "198.51.100.11/32", &yes, ""},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s\n%s", diff, &account)
	}
	for _, line := range []string{"2  bans enforced\n", "1  bans refused: no such jail\n", "1  bans stopped by a guard\n"} {
		if !strings.Contains(account.String(), line) {
			t.Errorf("the account lacks %q:\n%s", line, &account)
		}
	}
	if ban, ok := b.Banned("198.51.100.7/32"); !ok || ban.Jail != "sshd" || ban.Strike != 1 {
		t.Errorf("the daemon has %+v", ban)
	}
	// What anybody could have sent bans from the ports of the service alone, and is no strike.
	if ban, ok := b.Banned("198.51.100.11/32"); !ok || !ban.Spoofable || len(ban.Ports) == 0 || ban.Strike != 0 {
		t.Errorf("the daemon has %+v", ban)
	}
}
