package syslog

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"

	"github.com/coreos/go-systemd/v22/activation"
	"golang.org/x/sys/unix"
)

// handed are the sockets that systemd opened for us. Each listener has a copy of its
// own, so that they outlive it: what arrives meanwhile waits in them.
var handed = sync.OnceValue(func() []*os.File { return activation.Files(true) })

// activated finds the socket of a name, and out what it is.
func activated(o *Options, name string) (*os.File, endpoint, error) {
	refuse := func(remedy, format string, args ...any) (*os.File, endpoint, error) {
		return nil, endpoint{}, &Error{Listen: o.Listen, Err: fmt.Errorf(format, args...), Remedy: remedy}
	}
	var file *os.File
	for _, f := range handed() {
		switch {
		case f.Name() != name:
		case file != nil:
			return refuse("give each socket a socket unit of its own, with its own FileDescriptorName", "systemd handed over two sockets of this name")
		default:
			file = f
		}
	}
	if file == nil {
		return refuse("start bailiff by its service, and have a socket unit with FileDescriptorName="+name+" and Service=bailiff.service",
			"systemd handed over no socket of this name")
	}
	ep, err := kindOf(file)
	switch {
	case err != nil:
		return refuse("have ListenStream= or ListenDatagram= in the socket unit, and Accept=no", "%w", err)
	case o.Interface != "":
		return refuse("remove it, and have BindToDevice="+o.Interface+" in the socket unit", "interface has no meaning for a socket of systemd")
	case !ep.local() && !ep.remote():
		// It was open before the firewall kept strangers away from it.
		return refuse("let bailiff open it, with listen = \""+ep.network+"://"+ep.addr.String()+"\", or have a unix socket",
			"a %s socket on loopback tells nobody who wrote to it before bailiff started", ep.network)
	case o.Cert != "" && ep.network == "tcp":
		ep.network = "tls"
	}
	return file, ep, nil
}

// kindOf asks the kernel what a socket is.
func kindOf(f *os.File) (ep endpoint, err error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return ep, err
	}
	var kind, listens int
	var at unix.Sockaddr
	cerr := raw.Control(func(fd uintptr) {
		var err1, err2 error
		kind, err1 = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TYPE)
		listens, err2 = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
		at, err = unix.Getsockname(int(fd))
		err = errors.Join(err1, err2, err)
	})
	if err = errors.Join(cerr, err); err != nil {
		return ep, fmt.Errorf("ask what it is: %w", err)
	}
	stream := kind == unix.SOCK_STREAM && listens != 0
	if !stream && kind != unix.SOCK_DGRAM {
		return ep, errors.New("it takes neither connections nor datagrams")
	}
	inet := map[bool]string{true: "tcp", false: "udp"}[stream]
	switch a := at.(type) {
	case *unix.SockaddrInet4:
		return endpoint{network: inet, addr: netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))}, nil
	case *unix.SockaddrInet6:
		return endpoint{network: inet, addr: netip.AddrPortFrom(netip.AddrFrom16(a.Addr).Unmap(), uint16(a.Port))}, nil
	case *unix.SockaddrUnix:
		return endpoint{network: map[bool]string{true: "unix", false: "unixgram"}[stream], path: a.Name}, nil
	}
	return ep, errors.New("it is neither of IP nor a unix socket")
}

// adopt makes a socket of what systemd handed over.
func adopt(l *Listener) (socket, error) {
	if l.certs != nil {
		if err := l.certs.load(); err != nil {
			return nil, err
		}
	}
	if l.ep.network == "tcp" || l.ep.network == "tls" || l.ep.network == "unix" {
		ln, err := net.FileListener(l.handed)
		if err != nil {
			return nil, err
		}
		return &streamSocket{l: l, ln: ln.(acceptor)}, nil
	}
	pc, err := net.FilePacketConn(l.handed)
	if err != nil {
		return nil, err
	}
	if conn, ok := pc.(*net.UDPConn); ok {
		s := &udpSocket{l: l, conn: conn}
		s.enlarge()
		s.warnSmallBuffer()
		return s, nil
	}
	s := &unixgramSocket{l: l, conn: pc.(*net.UnixConn)}
	raw, err := s.conn.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	cerr := raw.Control(func(fd uintptr) {
		if on, _ := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PASSCRED); on == 0 {
			l.log.Warn("what came before is refused: it has no credentials", "hint", "have PassCredentials=yes in the socket unit")
		}
		err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PASSCRED, 1)
	})
	if err := errors.Join(cerr, err); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// enlarge asks for a larger receive buffer, which a socket unit may have as well.
func (s *udpSocket) enlarge() {
	if raw, err := s.conn.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) {
			_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer)
		})
	}
}

// activationName returns the name in systemd:NAME.
func activationName(listen string) (string, bool) { return strings.CutPrefix(listen, "systemd:") }
