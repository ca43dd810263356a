package syslog

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"bailiff/ingest"
)

// unixgramSocket is a datagram socket like /dev/log. The kernel attaches the
// credentials of the sender to each message (SO_PASSCRED, unix(7)).
type unixgramSocket struct {
	l    *Listener
	conn *net.UnixConn
	file fs.FileInfo // of the socket, to remove no successor's
}

func bindUnixgram(l *Listener) (socket, error) {
	path := l.ep.path
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	// Before bind, so that there is no message without credentials.
	lc := net.ListenConfig{Control: control(func(fd int) error {
		return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PASSCRED, 1)
	})}
	conn, err := lc.ListenPacket(context.Background(), "unixgram", path)
	if err != nil {
		return nil, err
	}
	s := &unixgramSocket{l: l, conn: conn.(*net.UnixConn)}
	if err := os.Chmod(path, socketMode(l.opts.AllowUID)); err != nil {
		return nil, errors.Join(err, s.close())
	}
	if s.file, err = os.Lstat(path); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
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

func (s *unixgramSocket) addr() net.Addr { return s.conn.LocalAddr() }

func (s *unixgramSocket) close() error {
	if now, err := os.Lstat(s.l.ep.path); err == nil && os.SameFile(now, s.file) {
		os.Remove(s.l.ep.path)
	}
	return s.conn.Close()
}

func (s *unixgramSocket) serve(ctx context.Context, h ingest.Handler) error {
	defer s.close()
	defer context.AfterFunc(ctx, func() { _ = s.conn.SetReadDeadline(time.Unix(1, 0)) })()

	w := newWorker(s.l, h)
	defer w.close()
	buf := make([]byte, maxDatagram)
	oob := make([]byte, unix.CmsgSpace(unix.SizeofUcred))
	d := drain{conn: s.conn}
	for {
		d.before()
		n, oobn, flags, _, err := s.conn.ReadMsgUnix(buf, oob)
		if err != nil {
			if d.again(err) {
				continue
			}
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return nil
			}
			return fmt.Errorf("receive: %w", err)
		}
		w.page.Add(ingest.Received)
		uid, pid, ok := credentials(oob[:oobn])
		switch {
		case !ok || !slices.Contains(s.l.opts.AllowUID, uid):
			w.page.Add(ingest.RefusedUID)
		case n == 0:
			w.page.Add(ingest.MalformedEmpty)
		default:
			w.of(uid, pid)
			w.deliver(buf[:n], flags&unix.MSG_TRUNC != 0)
		}
	}
}

// credentials returns the user and the process that the kernel says a message
// is from: a control message SCM_CREDENTIALS with a struct ucred (unix(7)).
func credentials(oob []byte) (uid, pid int, ok bool) {
	h, data, _, err := unix.ParseOneSocketControlMessage(oob)
	if err != nil || h.Level != unix.SOL_SOCKET || h.Type != unix.SCM_CREDENTIALS || len(data) < unix.SizeofUcred {
		return -1, -1, false
	}
	pid = int(int32(binary.NativeEndian.Uint32(data)))
	uid = int(binary.NativeEndian.Uint32(data[4:]))
	return uid, pid, true
}
