package livetest

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"bailiff/enforce/nft/nfttest"
	"bailiff/ingest/journald/journaltest"
)

// fails starts the daemon, which must not come up: it has to exit with the code
// and say what is wrong in one line that holds want, and a hint.
func (b *Bailiff) fails(cmd *exec.Cmd, code int, want string) {
	b.t.Helper()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != code {
		b.t.Fatalf("bailiff ended with %v, want exit code %d\n%s", err, code, &stderr)
	}
	var said, hints []string
	for line := range strings.Lines(stderr.String()) {
		switch {
		case strings.HasPrefix(line, "bailiff: "):
			said = append(said, line)
		case strings.HasPrefix(line, "hint: "):
			hints = append(hints, line)
		}
	}
	if len(said) != 1 || len(hints) != 1 || !strings.Contains(said[0], want) {
		b.t.Errorf("bailiff said\n%s\nwant one line with %q, and one hint", &stderr, want)
	}
}

// run returns the daemon as a command.
func (b *Bailiff) run() *exec.Cmd { return exec.Command(b.Binary, "run", "--config", b.Config) }

// ruleset returns what the kernel holds.
func ruleset(t *testing.T) string { return nfttest.NFT(t, "list", "ruleset") }

// TestConfigurationTrouble has a wrong file for each kind of mistake. Nothing may
// be touched: neither the state directory nor the kernel.
func TestConfigurationTrouble(t *testing.T) {
	nfttest.Need(t)
	nfttest.Fresh(t)
	for name, tt := range map[string]struct{ config, want string }{
		"unknown key":   {"never_bam = []", `never_bam: unknown key`},
		"bad duration":  {"[jail.sshd]\npacks = [\"sshd\"]\nban_time = \"10 apples\"", `"10 apples" is not a duration`},
		"bad prefix":    {`never_ban = ["300.1.2.3/8"]`, "300.1.2.3/8"},
		"no such pack":  {"[jail.x]\npacks = [\"asterix\"]", `there is no pack "asterix"`},
		"no such rules": {`rules_dir = "/nowhere"`, "/nowhere"},
		"wrong type":    {"[defaults]\nmax_retry = \"five\"", "max_retry"},
		"open port":     {"[[source.syslog]]\nlisten = \"tcp://0.0.0.0:514\"", "must say whom it takes lines from"},
		"no such set":   {`never_ban = ["@inet nobody/here"]`, "never_ban @inet nobody/here"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBailiff(t, tt.config)
			code := 2
			if name == "no such set" {
				code = 1
			}
			b.fails(b.run(), code, tt.want)
			if _, err := os.Stat(filepath.Join(b.Dir, "state")); err == nil {
				t.Error("the state directory was made")
			}
			if got := ruleset(t); got != "" {
				t.Errorf("the kernel was changed:\n%s", got)
			}
		})
	}
}

func TestPackTrouble(t *testing.T) {
	nfttest.Need(t)
	const pack = "[pack]\nname = \"door\"\n[pack.match]\nidentifier = [\"door\"]\n[[rule]]\nname = \"knock\"\nevent = \"failure\"\npattern = '''knock from <addr>'''\n"
	for name, tt := range map[string]struct {
		text string
		mode os.FileMode
		want string
	}{
		"failing sample": {pack + "[[rule.sample]]\nline = \"knock at 192.0.2.1\"\naddr = \"192.0.2.1\"\n", 0o644, "knock"},
		"unknown key":    {pack + "wheight = 3\n", 0o644, "wheight"},
		"writable":       {pack, 0o666, "door.toml"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "door.toml")
			if err := os.WriteFile(path, []byte(tt.text), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, tt.mode); err != nil {
				t.Fatal(err)
			}
			b := newBailiff(t, "rules_dir = \""+dir+"\"\n[jail.door]\npacks = [\"door\"]\n")
			cmd := b.run()
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			var exit *exec.ExitError
			if err := cmd.Run(); !errors.As(err, &exit) || exit.ExitCode() != 2 {
				t.Errorf("bailiff ended with %v, want exit code 2", err)
			}
			if !strings.Contains(stderr.String(), tt.want) || !strings.Contains(stderr.String(), "door.toml") {
				t.Errorf("bailiff said\n%s\nwant the file and %q", &stderr, tt.want)
			}
		})
	}
}

