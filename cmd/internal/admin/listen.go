package admin

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
)

// socketMode lets root and the group of the socket in, and nobody else.
const socketMode = 0o660

// listen creates the socket at path, and its directory if need be. The socket
// is bound inside a directory that only we can enter and moved to its place
// when its mode is right, so that there is no moment at which a stranger could
// connect, whatever the umask.
func listen(path string) (*listener, error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, noPlace(err)
	}
	if err := clear(path); err != nil {
		return nil, err
	}
	private, err := os.MkdirTemp(dir, ".sock")
	if err != nil {
		return nil, noPlace(err)
	}
	defer os.RemoveAll(private)
	bound := filepath.Join(private, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: bound, Net: "unix"})
	if err != nil {
		if len(bound) >= len(syscall.RawSockaddrUnix{}.Path) {
			return nil, Refuse(http.StatusInternalServerError, "set socket to a shorter path", "%s is too long for a socket", path)
		}
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	err = os.Chmod(bound, socketMode)
	if err == nil {
		err = os.Rename(bound, path)
	}
	if err != nil {
		l.Close()
		return nil, err
	}
	info, err := os.Lstat(path)
	if err != nil {
		l.Close()
		return nil, err
	}
	return &listener{UnixListener: l, path: path, info: info}, nil
}

// noPlace is the error of a directory in which no socket can be made.
func noPlace(err error) error {
	return Refuse(http.StatusInternalServerError, "set socket to a path in a directory that this user may write to", "%v", err)
}

// clear makes room at path: it removes a socket on which nobody answers.
func clear(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return Refuse(http.StatusInternalServerError, "move it away or set socket to another path",
			"%s exists and is not a socket", path)
	}
	c, err := net.Dial("unix", path)
	if err == nil {
		c.Close()
		return Refuse(http.StatusInternalServerError, "stop it first, or give this one its own socket and state_dir",
			"another bailiff answers on %s", path)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("try old socket: %w", err)
	}
	return os.Remove(path)
}

// listener removes its socket on Close, unless another one stands there by now.
type listener struct {
	*net.UnixListener
	path string
	info fs.FileInfo
}

func (l *listener) Close() error {
	if l.stands() {
		if err := os.Remove(l.path); err != nil {
			return errors.Join(err, l.UnixListener.Close())
		}
	}
	return l.UnixListener.Close()
}

// stands says that whoever opens the path reaches the listener.
func (l *listener) stands() bool {
	info, err := os.Lstat(l.path)
	return err == nil && os.SameFile(info, l.info)
}
