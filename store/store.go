// Package store keeps in Badger what must survive a restart: the record of
// decisions, the bans that stand, the windows that are open and how far each
// source was read.
//
// One [Batch] is one [Store.Commit] is one transaction: all of it is there
// after a crash, or none of it. Commit survives the end of the process at any
// instruction; [Store.Sync] makes what was committed survive the end of the
// power. Reads are in history.go and cursor.go, what lies on disk in keys.go and
// codec.go.
//
// # Concurrency
//
// All methods may be called from any goroutine. Commits exclude each other;
// reads see whole commits (only one of more than about 250 KiB is seen growing).
//
// # Failure
//
// [Open] says what is wrong as an [Error] and harms nothing: it never deletes or
// converts records. A full disk kills a process that writes to Badger's
// mapped files (SIGBUS), therefore nothing is written while less than
// Options.MinFree is free, not even by Close. What remains is the disk that
// somebody else fills while Badger compacts what was just committed: the process
// dies, and its next start finds the disk full and all commits there.
// [Resilient] (resilient.go) goes on without a disk and catches up.
package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"

	"github.com/dgraph-io/badger/v4"
	"golang.org/x/sys/unix"

	"bailiff/decide"
	"bailiff/ingest"
)

// Batch is what one commit writes.
type Batch struct {
	// Decisions are recorded in order. A Ban stands until it ends or a Lift
	// of the same jail and prefix is committed. A Ban that was committed and
	// lifted before is not raised again by committing it once more.
	Decisions []decide.Decision
	// Windows replace what is stored for the same jail and prefix; an empty
	// window is deleted.
	Windows []decide.Window
	// Known replace what is stored of the same prefix and account.
	Known []decide.Known
	// Held replace what is stored for the same jail and prefix; those that are over are
	// deleted.
	Held []decide.Held
	// Orders replace what is stored of the same kind, prefix and jail.
	Orders []decide.Order
	// Scores are added to what is stored of the same jail and rule.
	Scores []decide.Score
	// Marks replace the stored position of their source.
	Marks []ingest.Mark
}

// Store is an open store. Close it.
type Store struct {
	db   *badger.DB
	opts Options
	log  *slog.Logger
	lock *dirLock

	mu     sync.Mutex // held by whoever writes or closes
	closed bool

	rotten sync.Once // the first unreadable record was told of
}

// Commit writes b in one transaction, without fsync. On an error nothing of b
// is stored. The error is an *Error of kind ErrNoSpace when too little room is
// left; Badger is not touched then.
func (s *Store) Commit(b Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.writable(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	changes, err := s.changes(b)
	if err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	if err := s.write(changes); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// Sync waits until everything committed so far is on the disk.
func (s *Store) Sync() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	if err := s.db.Sync(); err != nil {
		return fmt.Errorf("sync store: %w", err)
	}
	return nil
}

// Maintain gives the room of expired and replaced records back to the disk. Run
// it once a day; it takes seconds and lets commits through meanwhile. It does
// nothing when there is too little room to compact in.
func (s *Store) Maintain(ctx context.Context) error {
	s.mu.Lock()
	err := s.writable()
	s.mu.Unlock()
	if err != nil {
		return fmt.Errorf("compact store: %w", err)
	}
	// In the worst case every table is written anew before the old ones go.
	var tables uint64
	for _, t := range s.db.Tables() {
		tables += uint64(t.OnDiskSize)
	}
	if err := s.opts.room(tables); err != nil {
		return fmt.Errorf("compact store: %w", err)
	}
	if err := s.db.Flatten(1); err != nil {
		return fmt.Errorf("compact store: %w", err)
	}
	for ctx.Err() == nil {
		err := s.db.RunValueLogGC(0.5)
		if errors.Is(err, badger.ErrNoRewrite) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("compact store: %w", err)
		}
	}
	return ctx.Err()
}

// Close releases the store; a second Close does nothing. When what Badger still
// has to write cannot be written, it leaves the files as a killed
// process would, locked until this process ends: the next one reads them just
// the same.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	err := s.writable()
	s.closed = true
	if err != nil {
		s.log.Warn("store left as it is: it cannot be written to be closed", "dir", s.opts.Dir, "err", err)
		return nil
	}
	return errors.Join(s.db.Close(), s.lock.release())
}

// writable says whether Badger may be written to now. A disk that refuses must
// be known before: Badger tries again for ever to write a table, and lets nobody
// commit meanwhile. The caller holds mu.
func (s *Store) writable() error {
	if s.closed {
		return ErrClosed
	}
	if err := unix.Access(filepath.Join(s.opts.Dir, "badger"), unix.W_OK); err != nil {
		return &Error{Kind: ErrUnwritable, Dir: s.opts.Dir, Err: err}
	}
	return s.opts.room(0)
}

// write puts the changes on disk as one: in one transaction where they fit, by
// way of the redo log where they do not. The caller holds mu.
func (s *Store) write(changes []change) error {
	if len(changes) == 0 {
		return nil
	}
	if s.fits(changes) {
		return s.transact(changes)
	}
	return s.writeLarge(changes)
}

// transact writes the changes in one transaction.
func (s *Store) transact(changes []change) error {
	return s.db.Update(func(txn *badger.Txn) error {
		for _, c := range changes {
			if err := c.in(txn); err != nil {
				return err
			}
		}
		return nil
	})
}

// fits says whether the changes fit into one transaction. It counts every value
// in full and so errs on the safe side.
func (s *Store) fits(changes []change) bool {
	const perEntry = 32 // version, meta, and Badger's own allowance
	size := int64(perEntry)
	for _, c := range changes {
		size += int64(len(c.key)+len(c.value)) + perEntry
	}
	return size < s.db.MaxBatchSize() && int64(len(changes))+2 < s.db.MaxBatchCount()
}
