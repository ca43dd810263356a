package syslog

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"bailiff/ingest"
)

// receiveBuffer is what is asked of the kernel for a UDP socket. The size of
// the buffer decides how much of a burst survives; how it is read hardly does.
const receiveBuffer = 8 << 20

// maxDatagram is more than a UDP datagram can hold.
const maxDatagram = 64 << 10

type udpSocket struct {
	l    *Listener
	conn *net.UDPConn

	mu    sync.Mutex
	drops uint32 // the kernel's counter when last read
}

func bindUDP(l *Listener) (socket, error) {
	lc := net.ListenConfig{Control: control(func(fd int) error {
		if err := l.bindToDevice(fd); err != nil {
			return err
		}
		// FORCE may pass net.core.rmem_max and needs CAP_NET_ADMIN.
		if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer) == nil {
			return nil
		}
		return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer)
	})}
	conn, err := lc.ListenPacket(context.Background(), l.ep.family(), l.ep.addr.String())
	if err != nil {
		return nil, err
	}
	s := &udpSocket{l: l, conn: conn.(*net.UDPConn)}
	s.warnSmallBuffer()
	return s, nil
}

// control adapts f to net.ListenConfig.
func control(f func(fd int) error) func(network, address string, c syscall.RawConn) error {
	return func(_, _ string, c syscall.RawConn) error {
		var err error
		if cerr := c.Control(func(fd uintptr) { err = f(int(fd)) }); cerr != nil {
			return cerr
		}
		return err
	}
}

// warnSmallBuffer tells once if the kernel gave less than was asked for.
func (s *udpSocket) warnSmallBuffer() {
	raw, err := s.conn.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		// The kernel reports twice what it took (socket(7)).
		got, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF)
		if err == nil && got/2 < receiveBuffer {
			s.l.log.Warn("small receive buffer: bursts can be lost", "bytes", got/2, "want", receiveBuffer,
				"hint", "run with CAP_NET_ADMIN, or raise net.core.rmem_max")
		}
	})
}

func (s *udpSocket) addr() net.Addr { return s.conn.LocalAddr() }

func (s *udpSocket) close() error { return s.conn.Close() }

func (s *udpSocket) serve(ctx context.Context, h ingest.Handler) error {
	defer s.conn.Close()
	defer s.countDrops()
	defer context.AfterFunc(ctx, func() { _ = s.conn.SetReadDeadline(time.Unix(1, 0)) })()

	w := newWorker(s.l, h)
	defer w.close()
	w.entry.Spoofable = s.l.opts.Path == PathOpen
	buf := make([]byte, maxDatagram)
	d := drain{conn: s.conn}
	for {
		d.before()
		n, peer, err := s.conn.ReadFromUDPAddrPort(buf)
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
		peer = netip.AddrPortFrom(peer.Addr().Unmap().WithZone(""), peer.Port())
		switch {
		case s.l.ep.remote() && !s.l.opts.allowed(peer.Addr()):
			w.page.Add(ingest.RefusedAddress)
		case n == 0:
			w.page.Add(ingest.MalformedEmpty)
		default:
			w.from(peer)
			w.deliver(buf[:n], false)
		}
	}
}

// countDrops brings the count of what the kernel dropped up to date, if the
// socket is still open. The kernel's counter has 32 bits and wraps.
func (s *udpSocket) countDrops() {
	raw, err := s.conn.SyscallConn()
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = raw.Control(func(fd uintptr) {
		if now, err := socketDrops(fd); err == nil {
			s.l.n.lines.Add(ingest.LostKernel, uint64(now-s.drops))
			s.drops = now
		}
	})
}

// socketDrops reads the number of datagrams that the kernel had no room for:
// SK_MEMINFO_DROPS of SO_MEMINFO (Linux 4.12, include/uapi/linux/sock_diag.h).
func socketDrops(fd uintptr) (uint32, error) {
	var mem [9]uint32
	size := uint32(unsafe.Sizeof(mem))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(&mem)), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return 0, errno
	}
	return mem[8], nil
}
