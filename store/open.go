package store

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/dgraph-io/badger/v4"
	"golang.org/x/sys/unix"
)

// Version is the version of what lies on disk. It stands in the file "version"
// beside Badger's directory, so that a store of another version is left
// untouched.
const Version = 1

// Open opens the store, making it if there is none. The error is an *Error where
// the operator can do something about it.
func Open(opts Options) (*Store, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	log := opts.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(opts.Dir, 0o700); err != nil {
		return nil, &Error{Kind: ErrUnwritable, Dir: opts.Dir, Err: err}
	}
	lock, err := lockDir(opts.Dir)
	if err != nil {
		return nil, err
	}
	s := &Store{opts: opts, log: log, lock: lock}
	if err := s.open(); err != nil {
		return nil, errors.Join(err, lock.release())
	}
	return s, nil
}

// open opens Badger in a directory that is locked.
func (s *Store) open() error {
	if err := s.opts.room(0); err != nil {
		return err
	}
	if err := checkVersion(s.opts.Dir); err != nil {
		return err
	}
	opts := s.opts.badger()
	if err := removeEmpty(opts.Dir); err != nil {
		return &Error{Kind: ErrUnwritable, Dir: s.opts.Dir, Err: err}
	}
	if err := checkTables(opts); err != nil {
		return &Error{Kind: ErrCorrupt, Dir: s.opts.Dir, Err: err}
	}
	db, err := openBadger(opts)
	if err != nil {
		return &Error{Kind: ErrCorrupt, Dir: s.opts.Dir, Err: err}
	}
	s.db = db
	if err := s.redo(); err != nil {
		return &Error{Kind: ErrCorrupt, Dir: s.opts.Dir, Err: errors.Join(err, db.Close())}
	}
	return nil
}

// openBadger opens Badger, which panics on some kinds of damage.
func openBadger(opts badger.Options) (db *badger.DB, err error) {
	defer func() {
		if p := recover(); p != nil {
			db, err = nil, fmt.Errorf("panic: %v", p)
		}
	}()
	return badger.Open(opts)
}

// checkVersion reads the version file, and writes it in a new store.
func checkVersion(dir string) error {
	name := filepath.Join(dir, "version")
	text, err := os.ReadFile(name)
	switch {
	case errors.Is(err, os.ErrNotExist):
		if _, err := os.Stat(filepath.Join(dir, "badger", badger.ManifestFilename)); err == nil {
			return &Error{Kind: ErrCorrupt, Dir: dir, Err: errors.New("the file version is missing")}
		}
		if err := writeVersion(name); err != nil {
			return &Error{Kind: ErrUnwritable, Dir: dir, Err: err}
		}
		return nil
	case err != nil:
		return &Error{Kind: ErrUnwritable, Dir: dir, Err: err}
	}
	v, err := strconv.Atoi(strings.TrimSpace(string(text)))
	switch {
	case err != nil || v < 1:
		return &Error{Kind: ErrCorrupt, Dir: dir, Err: errors.New("the file version holds no version")}
	case v > Version:
		return &Error{Kind: ErrNewer, Dir: dir, Err: fmt.Errorf("version %d, this program knows %d", v, Version)}
	}
	return nil
}

// writeVersion makes the version file, which is there whole or not at all even
// if the power goes.
func writeVersion(name string) error {
	f, err := os.OpenFile(name+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, Version)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

// dirLock is a lock on a directory that ends with the process.
type dirLock struct{ dir *os.File }

// lockDir locks dir and makes sure that it can be written to.
func lockDir(dir string) (*dirLock, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, &Error{Kind: ErrUnwritable, Dir: dir, Err: err}
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		kind := ErrUnwritable
		if errors.Is(err, unix.EWOULDBLOCK) {
			kind = ErrLocked
		}
		return nil, errors.Join(&Error{Kind: kind, Dir: dir, Err: err}, f.Close())
	}
	if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
		return nil, errors.Join(&Error{Kind: ErrUnwritable, Dir: dir, Err: err}, f.Close())
	}
	return &dirLock{f}, nil
}

func (l *dirLock) release() error { return l.dir.Close() }
