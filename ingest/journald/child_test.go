//go:build linux && cgo

package journald_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bailiff/ingest"
	"bailiff/ingest/ingesttest"
	"bailiff/ingest/journald/journaltest"
)

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
	ingesttest.CheckCounts(t, r.src)
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
	for field := range strings.FieldsSeq(string(out)) {
		var pid int
		fmt.Sscan(field, &pid)
		pids = append(pids, pid)
	}
	return pids
}

// The reader ends when its parent is gone: then its input ends.
func TestReaderEndsWithParent(t *testing.T) {
	journaltest.Start(t)
	opts := options(true)
	cmd := exec.CommandContext(t.Context(), opts.Reader[0], opts.Reader[1:]...)
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := output.Read(make([]byte, 1)); err != nil { // it is at work
		t.Fatal(err)
	}
	input.Close()
	if _, err := io.Copy(io.Discard, output); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("reader: %v", err)
	}
}
