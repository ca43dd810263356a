//go:build linux && cgo

package journald_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bailiff/ingest"
	"bailiff/ingest/journald"
	"bailiff/ingest/journald/journaltest"
)

// TestMain makes the test binary a reader process as well, the way the real
// program is one.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "journal-reader" {
		if err := journald.ReaderMain(os.Args[2:], os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if code, done := journaltest.InNamespace(0); done {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

func options(child bool) journald.Options {
	o := journald.DefaultOptions()
	if child {
		o.Reader = []string{"/proc/self/exe", "journal-reader"}
	}
	return o
}

// bothWays runs a test with the reader in this process and in a child.
func bothWays(t *testing.T, test func(*testing.T, journald.Options)) {
	for name, child := range map[string]bool{"in process": false, "child": true} {
		t.Run(name, func(t *testing.T) { test(t, options(child)) })
	}
}

// line is what the tests look at of an entry, owned.
type line struct {
	Message, Identifier, Unit string
	UID                       int
	Cursor                    string
	Truncated                 bool
}

// reading is a source at work.
type reading struct {
	t    *testing.T
	src  *journald.Source
	stop func() error

	mu    sync.Mutex
	lines []line
}

// read runs a source until the test ends or stop is called. Only lines of
// identifier "test" are kept: journald has its own to say. each, if not nil,
// is called with every entry before it is kept.
func read(t *testing.T, opts journald.Options, each func(*ingest.Entry)) *reading {
	t.Helper()
	src, err := journald.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	r := &reading{t: t, src: src}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- src.Run(ctx, func(e *ingest.Entry) {
			if each != nil {
				each(e)
			}
			if string(e.Identifier) != "test" {
				return
			}
			if e.Time.After(e.Received) || !e.Vouched || e.Source != "journald" || e.Repeat != 1 || len(e.Host) == 0 {
				t.Errorf("entry %+v", e)
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			r.lines = append(r.lines, line{
				Message: string(e.Message), Identifier: string(e.Identifier), Unit: string(e.Unit),
				UID: e.UID, Cursor: string(e.Cursor), Truncated: e.Truncated,
			})
		})
	}()
	r.stop = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return r
}

// until waits for a message and returns all lines up to now.
func (r *reading) until(last string) []line {
	r.t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		r.mu.Lock()
		lines := slices.Clone(r.lines)
		r.mu.Unlock()
		if slices.ContainsFunc(lines, func(l line) bool { return l.Message == last }) {
			return lines
		}
		if time.Now().After(end) {
			r.t.Fatalf("%q does not come; got %d lines, counts %v", last, len(lines), r.src.Counts())
		}
	}
}

func (r *reading) count(name string) uint64 {
	for _, c := range r.src.Counts() {
		if c.Name == name {
			return c.N
		}
	}
	r.t.Fatalf("no count %q", name)
	return 0
}

func messages(lines []line) []string {
	var out []string
	for _, l := range lines {
		out = append(out, l.Message)
	}
	return out
}

// writer writes to the journal as a daemon does that calls syslog(3): it
// connects again when journald has been restarted.
func writer(t testing.TB) func(message string) {
	t.Helper()
	var conn net.Conn
	dial := func() {
		var err error
		if conn, err = net.Dial("unixgram", "/dev/log"); err != nil {
			t.Fatal(err)
		}
	}
	dial()
	t.Cleanup(func() { conn.Close() })
	return func(message string) {
		_, err := io.WriteString(conn, "<38>test: "+message)
		if err != nil {
			conn.Close()
			dial()
			_, err = io.WriteString(conn, "<38>test: "+message)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// What is vouched for comes from journald, whatever the writer claims.
func TestVouched(t *testing.T) {
	bothWays(t, func(t *testing.T, opts journald.Options) {
		j := journaltest.Start(t)
		opts.Since = time.Hour
		r := read(t, opts, nil)
		for _, w := range []struct {
			unit string
			uid  uint32
		}{{"ssh.service", 0}, {"user.slice/user-65534.slice/session-3.scope", 65534}} {
			// logger lives until its input ends: journald looks it up in time.
			cmd := exec.Command("logger", "-t", "test")
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: w.uid, Gid: w.uid}}
			input, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := j.Unit(w.unit).Start(cmd); err != nil {
				t.Fatal(err)
			}
			text := fmt.Sprintf("uid %d says it is ssh.service", w.uid)
			fmt.Fprintln(input, text)
			r.until(text)
			input.Close()
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
		}
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		for i := range r.lines {
			if r.lines[i].Cursor == "" {
				t.Error("no cursor")
			}
			r.lines[i].Cursor = ""
		}
		want := []line{
			{Message: "uid 0 says it is ssh.service", Identifier: "test", Unit: "ssh.service", UID: 0},
			{Message: "uid 65534 says it is ssh.service", Identifier: "test", Unit: "session-3.scope", UID: 65534},
		}
		if diff := cmp.Diff(want, r.lines); diff != "" {
			t.Error(diff)
		}
	})
}

// A first start reads back as far as it is told and no further.
func TestSince(t *testing.T) {
	bothWays(t, func(t *testing.T, opts journald.Options) {
		j := journaltest.Start(t)
		write := writer(t)
		write("old")
		j.Sync()

		opts.Since = time.Hour
		if got := messages(read(t, opts, nil).until("old")); len(got) != 1 {
			t.Errorf("an hour back: %q", got)
		}

		opts.Since = 0
		r := read(t, opts, nil)
		for i := 0; ; i++ { // until the source is there
			write(fmt.Sprint("new ", i))
			j.Sync()
			if r.count("delivered") > 0 {
				break
			}
		}
		write("last")
		if got := messages(r.until("last")); slices.Contains(got, "old") {
			t.Errorf("from the end: %q", got)
		}
	})
}

// A source that stops goes on behind its last entry, wherever rotation put it.
func TestResume(t *testing.T) {
	bothWays(t, func(t *testing.T, opts journald.Options) {
		j := journaltest.Start(t)
		write := writer(t)
		opts.Since = time.Hour
		var all []string
		for round := range 4 {
			r := read(t, opts, nil)
			for i := range 5 {
				write(fmt.Sprintf("%d.%d", round, i))
			}
			lines := r.until(fmt.Sprintf("%d.4", round))
			if err := r.stop(); err != nil {
				t.Fatal(err)
			}
			all = append(all, messages(lines)...)
			opts.Cursor = []byte(lines[len(lines)-1].Cursor)
			if lost := r.count("lost") + r.count("gaps"); lost > 0 {
				t.Errorf("round %d: %v", round, r.src.Counts())
			}
			switch round {
			case 0:
				j.Rotate()
			case 1:
				j.Restart()
			}
		}
		var want []string
		for round := range 4 {
			for i := range 5 {
				want = append(want, fmt.Sprintf("%d.%d", round, i))
			}
		}
		if diff := cmp.Diff(want, all); diff != "" {
			t.Error(diff)
		}
	})
}

// A cursor that was vacuumed away: go on with the oldest entry behind it, and
// say how much is missing.
func TestCursorVacuumed(t *testing.T) {
	bothWays(t, func(t *testing.T, opts journald.Options) {
		j := journaltest.Start(t)
		write := writer(t)
		opts.Since = time.Hour
		for i := range 10 {
			write(fmt.Sprint("removed ", i))
		}
		first := read(t, opts, nil)
		lines := first.until("removed 9")
		if err := first.stop(); err != nil {
			t.Fatal(err)
		}

		j.Rotate()
		write("kept 0")
		write("kept 1")
		j.Sync()
		j.Vacuum(0)

		var log strings.Builder
		opts.Logger = slog.New(slog.NewTextHandler(&log, nil))
		opts.Cursor = []byte(lines[3].Cursor)
		r := read(t, opts, nil)
		if diff := cmp.Diff([]string{"kept 0", "kept 1"}, messages(r.until("kept 1"))); diff != "" {
			t.Error(diff)
		}
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		// Six lines of ours; journald may have added some of its own.
		if lost, gaps := r.count("lost"), r.count("gaps"); lost < 6 || lost > 8 || gaps != 1 {
			t.Errorf("lost %d in %d gaps, want 6 in 1", lost, gaps)
		}
		if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "length=") {
			t.Errorf("log: %s", got)
		}
	})
}

// If all that is missing is the saved entry itself, nothing is.
func TestCursorVacuumedWithoutGap(t *testing.T) {
	j := journaltest.Start(t)
	opts := options(false)
	opts.Since = time.Hour
	writer(t)("last")
	j.Sync()
	j.Rotate()
	first := read(t, opts, nil)
	writer(t)("on the other side")
	lines := first.until("on the other side")
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	opts.Cursor = []byte(lines[0].Cursor)
	j.Vacuum(0)
	r := read(t, opts, nil)
	r.until("on the other side")
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if r.count("gaps") != 0 {
		t.Errorf("counts %v", r.src.Counts())
	}
}

// A cursor that is not one is a first start.
func TestCursorInvalid(t *testing.T) {
	j := journaltest.Start(t)
	writer(t)("here")
	j.Sync()
	opts := options(true)
	opts.Since, opts.Cursor = time.Hour, []byte("not a cursor")
	read(t, opts, nil).until("here")
}

// The reader is killed as a truncated journal file would kill it, again and
// again: every line arrives, once.
func TestChildKilled(t *testing.T) {
	journaltest.Start(t)
	write := writer(t)
	opts := options(true)
	opts.Since = time.Hour
	var log strings.Builder
	opts.Logger = slog.New(slog.NewTextHandler(&log, nil))

	const lines, kills = 20_000, 4
	killed := 0
	r := read(t, opts, func(e *ingest.Entry) {
		var n int
		if _, err := fmt.Sscanf(string(e.Message), "line %d", &n); err == nil && n > 0 && n%(lines/(kills+1)) == 0 && killed < kills {
			killed++
			for _, pid := range children(t) {
				_ = syscall.Kill(pid, syscall.SIGBUS)
			}
		}
	})
	var want []string
	for i := range lines {
		want = append(want, fmt.Sprint("line ", i))
		write(want[i])
	}
	if diff := cmp.Diff(want, messages(r.until(want[lines-1]))); diff != "" {
		t.Error(diff)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if n := r.count("restarts"); n != kills {
		t.Errorf("%d restarts, want %d", n, kills)
	}
	if got := log.String(); strings.Count(got, "starting it again") != kills || !strings.Contains(got, "SIGBUS") {
		t.Errorf("log: %s", got)
	}
	if left := children(t); len(left) > 0 {
		t.Errorf("reader processes left: %v", left)
	}
}

// children are the reader processes of this one.
func children(t testing.TB) []int {
	t.Helper()
	out, err := exec.Command("pgrep", "-f", "journal-reader").Output()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	var pids []int
	for _, field := range strings.Fields(string(out)) {
		var pid int
		fmt.Sscan(field, &pid)
		pids = append(pids, pid)
	}
	return pids
}

// A line that journald split is handed out once, cut; its rest, which begins
// wherever the writer liked, is not.
func TestSplitLine(t *testing.T) {
	bothWays(t, func(t *testing.T, opts journald.Options) {
		journaltest.Start(t)
		opts.Since = time.Hour
		r := read(t, opts, nil)
		conn, err := net.Dial("unix", "/run/systemd/journal/stdout")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		// The header of sd_journal_stream_fd: identifier, unit, priority and
		// four switches.
		long := strings.Repeat("x", 48<<10) + "Failed password for root from 192.0.2.1 port 22"
		fmt.Fprintf(conn, "test\n\n6\n0\n0\n0\n0\nbefore\n%s\nafter\n", long)
		var got []string
		for _, l := range r.until("after") {
			if l.Truncated != (len(l.Message) == ingest.MaxMessage) {
				t.Errorf("message of %d bytes, truncated %v", len(l.Message), l.Truncated)
			}
			got = append(got, l.Message)
		}
		if diff := cmp.Diff([]string{"before", long[:ingest.MaxMessage], "after"}, got); diff != "" {
			t.Error(diff)
		}
		if n := r.count("dropped"); n != 1 {
			t.Errorf("dropped %d, want 1", n)
		}
	})
}
