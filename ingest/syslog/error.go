package syslog

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Error is a listener that could not be opened.
type Error struct {
	// Listen is Options.Listen.
	Listen string
	// Err is what went wrong.
	Err error
	// Remedy is one line on what to do about it; empty where nothing is known.
	Remedy string
}

// Error returns the problem.
func (e *Error) Error() string { return fmt.Sprintf("listen on %s: %v", e.Listen, e.Err) }

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// Hint returns the remedy, for the line below the error.
func (e *Error) Hint() string { return e.Remedy }

// errNotSocket says that something else than a socket has the path.
var errNotSocket = errors.New("a file that is not a socket is in the way")

// interfaceError says that a socket could not be held to an interface.
type interfaceError struct {
	name string
	err  error
}

func (e *interfaceError) Error() string { return "interface " + e.name + ": " + e.err.Error() }
func (e *interfaceError) Unwrap() error { return e.err }

// explain adds what an operator can do about err.
func explain(listen string, err error) error {
	e := &Error{Listen: listen, Err: err}
	var bad *CertError
	switch {
	case errors.As(err, &bad):
		e.Remedy = bad.Remedy
	case errors.Is(err, unix.ENODEV):
		e.Err = errors.New("this machine has no such interface")
		e.Remedy = "name an interface that ip link shows"
	case errors.Is(err, unix.EADDRINUSE):
		e.Err = errors.New("already in use")
		e.Remedy = "another program listens there, perhaps another bailiff or rsyslog (see ss -lnp): stop it, or change listen"
	case errors.Is(err, unix.EADDRNOTAVAIL):
		e.Err = errors.New("this machine has no such address")
		e.Remedy = "listen on an address that ip addr shows"
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		e.Remedy = "run as root, or choose a port above 1023 or a directory that you may write to"
	case errors.Is(err, errNotSocket):
		e.Remedy = "remove the file, or change listen"
	}
	return e
}
