package file

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bailiff/ingest"
	"bailiff/ingest/stream"
)

// rig is a source that is moved step by step, a directory of logs, and a clock.
type rig struct {
	*testing.T
	dir  string
	opts Options
	src  *Source
	now  time.Time
	log  strings.Builder

	seen    []string // since take
	cursors [][]byte // of all entries
	times   []time.Time
	last    ingest.Entry
}

// newRig makes a directory; the globs are relative to it.
func newRig(t *testing.T, globs ...string) *rig {
	r := &rig{T: t, dir: t.TempDir(), now: time.Now()}
	r.opts = DefaultOptions()
	r.opts.Now = func() time.Time { return r.now }
	r.opts.Format = stream.Message
	r.opts.Logger = slog.New(slog.NewTextHandler(&r.log, nil))
	for _, g := range globs {
		r.opts.Paths = append(r.opts.Paths, filepath.Join(r.dir, g))
	}
	return r
}

// start makes a source that resumes at cursor, and begins.
func (r *rig) start(cursor []byte) *rig {
	r.Helper()
	r.opts.Cursor = cursor
	src, err := New(r.opts)
	if err != nil {
		r.Fatal(err)
	}
	r.src = src
	src.begin(func(e *ingest.Entry) {
		r.seen = append(r.seen, string(e.Message))
		r.cursors = append(r.cursors, bytes.Clone(e.Cursor))
		r.times = append(r.times, e.Time)
		r.last = *e
	})
	return r
}

// restart ends the source without a word, as kill -9 does, and starts another at
// the cursor of the last entry.
func (r *rig) restart() *rig {
	r.Helper()
	r.src.end()
	var cursor []byte
	if n := len(r.cursors); n > 0 {
		cursor = r.cursors[n-1]
	}
	return r.start(cursor)
}

// read reads all that there is, without asking the globs.
func (r *rig) read() {
	for r.src.read(r.Context()) {
	}
}

// step asks the globs and reads what there is.
func (r *rig) step() {
	r.now = r.now.Add(time.Second)
	r.src.scan(false)
	r.read()
}

// want steps and holds that these lines came since the last time.
func (r *rig) want(lines ...string) {
	r.Helper()
	r.step()
	if d := cmp.Diff(strings.Join(lines, "\n"), strings.Join(r.seen, "\n")); d != "" {
		r.Fatalf("lines (-want +got):\n%s\nlog: %s", d, &r.log)
	}
	r.seen = nil
}

func (r *rig) path(name string) string { return filepath.Join(r.dir, name) }

// write appends to a file, which is made if it is not there.
func (r *rig) write(name, text string) {
	r.Helper()
	f := r.open(name)
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		r.Fatal(err)
	}
}

func (r *rig) open(name string) *os.File {
	r.Helper()
	f, err := os.OpenFile(r.path(name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { f.Close() })
	return f
}

func (r *rig) do(errs ...error) {
	r.Helper()
	for _, err := range errs {
		if err != nil {
			r.Fatal(err)
		}
	}
}

func (r *rig) rename(from, to string) {
	r.Helper()
	r.do(os.Rename(r.path(from), r.path(to)))
}

func (r *rig) copy(from, to string) {
	r.Helper()
	text, err := os.ReadFile(r.path(from))
	r.do(err, os.WriteFile(r.path(to), text, 0o644))
}

func (r *rig) truncate(name string) {
	r.Helper()
	r.do(os.Truncate(r.path(name), 0))
}

func (r *rig) count(name, reason string) uint64 {
	for _, c := range r.src.Counts() {
		if c.Name == name && c.Reason == reason {
			return c.N
		}
	}
	return 0
}

// numbered makes lines that are told apart, first to last.
func numbered(first, last int) (text string, lines []string) {
	var b strings.Builder
	for i := first; i <= last; i++ {
		lines = append(lines, fmt.Sprintf("line %d", i))
		fmt.Fprintf(&b, "line %d\n", i)
	}
	return b.String(), lines
}
