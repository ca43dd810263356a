package livetest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"bailiff/enforce/nft/nfttest"
	"bailiff/ingest/journald/journaltest"
)

const root = "../../.."

// TestMakeRun does what the README tells a newcomer: it runs `make run`, pastes the
// line that is printed, and waits for the ban.
func TestMakeRun(t *testing.T) {
	nfttest.Need(t)
	nfttest.Fresh(t)
	journaltest.Start(t)
	out := new(lockedBuffer)
	cmd := exec.Command("make", "-C", root, "run", "RUN="+t.TempDir(), "BIN="+filepath.Join(t.TempDir(), "bailiff"))
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	Eventually(t, "make run to read", func() bool { return strings.Contains(out.String(), "msg=reading") })

	paste := ""
	for line := range strings.Lines(out.String()) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "sudo bash -c ") {
			paste = strings.TrimPrefix(line, "sudo ")
		}
	}
	if paste == "" {
		t.Fatalf("make run prints no line to paste:\n%s", out)
	}
	if msg, err := exec.Command("sh", "-c", paste).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", paste, err, msg)
	}
	Eventually(t, "the decision to be printed", func() bool { return strings.Contains(out.String(), "ban  203.0.113.9  sshd") })

	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	<-ended
	if !inKernel(t, "203.0.113.9") {
		t.Error("the ban ended with bailiff")
	}
}

// TestDemo runs the demonstration, which has to show what the README says, and
// leave nothing behind.
func TestDemo(t *testing.T) {
	nfttest.Need(t)
	journaltest.Start(t) // for its private cgroups; the demo has a journald of its own
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	before := mounts(t)
	out, err := exec.Command(filepath.Join(root, "cmd/demo.sh"), path).CombinedOutput()
	if err != nil {
		t.Fatalf("demo: %v\n%s", err, out)
	}
	for _, want := range []string{
		"ban  203.0.113.66  sshd", "ban  198.51.100.31  pbx", "203.0.113.66 is banned",
		"Connection timed out", "logged in", "its bans still stand",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the demo does not show %q", want)
		}
	}
	if t.Failed() {
		t.Logf("%s", out)
	}
	if after := mounts(t); after != before {
		t.Errorf("the demo left mounts behind:\n%s", after)
	}
}

func mounts(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestMakeInstall installs into a folder and checks what lies there with the
// installed program.
func TestMakeInstall(t *testing.T) {
	nfttest.Need(t)
	dest := t.TempDir()
	out, err := exec.Command("make", "-C", root, "install", "DESTDIR="+dest, "BIN="+filepath.Join(t.TempDir(), "bailiff")).CombinedOutput()
	if err != nil {
		t.Fatalf("make install: %v\n%s", err, out)
	}
	installed := exec.Command(filepath.Join(dest, "usr/local/sbin/bailiff"), "check", "--config", filepath.Join(dest, "etc/bailiff/bailiff.toml"))
	if out, err := installed.CombinedOutput(); err != nil {
		t.Errorf("bailiff check of the installed configuration: %v\n%s", err, out)
	}
	unit, err := os.ReadFile(filepath.Join(dest, "etc/systemd/system/bailiff.service"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(unit), "ExecStart=/usr/local/sbin/bailiff run --config /etc/bailiff/bailiff.toml") {
		t.Errorf("the unit does not start the installed program:\n%s", unit)
	}
}
