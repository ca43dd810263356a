package journaltest_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"bailiff/ingest/journald/journaltest"
)

func TestMain(m *testing.M) {
	if code, done := journaltest.InNamespace(0); done {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

func journalctl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("journalctl", append([]string{"--quiet", "--output=cat"}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("journalctl: %v\n%s", err, out)
	}
	return string(out)
}

// The unit that journald vouches for is the one the writer was started in,
// whatever it calls itself.
func TestUnit(t *testing.T) {
	j := journaltest.Start(t)
	for unit, text := range map[string]string{
		"ssh.service": "from ssh",
		"user.slice/user-1000.slice/session-3.scope": "from a session",
	} {
		// logger lives until its input ends: journald looks it up in time.
		cmd := exec.Command("logger", "-t", "sshd")
		input, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := j.Unit(unit).Start(cmd); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(input, text)
		for !strings.Contains(journalctl(t), text) {
			j.Sync()
		}
		input.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
	got := journalctl(t, "_SYSTEMD_UNIT=ssh.service")
	if want := "from ssh\n"; got != want {
		t.Errorf("entries of ssh.service: %q, want %q", got, want)
	}
}

// Rotation archives, vacuuming removes what was archived, a restart keeps the
// rest.
func TestRotateVacuumRestart(t *testing.T) {
	j := journaltest.Start(t)
	logger := func(text string) {
		t.Helper()
		if out, err := exec.Command("logger", text).CombinedOutput(); err != nil {
			t.Fatalf("logger: %v\n%s", err, out)
		}
		j.Sync()
	}
	logger("first")
	j.Rotate()
	logger("second")
	j.Rotate()
	if archived, _ := filepath.Glob(filepath.Join(j.Dir, "system@*.journal")); len(archived) != 2 {
		t.Fatalf("archived files: %q, want 2", archived)
	}
	j.Vacuum(1)
	j.Restart()
	logger("third")
	got := journalctl(t, "_COMM=logger", "+", "SYSLOG_IDENTIFIER=root")
	if want := "second\nthird\n"; got != want {
		t.Errorf("entries left: %q, want %q", got, want)
	}
}

// What the tests do must not show on the machine.
func TestPrivate(t *testing.T) {
	journaltest.Start(t)
	if link, err := os.Readlink("/dev/log"); err != nil || link != "/run/systemd/journal/dev-log" {
		t.Errorf("/dev/log leads to %q, %v", link, err)
	}
	if me, err := os.Readlink("/proc/self"); err != nil || me != "1" {
		t.Errorf("process %q, %v; want the init of a PID namespace", me, err)
	}
}
