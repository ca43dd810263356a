package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// oneError asserts that Load says one thing, with a remedy.
func oneError(t *testing.T, path, want, hint string) {
	t.Helper()
	_, err := Load(path)
	var errs Errors
	if !errors.As(err, &errs) || len(errs) != 1 {
		t.Fatalf("Load = %v, want one error", err)
	}
	var e *Error
	if !errors.As(err, &e) || e.Error() != path+want || !strings.Contains(e.Hint(), hint) {
		t.Errorf("error %q, hint %q, want %q, %q", errs, errs.Hint(), path+want, hint)
	}
}

func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bailiff.toml")
	oneError(t, path, ": no such file or directory", "--config")

	if err := os.WriteFile(path, []byte("socket = \"/run/x\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(path)
	if err != nil || c.Socket != "/run/x" || c.File != path {
		t.Fatalf("Load = %+v, %v", c, err)
	}

	for _, mode := range []fs.FileMode{0o620, 0o602} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		oneError(t, path, fmt.Sprintf(": mode %04o lets others than the owner write to it", mode), "chmod go-w "+path)
	}
	oneError(t, filepath.Dir(path), ": not a regular file", "--config")
	pipe := path + ".pipe" // nobody will ever write into it
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	oneError(t, pipe, ": not a regular file", "--config")
}

func TestTooLarge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bailiff.toml")
	if err := os.WriteFile(path, []byte("#"+strings.Repeat("x", maxFile)), 0o600); err != nil {
		t.Fatal(err)
	}
	oneError(t, path, ": larger than 1024 KiB", "")
}

// owned is a file of mode 0600 that a user owns.
type owned uint32

func (o owned) Name() string       { return "f" }
func (o owned) Size() int64        { return 0 }
func (o owned) Mode() fs.FileMode  { return 0o600 }
func (o owned) ModTime() time.Time { return time.Time{} }
func (o owned) IsDir() bool        { return false }
func (o owned) Sys() any           { return &syscall.Stat_t{Uid: uint32(o)} }

func TestTrustedOwner(t *testing.T) {
	for _, tc := range []struct {
		owner, euid int
		ok          bool
	}{
		{0, 0, true},
		{0, 1000, true},
		{1000, 1000, true},
		{1000, 0, false},
		{1000, 1001, false},
	} {
		err := trusted("f", owned(tc.owner), tc.euid)
		if (err == nil) != tc.ok {
			t.Errorf("a file of %d for %d: %v", tc.owner, tc.euid, err)
		}
		var e *Error
		if err != nil && (!errors.As(err, &e) || e.Hint() != "chown root f") {
			t.Errorf("hint %q", e.Hint())
		}
	}
}

func TestDefaultPathMayBeMissing(t *testing.T) {
	if _, err := os.Stat(DefaultPath); err == nil {
		t.Skip(DefaultPath + " exists on this machine")
	}
	c, err := Load("")
	if err != nil || c.File != "" || len(c.Jails) != 4 {
		t.Errorf("Load = %+v, %v, want the built-in configuration", c, err)
	}
}

// FuzzParse holds that a document is either read or refused.
func FuzzParse(f *testing.F) {
	names, err := filepath.Glob("testdata/*/*.toml")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if c, err := Parse("f", text); (c == nil) == (err == nil) {
			t.Fatalf("Parse = %v, %v", c, err)
		}
	})
}

// TestSocketOfAWrongFile: who lifts a ban need not mend the configuration first.
func TestSocketOfAWrongFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bailiff.toml")
	for _, c := range []struct{ text, socket, err string }{
		{"socket = \"/run/x\"\n", "/run/x", ""},
		{"socket = \"/run/x\"\nmax_retri = 3\n[jail.x]\npacks = 7\n[escalation]\nfactor = -1\n", "/run/x", ""},
		{"max_retri = 3\n", DefaultSocket, ""},
		{"socket = \"x\"\nmax_retri = 3\n", "", path + ":1: socket: \"x\" is not an absolute path"},
		{"socket = 7\n", "", path + ":1: socket: want a string, not a whole number"},
		{"socket = \"/run/x\"\n[jail\n", "", path + ":3: expected"},
	} {
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		socket, err := Socket(path)
		if socket != c.socket || (err == nil) != (c.err == "") || err != nil && !strings.HasPrefix(err.Error(), c.err) {
			t.Errorf("%q: socket %q, error %v", c.text, socket, err)
		}
	}
	if _, err := Socket(filepath.Join(path, "no")); err == nil {
		t.Error("a file that is not there has a socket")
	}
}
