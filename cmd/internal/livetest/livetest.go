// Package livetest runs the real bailiff among real daemons: journald, sshd,
// rsyslog and the kernel's nftables, in namespaces of its own. It holds the
// means; the stories are its tests.
package livetest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"bailiff/cmd/internal/admin"
)

// Patience is how long anything may take before a test gives up on it. It is a
// bound on hanging, not a claim of speed.
const Patience = time.Minute

// Bailiff is one configured bailiff, which may be started, stopped, killed and
// started again on the same state. Its methods fail the test.
type Bailiff struct {
	// Dir holds configuration and state.
	Dir string
	// Binary is the program; Config and Socket are its files.
	Binary, Config, Socket string

	t   testing.TB
	cmd *exec.Cmd
	log *lockedBuffer
}

// New writes a configuration of its own folder: state_dir and socket, and then
// config. It starts nothing.
func New(t testing.TB, binary, config string) *Bailiff {
	t.Helper()
	dir := t.TempDir()
	b := &Bailiff{
		Dir: dir, Binary: binary, t: t, log: new(lockedBuffer),
		Config: filepath.Join(dir, "bailiff.toml"),
		Socket: filepath.Join(dir, "bailiff.sock"),
	}
	b.Configure(config)
	return b
}

// Configure replaces what New wrote.
func (b *Bailiff) Configure(config string) {
	b.t.Helper()
	head := fmt.Sprintf("state_dir = %q\nsocket = %q\n", filepath.Join(b.Dir, "state"), b.Socket)
	if err := os.WriteFile(b.Config, []byte(head+config), 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// Start starts the daemon and waits until it says that it is ready. The end of
// the test kills it.
func (b *Bailiff) Start(args ...string) {
	b.t.Helper()
	ready := notifySocket(b.t, filepath.Join(b.Dir, "notify"))
	b.cmd = exec.Command(b.Binary, append([]string{"run", "--config", b.Config}, args...)...)
	b.cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+filepath.Join(b.Dir, "notify"))
	b.cmd.Stdout, b.cmd.Stderr = b.log, b.log
	if err := b.cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	cmd := b.cmd
	b.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	if err := ready(); err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		b.t.Fatalf("bailiff is not ready: %v\n%s", err, b.Log())
	}
}

// Stop ends the daemon as systemd would, and fails unless it ends well and can say
// what became of each line.
func (b *Bailiff) Stop() {
	b.t.Helper()
	if err := b.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		b.t.Fatal(err)
	}
	if err := b.cmd.Wait(); err != nil {
		b.t.Fatalf("bailiff ended with %v\n%s", err, b.Log())
	}
	if log := b.Log(); strings.Contains(log, "error in bailiff") {
		b.t.Errorf("the accounts do not balance:\n%s", log)
	}
}

// Kill ends the daemon with SIGKILL.
func (b *Bailiff) Kill() {
	b.t.Helper()
	if err := b.cmd.Process.Kill(); err != nil {
		b.t.Fatal(err)
	}
	_ = b.cmd.Wait()
}

// Log returns what the daemon printed so far.
func (b *Bailiff) Log() string { return b.log.String() }

// Command returns a sub-command of bailiff that talks to this daemon.
func (b *Bailiff) Command(args ...string) *exec.Cmd {
	return exec.Command(b.Binary, append(args, "--socket", b.Socket)...)
}

// JSON runs a sub-command with --json and decodes what it prints into v.
func (b *Bailiff) JSON(v any, args ...string) {
	b.t.Helper()
	cmd := b.Command(append(args, "--json")...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		b.t.Fatalf("bailiff %s: %v\n%s\nits log:\n%s", strings.Join(args, " "), err, &stderr, b.Log())
	}
	if err := json.Unmarshal(out, v); err != nil {
		b.t.Fatalf("bailiff %s printed %q: %v", strings.Join(args, " "), out, err)
	}
}

// Bans returns the standing bans.
func (b *Bailiff) Bans() []admin.Ban {
	b.t.Helper()
	var bans []admin.Ban
	b.JSON(&bans, "list")
	return bans
}

// Banned returns the standing ban of a prefix, spelled as bailiff spells it.
func (b *Bailiff) Banned(prefix string) (admin.Ban, bool) {
	b.t.Helper()
	for _, ban := range b.Bans() {
		if ban.Prefix.String() == prefix {
			return ban, true
		}
	}
	return admin.Ban{}, false
}

// AwaitBan waits for a ban and returns it.
func (b *Bailiff) AwaitBan(prefix string) admin.Ban {
	b.t.Helper()
	var ban admin.Ban
	Eventually(b.t, "a ban of "+prefix, func() (ok bool) {
		ban, ok = b.Banned(prefix)
		return ok
	})
	return ban
}

// Status returns the state of the daemon. Its accounts must balance at any time.
func (b *Bailiff) Status() admin.Status {
	b.t.Helper()
	var s admin.Status
	b.JSON(&s, "status")
	for _, source := range s.Sources {
		if len(source.Imbalances) > 0 {
			b.t.Errorf("the accounts of %s do not balance: %+v, %v", source.Name, source.Imbalances, source.Counts)
		}
	}
	return s
}

// Count returns a total of a source, summed over all reasons unless one is
// given. The source is found by a part of its name.
func (b *Bailiff) Count(source, name string, reason ...string) uint64 {
	b.t.Helper()
	var n uint64
	for _, s := range b.Status().Sources {
		if !strings.Contains(s.Name, source) {
			continue
		}
		for _, c := range s.Counts {
			if c.Name == name && (len(reason) == 0 || c.Reason == reason[0]) {
				n += c.N
			}
		}
	}
	return n
}

// Eventually waits until ok, asking again and again.
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(Patience); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v in vain for %s", Patience, what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// notifySocket listens for sd_notify messages; the returned function waits for
// READY=1.
func notifySocket(t testing.TB, path string) func() error {
	t.Helper()
	_ = os.Remove(path)
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	return func() error {
		defer conn.Close()
		if err := conn.SetReadDeadline(time.Now().Add(Patience)); err != nil {
			return err
		}
		buf := make([]byte, 4096)
		for {
			n, err := conn.Read(buf)
			if err != nil {
				return errors.Join(errors.New("no READY=1"), err)
			}
			if strings.Contains(string(buf[:n]), "READY=1") {
				return nil
			}
		}
	}
}

// lockedBuffer is a buffer that a process writes to while a test reads it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
