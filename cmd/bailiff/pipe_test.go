package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// stage is a bailiff pipe that runs.
type stage struct {
	cmd     *exec.Cmd
	in, out *os.File
	stderr  bytes.Buffer
}

// newStage starts one that bans at the first attempt.
func newStage(t *testing.T, args ...string) *stage {
	t.Helper()
	return newStageOn(t, "[ceiling]\nproven = 0\nspace6 = 0\n", args...)
}

func newStageOn(t *testing.T, config string, args ...string) *stage {
	t.Helper()
	conf := filepath.Join(t.TempDir(), "bailiff.toml")
	if err := os.WriteFile(conf, []byte(config+"[defaults]\nmax_retry = 1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	inRead, inWrite, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	outRead, outWrite, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{cmd: exec.Command("bailiff", append([]string{"pipe", "--config", conf}, args...)...), in: inWrite, out: outRead}
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = inRead, outWrite, &s.stderr
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	inRead.Close()
	outWrite.Close()
	t.Cleanup(func() { _ = s.cmd.Process.Kill(); inWrite.Close(); outRead.Close() })
	return s
}

// attack is line i, of an address of its own.
func attack(i int) string {
	return fmt.Sprintf("<86>Nov 23 10:21:07 host sshd[812]: Failed password for root from 2001:db8:%x::1 port 4000 ssh2\n", i)
}

func (s *stage) write(t *testing.T, from, to int) {
	t.Helper()
	var b strings.Builder
	for i := from; i < to; i++ {
		b.WriteString(attack(i))
	}
	if _, err := s.in.WriteString(b.String()); err != nil {
		t.Error(err)
	}
}

// decisions reads what comes until the end and counts it.
func (s *stage) decisions(r io.Reader) (n int) {
	for lines := bufio.NewScanner(r); lines.Scan(); {
		if strings.Contains(lines.Text(), `"action":"ban"`) {
			n++
		}
	}
	return n
}

// ends waits for the regular end.
func (s *stage) ends(t *testing.T, account ...string) {
	t.Helper()
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("bailiff pipe: %v\n%s", err, &s.stderr)
	}
	for _, line := range account {
		if !strings.Contains(s.stderr.String(), line) {
			t.Errorf("the account lacks %q:\n%s", line, &s.stderr)
		}
	}
}

// A stage that is told to stop decides what stands in its pipe.
func TestPipeStops(t *testing.T) {
	s := newStage(t)
	s.write(t, 0, 1)
	out := bufio.NewReader(s.out)
	if _, err := out.ReadString('\n'); err != nil {
		t.Fatal(err, &s.stderr)
	}
	s.write(t, 1, 500)
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if n := s.decisions(out); n != 499 {
		t.Errorf("%d decisions after the first, want 499", n)
	}
	s.ends(t, "       500  decided\n", "       500  bans\n")
}

// A half line that is cut off by the end is not read as a whole one.
func TestPipeEndsInALine(t *testing.T) {
	s := newStage(t, "--format", "message", "--identifier", "sshd")
	if _, err := s.in.WriteString("Failed password for root from 203.0.113.9 port 4000 ssh2\nConnection closed by authenticating user root 203.0.113.1"); err != nil {
		t.Fatal(err)
	}
	s.in.Close()
	if n := s.decisions(s.out); n != 1 {
		t.Errorf("%d decisions, want 1", n)
	}
	s.ends(t, "         1  truncated\n")
}

// Who takes the decisions may go.
func TestPipeWithoutReader(t *testing.T) {
	s := newStage(t)
	s.write(t, 0, 1)
	if _, err := bufio.NewReaderSize(s.out, 16).ReadByte(); err != nil {
		t.Fatal(err)
	}
	s.out.Close()
	s.ends(t, "         1  bans\n")
}

// Decisions that nobody takes keep the lines waiting, and none is lost.
func TestPipeBackPressure(t *testing.T) {
	const lines = 20_000
	s := newStage(t)
	var all strings.Builder
	for i := range lines {
		all.WriteString(attack(i))
	}
	text := all.String()
	// Nobody reads: at some time the pipe takes no more.
	if err := s.in.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	n, err := s.in.WriteString(text)
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("wrote %d of %d bytes though nobody takes decisions: %v", n, len(text), err)
	}
	if err := s.in.SetWriteDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := s.in.WriteString(text[n:])
		done <- errors.Join(err, s.in.Close())
	}()
	if got := s.decisions(s.out); got != lines {
		t.Errorf("%d decisions, want %d", got, lines)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	s.ends(t, "     20000  received\n", "     20000  decided\n", "     20000  bans\n")
}

// What a ceiling holds back comes when there is room, also if no line does.
func TestPipeLetsThrough(t *testing.T) {
	s := newStageOn(t, "[ceiling]\nproven = 60\n")
	s.write(t, 0, 61)
	out := bufio.NewScanner(s.out)
	for n := 0; n < 61 && out.Scan(); {
		if strings.Contains(out.Text(), `"action":"ban"`) {
			n++
		}
	}
	s.in.Close()
	s.ends(t, "        61  bans\n")
}

// Answers come one by one: each line is decided before the next is sent.
func TestPipeConfirms(t *testing.T) {
	out := filepath.Join(t.TempDir(), "decisions")
	s := newStage(t, "--confirm", "--output", out)
	answers := bufio.NewReader(s.out)
	for i := range 100 {
		if line, err := answers.ReadString('\n'); err != nil || line != "OK\n" {
			t.Fatalf("answer %q: %v\n%s", line, err, &s.stderr)
		}
		decided, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(decided, []byte("\n")); n != i {
			t.Fatalf("%d decisions after %d lines", n, i)
		}
		s.write(t, i, i+1)
	}
	s.in.Close()
	if rest, err := io.ReadAll(answers); err != nil || string(rest) != "OK\n" {
		t.Errorf("the rest is %q: %v", rest, err)
	}
	s.ends(t)
}
