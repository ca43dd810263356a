package store

import (
	"errors"
	"fmt"
)

// The kinds of [Error]; errors.Is finds them.
var (
	// ErrLocked: another process has the store open.
	ErrLocked = errors.New("in use by another process")
	// ErrNewer: a newer bailiff wrote the store.
	ErrNewer = errors.New("written by a newer bailiff")
	// ErrCorrupt: the store cannot be read.
	ErrCorrupt = errors.New("damaged")
	// ErrUnwritable: the directory cannot be made, read or written.
	ErrUnwritable = errors.New("not usable")
	// ErrNoSpace: less than Options.MinFree is free.
	ErrNoSpace = errors.New("too little room")
)

// ErrClosed is returned after Close.
var ErrClosed = errors.New("store is closed")

// Error is trouble with the store that the operator can end.
type Error struct {
	Kind error // ErrLocked, ErrNewer, ErrCorrupt, ErrUnwritable or ErrNoSpace
	Dir  string
	Err  error // what Badger or the system said
}

// Error names the store and what is wrong with it.
func (e *Error) Error() string { return fmt.Sprintf("store %s: %v: %v", e.Dir, e.Kind, e.Err) }

// Unwrap makes errors.Is find the kind and the cause.
func (e *Error) Unwrap() []error { return []error{e.Kind, e.Err} }

// Hint says in one line what to do.
func (e *Error) Hint() string {
	switch {
	case errors.Is(e.Kind, ErrLocked):
		return "another bailiff runs on this state_dir; `bailiff status` shows it"
	case errors.Is(e.Kind, ErrNewer):
		return "install that version again, or choose another state_dir; nothing was changed"
	case errors.Is(e.Kind, ErrCorrupt):
		return fmt.Sprintf("move it away (mv %[1]s %[1]s.broken) and start again without history; nothing was deleted", e.Dir)
	case errors.Is(e.Kind, ErrUnwritable):
		return "state_dir must be a directory that this user may write to, on a file system that is not read-only"
	case errors.Is(e.Kind, ErrNoSpace):
		return "free some room; bailiff goes on without history and catches up by itself"
	}
	return ""
}