// TestNoRight runs bailiff without the right to change the kernel.
func TestNoRight(t *testing.T) {
	b := newBailiff(t, "")
	for _, path := range []string{b.Dir, filepath.Dir(b.Dir), filepath.Dir(b.Binary)} {
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := as(ordinary, b.Binary, "run", "--config", b.Config)
	b.fails(cmd, 1, "open firewall")
}

// TestSecondDaemon starts a second one on the same state, and one on the same
// port; the first must not notice.
func TestSecondDaemon(t *testing.T) {
	nfttest.Need(t)
	nfttest.Fresh(t)
	const config = "[source.journald]\nenabled = false\n[[source.syslog]]\nlisten = \"udp://127.0.0.1:5514\"\n" + jailSSH
	first := newBailiff(t, config)
	first.Start()
	before := ruleset(t)
	first.fails(first.run(), 1, "state")

	other := newBailiff(t, config)
	other.fails(other.run(), 1, "127.0.0.1:5514")
	if after := ruleset(t); after != before {
		t.Errorf("the kernel was changed:\n%s", after)
	}
	if !first.Status().Store.OK {
		t.Error("the first daemon is in trouble")
	}
}

func TestSocketPathTaken(t *testing.T) {
	nfttest.Need(t)
	b := newBailiff(t, "")
	if err := os.WriteFile(b.Socket, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.fails(b.run(), 1, b.Socket)
	if data, err := os.ReadFile(b.Socket); err != nil || string(data) != "precious" {
		t.Errorf("the file in its place is %q, %v", data, err)
	}
}

// TestNoJournal starts without a journal, which is trouble of one source, not of
// the others.
func TestNoJournal(t *testing.T) {
	nfttest.Need(t)
	nfttest.Fresh(t)
	for _, dir := range []string{"/var/log/journal", "/run/log/journal"} {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	b := newBailiff(t, "[[source.syslog]]\nlisten = \"udp://127.0.0.1:5514\"\n"+jailSSH)
	b.Start()
	for range 5 {
		if out, err := exec.Command("bash", "-c", "echo '"+refusal("198.51.100.9")+"' >/dev/udp/127.0.0.1/5514").CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	b.AwaitBan("198.51.100.9/32")
	Eventually(t, "status to show the trouble", func() bool {
		for _, s := range b.Status().Sources {
			if s.Name == "journald" {
				return !s.OK && s.Hint != ""
			}
		}
		return false
	})
	// It comes back by itself when there is one.
	j := journaltest.Start(t)
	say := speaker(t, j.Unit("ssh.service"))
	for range 5 {
		say("Failed password for root from 198.51.100.10 port 4 ssh2")
	}
	b.AwaitBan("198.51.100.10/32")
}

// TestFullDisk starts on a full disk: it bans all the same, and writes down what
// it decided when there is room.
func TestFullDisk(t *testing.T) {
	nfttest.Need(t)
	nfttest.Fresh(t)
	b := newBailiff(t, "[source.journald]\nenabled = false\n[[source.syslog]]\nlisten = \"udp://127.0.0.1:5514\"\n"+jailSSH)
	state := filepath.Join(b.Dir, "state")
	if err := os.Mkdir(state, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", state, "tmpfs", 0, "size=64m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(state, unix.MNT_DETACH) })
	offend := func(addr string) {
		t.Helper()
		for range 5 {
			if out, err := exec.Command("bash", "-c", "echo '"+refusal(addr)+"' >/dev/udp/127.0.0.1/5514").CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
		}
		b.AwaitBan(addr + "/32")
	}
	b.Start()
	offend("198.51.100.11")
	b.Stop()

	ballast := filepath.Join(state, "ballast")
	fill(t, ballast)
	b.Start()
	if b.Status().Store.OK {
		t.Fatal("status shows no trouble on a full disk")
	}
	if !inKernel(t, "198.51.100.11") {
		t.Error("a start without a record took the standing ban out of the kernel")
	}
	offend("198.51.100.12")
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	Eventually(t, "the store to be written again", func() bool { return b.Status().Store.OK })
	Eventually(t, "both bans to stand", func() bool { return len(b.Bans()) == 2 })
	b.Kill()
	b.Start()
	if bans := b.Bans(); len(bans) != 2 {
		t.Errorf("after a restart stand %v, want the ban of before and the one of the full disk", bans)
	}
}

// fill takes all the room there is.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 1<<20)
	for err == nil {
		_, err = f.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
}

// TestReadOnlyState has a state directory on a read-only file system.
func TestReadOnlyState(t *testing.T) {
	nfttest.Need(t)
	nfttest.Fresh(t)
	b := newBailiff(t, "")
	state := filepath.Join(b.Dir, "state")
	if err := os.Mkdir(state, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", state, "tmpfs", unix.MS_RDONLY, "size=1m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(state, unix.MNT_DETACH) })
	b.fails(b.run(), 1, "state")
}

// TestSignals interrupts the daemon while lines pour in: it settles what it has
// read and ends well.
func TestSignals(t *testing.T) {
	nfttest.Need(t)
	nfttest.Fresh(t)
	nfttest.Address(t, ourAddress)
	pbx := nfttest.NewHost(t, "pbx", pbxAddress)
	b := newBailiff(t, pbxListeners+jailSSH)
	b.Start()
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		pbx.Do(t, func() {
			conn, err := net.Dial("udp", ourAddress+":514")
			if err != nil {
				return
			}
			defer conn.Close()
			for {
				select {
				case <-stop:
					return
				default:
					_, _ = conn.Write([]byte(refusal("198.51.100.13")))
				}
			}
		})
	}()
	b.AwaitBan("198.51.100.13/32")
	if err := b.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := b.cmd.Wait(); err != nil {
		t.Errorf("interrupted in a flood bailiff ended with %v\n%s", err, b.Log())
	}
	close(stop)
	<-done
	if !inKernel(t, "198.51.100.13") {
		t.Error("the ban ended with bailiff")
	}
}

// TestHostileSender sends what no daemon prints: huge lines, control bytes,
// frames without an end. The honest sender beside it loses nothing.
func TestHostileSender(t *testing.T) {
	nfttest.Need(t)
	nfttest.Fresh(t)
	nfttest.Address(t, ourAddress)
	pbx := nfttest.NewHost(t, "pbx", pbxAddress)
	b := newBailiff(t, pbxListeners+jailSSH)
	b.Start()
	pbx.Do(t, func() {
		for _, junk := range []string{
			strings.Repeat("A", 1<<20) + "\n", "999999999 <86>x", "5 <86>x\x00\x1b[31m\r\n\r\n", strings.Repeat("\x00\xff\x1b[", 100_000), "<", "<999>1 - - - - - -",
		} {
			conn, err := net.Dial("tcp", ourAddress+":514")
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = conn.Write([]byte(junk))
			_ = conn.Close()
		}
	})
	var lines []string
	for i := range 1000 { // a thousand sources, one line each
		lines = append(lines, refusal(fmt.Sprintf("10.9.%d.%d", i/256, i%256)))
	}
	send(t, pbx, ourAddress+":514", lines...)
	send(t, pbx, ourAddress+":514", repeat(refusal("198.51.100.14"), 5)...)
	b.AwaitBan("198.51.100.14/32")
	if n := b.Count("udp", "delivered"); n != 1005 {
		t.Errorf("%d of the honest lines were delivered, want 1005", n)
	}
}
