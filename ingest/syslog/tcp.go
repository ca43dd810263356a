package syslog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"bailiff/ingest"
)

type tcpSocket struct {
	l  *Listener
	ln *net.TCPListener
}

func bindTCP(l *Listener) (socket, error) {
	ln, err := net.ListenTCP(l.ep.family(), net.TCPAddrFromAddrPort(l.ep.addr))
	if err != nil {
		return nil, err
	}
	return &tcpSocket{l: l, ln: ln}, nil
}

func (s *tcpSocket) addr() net.Addr { return s.ln.Addr() }

func (s *tcpSocket) close() error { return s.ln.Close() }

// retryAccept is how long accepting pauses when there are no file descriptors.
const retryAccept = 100 * time.Millisecond

func (s *tcpSocket) serve(ctx context.Context, h ingest.Handler) error {
	var conns sync.WaitGroup
	defer conns.Wait()
	defer s.ln.Close()
	// If accepting fails for good, the connections must end as well.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = s.ln.SetDeadline(time.Unix(1, 0)) })()

	slots := make(chan struct{}, s.l.opts.MaxConns)
	d := drain{conn: listenerDeadline{s.ln}}
	for {
		d.before()
		conn, err := s.ln.AcceptTCP()
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

		peer := conn.RemoteAddr().(*net.TCPAddr).AddrPort()
		peer = netip.AddrPortFrom(peer.Addr().Unmap().WithZone(""), peer.Port())
		if s.l.ep.remote() && !s.l.opts.allowed(peer.Addr()) {
			s.l.n.connsAddr.Add(1)
			conn.Close()
			continue
		}
		select {
		case slots <- struct{}{}:
		default:
			s.l.n.connsLimit.Add(1)
			conn.Close()
			continue
		}
		conns.Go(func() {
			defer func() { <-slots }()
			s.l.serveConn(ctx, conn, peer, h)
		})
	}
}

// listenerDeadline lets a drain wait for connections as for data.
type listenerDeadline struct{ *net.TCPListener }

func (l listenerDeadline) SetReadDeadline(t time.Time) error { return l.SetDeadline(t) }

// serveConn hands out the lines of one connection until its end or until ctx is
// done. A peer that is slow or silent holds up nobody but itself.
func (l *Listener) serveConn(ctx context.Context, conn *net.TCPConn, peer netip.AddrPort, h ingest.Handler) {
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })()

	w := newWorker(l, h)
	defer w.close()
	w.from(peer)
	in := newFrames(&drainingReader{conn: conn, drain: drain{conn: conn}})
	for {
		frame, fate := in.next()
		switch fate {
		case ended:
			return
		case broken:
			w.page.Add(ingest.Received)
			w.page.Add(ingest.MalformedFraming)
		default:
			w.page.Add(ingest.Received)
			w.deliver(frame, fate == cut)
		}
	}
}

// drainingReader reads a connection, and at the end of its context what had
// arrived by then.
type drainingReader struct {
	conn *net.TCPConn
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
