package syslog

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"bailiff/ingest"
)

// streamSocket takes connections: TCP, TLS and unix streams.
type streamSocket struct {
	l  *Listener
	ln acceptor
	place
}

// acceptor is a *net.TCPListener or a *net.UnixListener.
type acceptor interface {
	net.Listener
	SetDeadline(time.Time) error
}

// alive tells connections that have lost their other end from silent ones.
var alive = net.KeepAliveConfig{Enable: true, Idle: time.Minute, Interval: 15 * time.Second, Count: 4}

func bindStream(l *Listener) (socket, error) {
	lc := net.ListenConfig{Control: control(l.bindToDevice), KeepAliveConfig: alive}
	ln, err := lc.Listen(context.Background(), l.ep.family(), l.ep.addr.String())
	if err != nil {
		return nil, err
	}
	return &streamSocket{l: l, ln: ln.(*net.TCPListener)}, nil
}

func bindTLS(l *Listener) (socket, error) {
	if err := l.certs.load(); err != nil {
		return nil, err
	}
	return bindStream(l)
}

func bindUnix(l *Listener) (socket, error) {
	path := l.ep.path
	if err := makeRoom(path); err != nil {
		return nil, err
	}
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: path})
	if err != nil {
		return nil, err
	}
	ln.SetUnlinkOnClose(false) // the path may be another's by then
	s := &streamSocket{l: l, ln: ln}
	if s.place, err = take(path, l.opts.AllowUID); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *streamSocket) addr() net.Addr { return s.ln.Addr() }

func (s *streamSocket) close() error {
	s.leave()
	return s.ln.Close()
}

// retryAccept is how long accepting pauses when there are no file descriptors.
const retryAccept = 100 * time.Millisecond

func (s *streamSocket) serve(ctx context.Context, h ingest.Handler) error {
	var open sync.WaitGroup
	defer open.Wait()
	defer s.close()
	// If accepting fails for good, the connections must end as well.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = s.ln.SetDeadline(past) })()

	table := newConns(&s.l.opts)
	d := drain{conn: listenerDeadline{s.ln}}
	for {
		d.before()
		nc, err := s.ln.Accept()
		switch {
		case err == nil:
		case d.again(err):
			continue
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil
		case errors.Is(err, unix.ECONNABORTED):
			continue
		case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE), errors.Is(err, unix.ENOBUFS), errors.Is(err, unix.ENOMEM):
			select {
			case <-ctx.Done():
			case <-time.After(retryAccept):
			}
			continue
		default:
			return fmt.Errorf("accept: %w", err)
		}

		c, ok := s.l.greet(nc)
		if !ok {
			nc.Close()
			continue
		}
		closed, ok := table.add(ctx, c)
		s.l.n.connsClosed.Add(closed)
		if !ok {
			s.l.n.connsLimit.Add(1)
			nc.Close()
			continue
		}
		open.Go(func() {
			defer table.remove(c)
			s.l.serveConn(c, h)
		})
	}
}

// past is a deadline that wakes whoever waits.
var past = time.Unix(1, 0)

// listenerDeadline lets a drain wait for connections as for data.
type listenerDeadline struct{ acceptor }

func (l listenerDeadline) SetReadDeadline(t time.Time) error { return l.SetDeadline(t) }

// greet says who is at the other end of a connection, and whether it may be.
func (l *Listener) greet(nc net.Conn) (*conn, bool) {
	c := &conn{Conn: nc, uid: -1, pid: -1, now: l.opts.Now}
	if uc, ok := nc.(*net.UnixConn); ok {
		var err error
		if c.uid, c.pid, err = peerCredentials(uc); err != nil || !slices.Contains(l.opts.AllowUID, c.uid) {
			l.n.connsUID.Add(1)
			return nil, false
		}
		c.sender = "uid " + strconv.Itoa(c.uid)
		return c, true
	}
	peer := nc.RemoteAddr().(*net.TCPAddr).AddrPort()
	c.peer = netip.AddrPortFrom(peer.Addr().Unmap().WithZone(""), peer.Port())
	if l.ep.remote() && !l.opts.allowed(c.peer.Addr()) {
		l.n.connsAddr.Add(1)
		return nil, false
	}
	c.sender = l.opts.sender(c.peer.Addr())
	return c, true
}

