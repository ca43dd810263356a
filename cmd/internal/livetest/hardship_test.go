package livetest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"bailiff/cmd/internal/admin"
	"bailiff/enforce/nft/nfttest"
	"bailiff/ingest/journald/journaltest"
)

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
	offend(b, "198.51.100.9")
	Eventually(t, "status to show the trouble", func() bool { s := source(b, "journald"); return !s.OK && s.Hint != "" })
	// It comes back by itself when there is one.
	j := journaltest.Start(t)
	Eventually(t, "status to show that it is over", func() bool { return source(b, "journald").OK })
	say := speaker(t, j.Unit("ssh.service"))
	for range 5 {
		say("Failed password for root from 198.51.100.10 port 4 ssh2")
	}
	b.AwaitBan("198.51.100.10/32")
}

// source returns the status of one source.
func source(b *Bailiff, name string) admin.Source {
	b.t.Helper()
	for _, s := range b.Status().Sources {
		if s.Name == name {
			return s
		}
	}
	b.t.Fatalf("status shows no source %s", name)
	return admin.Source{}
}

// TestUnreadableJournal runs bailiff without the right to read everything, beside a
// journal that is not for it.
func TestUnreadableJournal(t *testing.T) {
	nfttest.Need(t)
	nfttest.Fresh(t)
	j := journaltest.Start(t)
	say := speaker(t, j.Unit("ssh.service"))
	say("Server listening on 0.0.0.0 port 22.")
	b := newBailiff(t, "[[source.syslog]]\nlisten = \"udp://127.0.0.1:5514\"\n"+jailSSH)
	modest := filepath.Join(b.Dir, "modest")
	script := fmt.Sprintf("#!/bin/sh\nexec setpriv --bounding-set -dac_override,-dac_read_search %s \"$@\"\n", b.Binary)
	if err := errors.Join(os.WriteFile(modest, []byte(script), 0o755), os.Chown(j.Dir, ordinary, ordinary), os.Chmod(j.Dir, 0o700)); err != nil {
		t.Fatal(err)
	}
	b.Binary = modest
	b.Start()
	Eventually(t, "status to show the trouble", func() bool {
		s := source(b, "journald")
		return !s.OK && strings.Contains(s.Error, "not readable") && s.Hint != ""
	})
	offend(b, "198.51.100.17")
	if err := errors.Join(os.Chown(j.Dir, 0, 0), os.Chmod(j.Dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		say("Failed password for root from 198.51.100.18 port 4 ssh2")
	}
	b.AwaitBan("198.51.100.18/32")
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
	b.Start()
	offend(b, "198.51.100.11")
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
	offend(b, "198.51.100.12")
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	Eventually(t, "the store to be written again", func() bool { return b.Status().Store.OK })
	Eventually(t, "both bans to stand", func() bool { return len(b.Bans()) == 2 })
	// It fills up once more, and this time while bailiff runs.
	fill(t, ballast)
	offend(b, "198.51.100.13")
	if b.Status().Store.OK {
		t.Error("status shows no trouble on a disk that is full by now")
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	Eventually(t, "the store to be written again", func() bool { return b.Status().Store.OK })
	b.Kill()
	b.Start()
	if bans := b.Bans(); len(bans) != 3 {
		t.Errorf("after a restart stand %v, want the ban of before and the two of the full disk", bans)
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

// offend has an address refused five times by way of the loopback listener, and
// waits for its ban.
func offend(b *Bailiff, addr string) {
	b.t.Helper()
	for range 5 {
		if out, err := exec.Command("bash", "-c", "echo '"+refusal(addr)+"' >/dev/udp/127.0.0.1/5514").CombinedOutput(); err != nil {
			b.t.Fatalf("%v\n%s", err, out)
		}
	}
	b.AwaitBan(addr + "/32")
}
