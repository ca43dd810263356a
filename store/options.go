package store

import (
	"errors"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
)

// Options say where the store is and how long it remembers.
type Options struct {
	// Dir is the directory of the store, made with mode 0700 if missing.
	Dir string
	// MinFree is how many bytes must be free on the file system of Dir for
	// anything to be written.
	MinFree uint64
	// Retain is how long a decision is remembered after its ban has ended;
	// zero means for ever. It must not be shorter than the time in which an
	// earlier ban makes the next one longer.
	Retain time.Duration
	// RetainWindow is how long an open window is kept after it was last
	// written; zero means for ever. It must not be shorter than the longest
	// find time.
	RetainWindow time.Duration
	// RetainKnown is how long an account that was opened from an address is
	// remembered; zero means for ever.
	RetainKnown time.Duration
	// Logger receives what the operator must know; nil means nobody.
	Logger *slog.Logger

	// free replaces the question to the file system in tests.
	free func(dir string) (bytes, inodes uint64, err error)
}

// DefaultOptions returns the options of a store in /var/lib/bailiff that
// remembers 91 days, one more than the default forget_after.
func DefaultOptions() Options {
	return Options{
		Dir:          "/var/lib/bailiff",
		MinFree:      16 << 20,
		Retain:       91 * 24 * time.Hour,
		RetainWindow: 24 * time.Hour,
		RetainKnown:  31 * 24 * time.Hour,
	}
}

// Validate says what is wrong with the options.
func (o *Options) Validate() error {
	switch {
	case o.Dir == "":
		return errors.New("store: Dir is empty")
	case o.MinFree < 4<<20:
		// Badger writes a memtable of 2 MiB and a table of the same
		// size at a moment of its own choosing.
		return errors.New("store: MinFree is less than 4 MiB")
	case o.Retain < 0 || o.RetainWindow < 0 || o.RetainKnown < 0:
		return errors.New("store: a retention is negative")
	}
	return nil
}

// largeValue is the size from which Badger keeps a value in its value log, which
// only collection by Maintain shrinks. What is smaller, and that is everything
// but the window of a jail with a max_retry of thousands, lives in the tree,
// where a value that is overwritten goes by itself.
const largeValue = 256 << 10

// badger returns Badger's options: small in memory, because bailiff stores
// little and shares small machines with what it protects.
func (o *Options) badger() badger.Options {
	return badger.DefaultOptions(filepath.Join(o.Dir, "badger")).
		WithMemTableSize(2 << 20).
		WithNumMemtables(1).
		WithValueLogFileSize(4 << 20).
		WithValueThreshold(largeValue).
		WithCompression(options.None).
		WithBlockCacheSize(0).
		WithIndexCacheSize(1 << 20).
		WithNumLevelZeroTables(2).
		WithNumLevelZeroTablesStall(4).
		WithNumCompactors(2).
		WithBaseTableSize(1 << 20).
		WithDetectConflicts(false). // Commit is the only writer
		WithMetricsEnabled(false).
		WithLogger(nil)
}
