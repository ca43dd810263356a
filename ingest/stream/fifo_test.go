package stream_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"bailiff/ingest"
	"bailiff/ingest/ingesttest"
	"bailiff/ingest/stream"
)

func newFifo(t *testing.T, path string, group int) *stream.Fifo {
	t.Helper()
	opts := stream.FifoOptions{Options: stream.DefaultOptions(), Path: path, Group: group}
	f, err := stream.NewFifo(opts)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFifoConformance(t *testing.T) {
	ingesttest.Run(t, func(t *testing.T) ingesttest.Transport {
		path := filepath.Join(t.TempDir(), "log.fifo")
		f := newFifo(t, path, -1)
		if err := f.Prepare(); err != nil {
			t.Fatal(err)
		}
		return ingesttest.Transport{
			Source: f,
			Waits:  true,
			Drains: true,
			Line:   func(m string) string { return "<38>Nov 23 01:38:44 vm sshd[1]: " + m },
			Dial: func(t *testing.T) io.WriteCloser {
				t.Helper()
				// A writer may come before the reader has the pipe open.
				w, err := os.OpenFile(path, os.O_RDWR, 0)
				if err != nil {
					t.Fatal(err)
				}
				return writer{w, "\n"}
			},
		}
	})
}

// Who may write to the pipe is checked where it is opened.
func TestFifoChecks(t *testing.T) {
	const group = 4242
	for _, tc := range []struct {
		name  string
		group int
		make  func(t *testing.T, path string)
		hint  string // empty: it is read
		mode  os.FileMode
	}{
		{name: "none yet", group: -1, mode: 0o600},
		{name: "none yet, a group", group: group, mode: 0o620},
		{name: "one of before", group: -1, mode: 0o600, make: func(t *testing.T, path string) { fifo(t, path, 0o600) }},
		{name: "read by others", group: -1, mode: 0o644, make: func(t *testing.T, path string) { fifo(t, path, 0o644) }},
		{name: "written by all", group: -1, hint: "chmod 0600", make: func(t *testing.T, path string) { fifo(t, path, 0o622) }},
		{name: "written by another group", group: group, hint: "chmod 0600", make: func(t *testing.T, path string) { fifo(t, path, 0o620) }},
		{name: "written by a group not named", group: -1, hint: "chmod 0600", make: func(t *testing.T, path string) { fifo(t, path, 0o620) }},
		{name: "another's", group: -1, hint: "remove it: bailiff makes its own", make: func(t *testing.T, path string) {
			fifo(t, path, 0o600)
			if err := os.Chown(path, 4242, -1); err != nil {
				t.Fatal(err)
			}
		}},
		{name: "a file", group: -1, hint: "remove it, or change path", make: func(t *testing.T, path string) {
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}},
		{name: "a directory", group: -1, hint: "remove it, or change path", make: func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}},
		{name: "a link", group: -1, hint: "remove it, or change path", make: func(t *testing.T, path string) {
			fifo(t, path+".far", 0o600)
			if err := os.Symlink(path+".far", path); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if os.Geteuid() != 0 && (tc.name == "another's" || tc.group >= 0) {
				t.Fatal("needs root, to give files away")
			}
			path := filepath.Join(t.TempDir(), "sub", "log.fifo")
			if tc.make != nil {
				if err := os.Mkdir(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				tc.make(t, path)
			}
			err := newFifo(t, path, tc.group).Prepare()
			if tc.hint != "" {
				e, ok := errors.AsType[*stream.FifoError](err)
				if !ok || !strings.Contains(e.Hint(), tc.hint) || !strings.Contains(e.Error(), path) {
					t.Errorf("Prepare: %v, hint %v", err, e)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			info, err := os.Lstat(path)
			if err != nil || info.Mode() != os.ModeNamedPipe|tc.mode {
				t.Errorf("mode %v, want %v: %v", info.Mode(), tc.mode, err)
			}
		})
	}
}

func fifo(t *testing.T, path string, mode uint32) {
	t.Helper()
	if err := errors.Join(unix.Mkfifo(path, mode), os.Chmod(path, os.FileMode(mode))); err != nil {
		t.Fatal(err)
	}
}

// A pipe that is replaced by another is not read for ever, though nobody can write to it.
func TestFifoReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.fifo")
	f := newFifo(t, path, -1)
	read := make(chan string, 1)
	ended := make(chan error, 1)
	go func() { ended <- f.Run(t.Context(), func(e *ingest.Entry) { read <- string(e.Message) }) }()
	write := func(line string) {
		w, err := os.OpenFile(path, os.O_WRONLY, 0)
		for errors.Is(err, os.ErrNotExist) {
			w, err = os.OpenFile(path, os.O_WRONLY, 0)
		}
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		if _, err := w.WriteString(line); err != nil {
			t.Fatal(err)
		}
	}
	// Writers come and go.
	for _, m := range []string{"one", "two"} {
		write(m + "\n")
		if got := <-read; got != m {
			t.Fatalf("read %q, want %q", got, m)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "replaced") {
		t.Errorf("Run returned %v", err)
	}
	ingesttest.CheckCounts(t, f)
}

// A stamp in a line that is longer than what a pipe takes at once stays whole.
func TestFifoLongLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.fifo")
	f := newFifo(t, path, -1)
	if err := f.Prepare(); err != nil {
		t.Fatal(err)
	}
	read := make(chan []byte, 2)
	go func() { _ = f.Run(t.Context(), func(e *ingest.Entry) { read <- bytes.Clone(e.Message) }) }()
	w, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	long := strings.Repeat("x", 6000)
	if _, err := w.WriteString(long + "\n" + strings.Repeat("y", 1<<20) + "\n"); err != nil {
		t.Fatal(err)
	}
	if got := <-read; string(got) != long {
		t.Errorf("%d bytes, want %d", len(got), len(long))
	}
	if got := <-read; len(got) != ingest.MaxMessage {
		t.Errorf("%d bytes, want %d", len(got), ingest.MaxMessage)
	}
}
