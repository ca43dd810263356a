package nft

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// The reasons an [Error] can wrap.
var (
	// ErrPermission says that the process may not change nf_tables.
	ErrPermission = errors.New("not permitted")
	// ErrUnsupported says that the kernel has no nf_tables, or not enough of it.
	ErrUnsupported = errors.New("nf_tables is missing in the kernel")
	// ErrGone says that somebody removed our table or a part of it. Sync
	// brings it back.
	ErrGone = errors.New("our table was removed")
	// ErrNoSet says that there is no such set to read.
	ErrNoSet = errors.New("no such set")
)

// Error is an error that an operator can do something about.
type Error struct {
	// Op is what was tried.
	Op string
	// Err wraps one of the reasons above.
	Err error

	hint string
}

// Error implements error.
func (e *Error) Error() string { return e.Op + ": " + e.Err.Error() }

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Err }

// Hint is one line that says what to do.
func (e *Error) Hint() string { return e.hint }

// describe adds what was tried to an error of the kernel, and a remedy where
// there is one.
func describe(op string, err error) error {
	if err == nil {
		return nil
	}
	if known := (*Error)(nil); errors.As(err, &known) {
		return err
	}
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return &Error{
			op, fmt.Errorf("%w: %w", ErrPermission, err),
			"run as root or with CAP_NET_ADMIN",
		}
	case errors.Is(err, unix.EPROTONOSUPPORT), errors.Is(err, unix.EAFNOSUPPORT), errors.Is(err, unix.EOPNOTSUPP):
		return &Error{
			op, fmt.Errorf("%w: %w", ErrUnsupported, err),
			"modprobe nf_tables; the kernel needs CONFIG_NF_TABLES and CONFIG_NF_TABLES_INET",
		}
	case errors.Is(err, unix.ENOENT):
		return &Error{
			op, fmt.Errorf("%w: %w", ErrGone, err),
			"nothing to do: the next sync restores it",
		}
	}
	return fmt.Errorf("%s: %w", op, err)
}
