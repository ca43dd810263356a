package syslog

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// place is a socket's file. The zero value is that of a socket without one.
type place struct {
	path string
	file fs.FileInfo // to know a successor's from ours
}

// makeRoom makes room for a socket at path, and its directory if need be.
func makeRoom(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return removeStale(path)
}

// take makes the file of a socket that was bound to path ours.
func take(path string, allowUID []int) (place, error) {
	p := place{path: path}
	if err := os.Chmod(path, socketMode(allowUID)); err != nil {
		return p, err
	}
	var err error
	p.file, err = os.Lstat(path)
	return p, err
}

// stands says that whoever opens the path reaches the socket.
func (p *place) stands() bool {
	if p.file == nil {
		return true
	}
	now, err := os.Lstat(p.path)
	return err == nil && os.SameFile(now, p.file)
}

// leave removes the file, unless it is another's by now.
func (p *place) leave() {
	if p.file != nil && p.stands() {
		os.Remove(p.path)
	}
}

// socketMode keeps out whoever could only fill the queue with messages that do
// not count. The owner of the file and root need no permission for others.
func socketMode(allow []int) fs.FileMode {
	others := slices.ContainsFunc(allow, func(uid int) bool { return uid != 0 && uid != os.Geteuid() })
	if others {
		return 0o666
	}
	return 0o600
}

// removeStale removes the socket that a process left at path when it was
// killed. It removes nothing else.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return errNotSocket
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Net: "unixgram", Name: path})
	if err == nil {
		conn.Close()
		return unix.EADDRINUSE
	}
	if !errors.Is(err, unix.ECONNREFUSED) {
		return unix.EADDRINUSE // a socket of another type listens there
	}
	return os.Remove(path)
}