// peerCredentials returns who opened the connection (SO_PEERCRED, unix(7)).
func peerCredentials(uc *net.UnixConn) (uid, pid int, err error) {
	raw, err := uc.SyscallConn()
	if err != nil {
		return -1, -1, err
	}
	var cred *unix.Ucred
	if cerr := raw.Control(func(fd uintptr) {
		cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); cerr != nil || err != nil {
		return -1, -1, errors.Join(cerr, err)
	}
	return int(cred.Uid), int(cred.Pid), nil
}

// serveConn hands out the lines of one connection until its end or until it is
// told to end. A peer that is slow or silent holds up nobody but itself.
func (l *Listener) serveConn(c *conn, h ingest.Handler) {
	defer c.Close()
	w := newWorker(l, h)
	defer w.close()
	var stream net.Conn = c.Conn
	switch l.ep.network {
	case "tls":
		tc, names, err := l.shake(c)
		if err != nil {
			if c.ctx.Err() == nil {
				l.n.connsTLS.Add(1)
				l.refusal(c, err)
			}
			return
		}
		stream = tc
		w.certified(c.peer, names)
	case "unix":
		w.of(c.uid, c.pid)
	default:
		w.from(c.peer)
	}
	// What is read is worth waiting for at the end, what TLS answers is not.
	defer context.AfterFunc(c.ctx, func() { _ = c.SetWriteDeadline(past); _ = stream.SetReadDeadline(past) })()

	in := newFrames(&drainingReader{conn: stream, drain: drain{conn: stream}})
	for {
		frame, fate := in.next()
		switch fate {
		case ended:
			if in.lost {
				l.n.connsLost.Add(1)
			}
			return
		case broken:
			w.page.Add(ingest.Received)
			w.page.Add(ingest.MalformedFraming)
		default:
			w.page.Add(ingest.Received)
			w.deliver(frame, fate == cut)
			c.last.Store(w.entry.Received.UnixNano())
		}
	}
}

// refusalEvery is how often the log tells at most why a client was refused: who
// sets up TLS needs to know it once, and anybody can have it said.
const refusalEvery = time.Minute

func (l *Listener) refusal(c *conn, err error) {
	now := l.opts.Now().UnixNano()
	last := l.refused.Load()
	if (last == 0 || now-last >= int64(refusalEvery)) && l.refused.CompareAndSwap(last, now) {
		l.log.Warn("no TLS with a sender; others may follow unsaid", "peer", c.peer.String(), "err", err)
	}
}

// handshakeTime is how long a client may take to say who it is.
const handshakeTime = 10 * time.Second

// shake makes TLS of a connection, and returns the names in the client's
// certificate. When the connection is told to end, a handshake under way has as
// long as draining takes: lines may be behind it.
func (l *Listener) shake(c *conn) (*tls.Conn, []string, error) {
	_ = c.SetDeadline(time.Now().Add(handshakeTime))
	stop := context.AfterFunc(c.ctx, func() { _ = c.SetDeadline(time.Now().Add(drainAtMost)) })
	defer stop()
	conf, err := l.certs.config()
	if err != nil {
		return nil, nil, err
	}
	tc := tls.Server(c.Conn, conf)
	if err := tc.HandshakeContext(context.WithoutCancel(c.ctx)); err != nil {
		return nil, nil, err
	}
	stop()
	_ = c.SetDeadline(time.Time{})
	var names []string
	if chain := tc.ConnectionState().PeerCertificates; len(chain) > 0 {
		names = namesOf(chain[0])
	}
	return tc, names, nil
}

// drainingReader reads a connection, and when it is woken by a deadline in the
// past, what had arrived by then.
type drainingReader struct {
	conn net.Conn
	drain
}

func (r *drainingReader) Read(p []byte) (int, error) {
	for {
		r.before()
		n, err := r.conn.Read(p)
		if n > 0 || !r.again(err) {
			return n, err
		}
	}
}

var _ io.Reader = (*drainingReader)(nil)
