package livetest

import (
	"fmt"
	"net"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"bailiff/cmd/internal/admin"
	"bailiff/enforce/nft/nfttest"
	"bailiff/ingest/journald/journaltest"
)

const (
	daemonHost = "192.0.2.10"
	guesser    = "198.51.100.66"
)

// lab is where one daemon is run: a journal, an address of its own, somebody who
// guesses passwords, and a folder.
type lab struct {
	*testing.T
	dir     string
	journal *journaltest.Journal
	guesser *nfttest.Host
}

// publicDir makes a folder that daemons may look into which are not root.
func publicDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/run", "lab") //nolint:usetesting // the parents of t.TempDir are open to root only
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// write writes a file of the lab and returns its path.
func (l *lab) write(name, text string, mode os.FileMode) string {
	l.Helper()
	path := filepath.Join(l.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		l.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		l.Fatal(err)
	}
	return path
}

// run runs a command that must succeed.
func (l *lab) run(name string, args ...string) {
	l.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		l.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

// cover puts a copy of one of the machine's folders in its place, in this test's
// mounts.
func (l *lab) cover(dir string) string {
	l.Helper()
	own := filepath.Join(l.dir, "cover", dir)
	if err := os.MkdirAll(own, 0o755); err != nil {
		l.Fatal(err)
	}
	l.run("cp", "-a", dir+"/.", own)
	if err := syscall.Mount(own, dir, "", syscall.MS_BIND, ""); err != nil {
		l.Fatalf("cover %s: %v", dir, err)
	}
	l.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

// serve starts a daemon in the unit that journald vouches for, and waits until it
// listens on a TCP port. The end of the test ends it and all that it started.
func (l *lab) serve(unit string, port int, name string, args ...string) {
	l.Helper()
	cmd := exec.Command(name, args...)
	out, err := os.CreateTemp(l.dir, unit) // no pipe: whoever is left behind would hold it open
	if err != nil {
		l.Fatal(err)
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	home := l.journal.Unit(unit)
	if err := home.Start(cmd); err != nil {
		l.Fatalf("start %s: %v", name, err)
	}
	l.Cleanup(func() {
		if err := home.Kill(); err != nil {
			l.Error(err)
		}
		_ = cmd.Wait()
		if said, err := os.ReadFile(out.Name()); l.Failed() {
			logged, _ := exec.Command("journalctl", "-q", "-D", l.journal.Dir, "-o", "short").Output()
			l.Logf("%s said %v:\n%s%s", name, err, said, logged)
		}
	})
	Eventually(l, fmt.Sprintf("%s to listen on %d", name, port), func() bool {
		c, err := net.Dial("tcp", net.JoinHostPort(daemonHost, strconv.Itoa(port)))
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// dial connects from the guesser to the daemon.
func (l *lab) dial(port int) *textproto.Conn {
	l.Helper()
	var c net.Conn
	var err error
	l.guesser.Do(l, func() { c, err = net.DialTimeout("tcp", net.JoinHostPort(daemonHost, strconv.Itoa(port)), Patience) })
	if err != nil {
		l.Fatal(err)
	}
	return textproto.NewConn(c)
}

// talk sends lines one after the other, and expects that each answer begins as
// said.
func (l *lab) talk(c *textproto.Conn, lines ...[2]string) {
	l.Helper()
	for _, line := range lines {
		if line[0] != "" {
			if err := c.PrintfLine("%s", line[0]); err != nil {
				l.Fatal(err)
			}
		}
		for {
			answer, err := c.ReadLine()
			if err != nil {
				l.Fatalf("%q was answered with %v", line[0], err)
			}
			if strings.HasPrefix(answer, line[1]) {
				break
			}
			if len(answer) < 4 || answer[3] != '-' && !strings.HasPrefix(answer, "*") {
				l.Fatalf("%q was answered with %q, want %q", line[0], answer, line[1])
			}
		}
	}
}

// TestDaemons runs real daemons, has each refuse logins, and finds one attempt
// for each: no more, however many lines it printed.
func TestDaemons(t *testing.T) {
	nfttest.Need(t)
	const refusals = 3
	for _, d := range slices.Concat(daemonsUnderTest, mailDaemons, sipDaemons) {
		t.Run(d.name, func(t *testing.T) {
			nfttest.Fresh(t)
			nfttest.Address(t, daemonHost+"/24", "2001:db8::10/64")
			l := &lab{T: t, dir: publicDir(t), journal: journaltest.Start(t), guesser: nfttest.NewHost(t, "guesser", guesser)}
			d.start(l)
			b := newBailiff(t, fmt.Sprintf("[jail.j]\npacks = [\"%s\"]\nmax_retry = 100\n", strings.Join(append(d.packs, marked), `", "`)))
			b.Start()
			for range refusals {
				d.refuse(l)
			}
			// The journal has an order: whoever has read this has read the rest.
			// logger may be gone before journald has seen whose it was.
			Eventually(t, "the last line", func() bool { mark(l); return attempts(b, "203.0.113.200") > 0 })
			if got := attempts(b, guesser); got != refusals {
				out, _ := exec.Command("journalctl", "-q", "-D", l.journal.Dir, "-o", "short", "--output-fields=_SYSTEMD_UNIT,MESSAGE").Output()
				t.Errorf("%d attempts for %d refused logins\n%s", got, refusals, out)
			}
		})
	}
}

// marked is the pack whose daemon mark speaks for; none of those under test.
const marked = "lighttpd"

// mark has that daemon's unit log a refused password for an address of its own.
func mark(l *lab) {
	l.Helper()
	l.journal.Sync()
	cmd := exec.Command("logger", "-t", "lighttpd", "(mod_auth.c.792) password doesn't match for / username: bob IP: 203.0.113.200")
	if err := l.journal.Unit("lighttpd.service").Start(cmd); err != nil {
		l.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		l.Fatal(err)
	}
}

// attempts asks how many attempts of an address the jail counts.
func attempts(b *Bailiff, addr string) int {
	var why admin.Why
	b.JSON(&why, "why", addr)
	n := 0
	for _, j := range why.Jails {
		n += j.Attempts
	}
	return n
}
