package store

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// refused asserts that Open fails in this way, and returns the error.
func refused(t *testing.T, opts Options, kind error) *Error {
	t.Helper()
	s, err := Open(opts)
	if err == nil {
		s.Close()
		t.Fatal("Open succeeded")
	}
	var e *Error
	if !errors.Is(err, kind) || !errors.As(err, &e) {
		t.Fatalf("Open = %v, want: %v", err, kind)
	}
	if e.Hint() == "" || !strings.Contains(e.Error(), opts.Dir) {
		t.Errorf("error %q, hint %q: want the directory and a remedy", e, e.Hint())
	}
	return e
}

// files returns the names and contents of all files below dir.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		all[path] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// closedStore makes a store that holds one ban.
func closedStore(t *testing.T) Options {
	t.Helper()
	opts := testOptions(t)
	s := mustOpen(t, opts)
	mustCommit(t, s, ban("192.0.2.1/32", "sshd", now))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return opts
}

func TestNewerVersionIsRefusedUnharmed(t *testing.T) {
	opts := closedStore(t)
	version := filepath.Join(opts.Dir, "version")
	if err := os.WriteFile(version, []byte("2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := files(t, opts.Dir)
	refused(t, opts, ErrNewer)
	if d := diff(before, files(t, opts.Dir)); d != "" {
		t.Errorf("the refused store was changed:\n%s", d)
	}
	if err := os.WriteFile(version, []byte("1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if bans, err := mustOpen(t, opts).Bans(now); len(bans) != 1 || err != nil {
		t.Errorf("Bans = %v, %v, want one", bans, err)
	}
}

func TestSecondOpenerIsRefused(t *testing.T) {
	opts := testOptions(t)
	s := mustOpen(t, opts)
	refused(t, opts, ErrLocked)
	mustCommit(t, s, ban("192.0.2.1/32", "sshd", now))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, opts)
}

func TestDamageIsRefused(t *testing.T) {
	overwrite := func(pattern, content string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			names, err := filepath.Glob(filepath.Join(dir, pattern))
			if err != nil || len(names) == 0 {
				t.Fatalf("%s: %v, %v", pattern, names, err)
			}
			if err := os.WriteFile(names[0], []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, damage := range map[string]func(*testing.T, string){
		"manifest overwritten": overwrite("badger/MANIFEST", "not a manifest, but long enough for one"),
		"manifest empty":       overwrite("badger/MANIFEST", ""),
		"table overwritten":    overwrite("badger/*.sst", strings.Repeat("garbage ", 1000)),
		"table zeroed":         overwrite("badger/*.sst", strings.Repeat("\x00", 8000)),
		"version overwritten":  overwrite("version", "one\n"),
		"version empty":        overwrite("version", ""),
		"version missing": func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, "version")); err != nil {
				t.Fatal(err)
			}
		},
		"table missing": func(t *testing.T, dir string) {
			names, err := filepath.Glob(filepath.Join(dir, "badger", "*.sst"))
			if err != nil || len(names) == 0 {
				t.Fatalf("%v, %v", names, err)
			}
			if err := os.Remove(names[0]); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			opts := closedStore(t)
			damage(t, opts.Dir)
			e := refused(t, opts, ErrCorrupt)
			t.Log(e)

			// What the hint says helps, and the lock is free again.
			if err := os.Rename(opts.Dir, opts.Dir+".broken"); err != nil {
				t.Fatal(err)
			}
			mustOpen(t, opts)
		})
	}
}

// TestEmptyLogs has what a kill leaves while Badger makes a log or removes one.
func TestEmptyLogs(t *testing.T) {
	opts := closedStore(t)
	for _, name := range []string{"00007.mem", "000007.vlog"} {
		if err := os.WriteFile(filepath.Join(opts.Dir, "badger", name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if bans, err := mustOpen(t, opts).Bans(now); len(bans) != 1 || err != nil {
		t.Errorf("Bans = %v, %v, want one", bans, err)
	}
}

func TestUnusableDirectoryIsRefused(t *testing.T) {
	t.Run("a file", func(t *testing.T) {
		opts := testOptions(t)
		if err := os.WriteFile(opts.Dir, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		refused(t, opts, ErrUnwritable)
	})
	t.Run("below a file", func(t *testing.T) {
		opts := testOptions(t)
		if err := os.WriteFile(opts.Dir, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		opts.Dir = filepath.Join(opts.Dir, "state")
		refused(t, opts, ErrUnwritable)
	})
	t.Run("a read-only file system", func(t *testing.T) {
		opts := testOptions(t)
		mountTmpfs(t, filepath.Dir(opts.Dir), syscall.MS_RDONLY, "size=1m")
		refused(t, opts, ErrUnwritable)
		opts.Dir = filepath.Dir(opts.Dir)
		refused(t, opts, ErrUnwritable)
	})
}
