//go:build linux && cgo

package journald_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

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
			if e.Time.After(e.Received) || !e.Vouched || e.Source != opts.Name || e.Repeat != 1 || len(e.Host) == 0 {
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
