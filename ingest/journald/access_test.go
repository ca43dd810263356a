//go:build linux && cgo

package journald_test

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"bailiff/ingest"
	"bailiff/ingest/journald"
	"bailiff/ingest/journald/journaltest"
)

// mustFail runs a source that cannot work and returns what it says.
func mustFail(t *testing.T, opts journald.Options) *journald.Error {
	t.Helper()
	src, err := journald.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	err = src.Run(t.Context(), func(*ingest.Entry) { t.Error("an entry came") })
	last := (*journald.Error)(nil)
	if !errors.As(err, &last) {
		t.Fatalf("Run: %v, want a *journald.Error", err)
	}
	return last
}

// Without a journal, libsystemd would wait for ever.
func TestNoJournal(t *testing.T) {
	for name, child := range map[string]bool{"in process": false, "child": true} {
		t.Run(name, func(t *testing.T) {
			opts := options(child)
			opts.Dir = t.TempDir()
			err := mustFail(t, opts)
			if !strings.Contains(err.Error(), "no journal in "+opts.Dir) || !strings.Contains(err.Hint(), "systemd-journal-remote") {
				t.Errorf("%v, hint: %s", err, err.Hint())
			}
			opts.Dir += "/nowhere"
			mustFail(t, opts)
		})
	}
}

// A user who may not read the journal is told how to.
func TestUnreadable(t *testing.T) {
	journaltest.Start(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		// This thread gives up root's access to files and is thrown away.
		runtime.LockOSThread()
		if err := errors.Join(unix.Setfsgid(65534), unix.Setfsuid(65534)); err != nil {
			t.Error(err)
			return
		}
		err := mustFail(t, options(false))
		if !strings.Contains(err.Error(), "not readable") || !strings.Contains(err.Hint(), "systemd-journal") {
			t.Errorf("%v, hint: %s", err, err.Hint())
		}
	}()
	<-done
}

// What is no reader is tried again and again, not taken for the end.
func TestReaderDies(t *testing.T) {
	opts := options(true)
	opts.Reader = []string{"false"}
	r := read(t, opts, nil)
	for end := time.Now().Add(30 * time.Second); r.count("restarts") < 2; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("counts %v", r.src.Counts())
		}
	}
}

func TestNew(t *testing.T) {
	for name, change := range map[string]func(*journald.Options){
		"no name":         func(o *journald.Options) { o.Name = "" },
		"negative since":  func(o *journald.Options) { o.Since = -time.Second },
		"no such program": func(o *journald.Options) { o.Reader = []string{"no-such-program"} },
	} {
		opts := journald.DefaultOptions()
		change(&opts)
		if _, err := journald.New(opts); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestReaderMainUsage(t *testing.T) {
	for name, args := range map[string][]string{
		"unknown flag": {"-what"},
		"argument":     {"-since=1", "more"},
		"not a number": {"-since=yesterday"},
	} {
		if err := journald.ReaderMain(args, os.Stdin, os.Stdout); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
