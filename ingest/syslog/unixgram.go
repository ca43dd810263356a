package syslog

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
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
	place
}

func bindUnixgram(l *Listener) (socket, error) {
	path := l.ep.path
	if err := makeRoom(path); err != nil {
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
	if s.place, err = take(path, l.opts.AllowUID); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *unixgramSocket) addr() net.Addr { return s.conn.LocalAddr() }

func (s *unixgramSocket) close() error {
	s.leave()
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
