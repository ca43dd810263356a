// Package syslog receives syslog lines and splits them into a header and a
// message.
//
// [Parser] reads every layout that senders use in practice and never fails: it
// keeps what it understood and leaves the rest in the message. [Listener] is the
// source: a UDP, TCP, TLS or unix socket.
//
// # Trust
//
// Nothing in a line says who wrote it. What is known of the sender is the peer
// of the socket (Entry.Peer), the certificate that it showed (Entry.Origin), or on
// a unix socket its credentials (Entry.UID, Entry.PID), and a listener refuses and counts what comes from others than
// those allowed. Any local process can write to a port on this machine, so what
// Options.AllowUID says of UDP and TCP listeners must be held by the firewall.
//
// # Time
//
// A line happened when it was received, unless its stamp has a fraction of a
// second, its zone is known (it says so, or it was configured or inferred, see
// package sender) and it is within Options.MaxSkew of our clock. So the clock of a
// sender, however wrong, moves no line by more than that, and none into the future.
package syslog

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"bailiff/ingest"
	"bailiff/ingest/sender"
)

// Listener is one syslog socket. It implements ingest.Source and
// ingest.Counter. Its methods may be called at any time and concurrently, except
// that one Run must have returned before the next.
type Listener struct {
	opts    Options
	ep      endpoint
	log     *slog.Logger
	sign    *ingest.Signs
	n       tally
	senders *sender.Table

	handed  *os.File     // by systemd; nil if the socket is to be opened
	certs   *certs       // of a TLS listener
	refused atomic.Int64 // when the log last told of a client that TLS refused

	mu     sync.Mutex
	sock   socket // nil unless bound
	device int    // the index of Options.Interface when sock was bound, 0 without one
	again  func() // ends serving sock, to bind it again; nil before Run
}

// socket is one kind of transport, bound.
type socket interface {
	addr() net.Addr
	// serve hands out lines until ctx is done and what had arrived by then is
	// handed out too; it closes the socket.
	serve(ctx context.Context, h ingest.Handler) error
	close() error
}

// New returns a listener. It opens nothing and starts nothing.
func New(opts Options) (*Listener, error) {
	opts.Name = cmp.Or(opts.Name, opts.Listen)
	if err := opts.Validate(); err != nil {
		return nil, fmt.Errorf("syslog source %s: %w", opts.Name, err)
	}
	ep, err := parseListen(opts.Listen)
	if err != nil {
		return nil, fmt.Errorf("syslog source %s: %w", opts.Name, err)
	}
	var file *os.File
	if name, ok := activationName(opts.Listen); ok {
		if file, ep, err = activated(&opts, name); err == nil {
			err = opts.validate(ep)
		}
		if err != nil {
			return nil, fmt.Errorf("syslog source %s: %w", opts.Name, err)
		}
	}
	if len(opts.AllowUID) == 0 {
		opts.AllowUID = []int{0}
	}
	opts.AllowFrom, opts.AllowNames = slices.Clone(opts.AllowFrom), slices.Clone(opts.AllowNames)
	for i, p := range opts.AllowFrom {
		opts.AllowFrom[i] = unmapPrefix(p)
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	log := opts.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	log = log.With("source", opts.Name)
	l := &Listener{
		opts: opts, ep: ep, log: log, handed: file,
		sign: ingest.NewSigns(opts.Origins, opts.earned(ep), opts.Trust), senders: sender.NewTable(),
	}
	if ep.network == "tls" {
		l.certs = newCerts(&opts, log)
	}
	return l, nil
}

// unmapPrefix turns ::ffff:192.0.2.0/120 into 192.0.2.0/24.
func unmapPrefix(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked()
}

// Name returns Options.Name.
func (l *Listener) Name() string { return l.opts.Name }

// Senders returns what is known of those who send to it.
func (l *Listener) Senders() *sender.Table { return l.senders }

// Network returns "udp", "tcp", "tls", "unix" or "unixgram".
func (l *Listener) Network() string { return l.ep.network }

// Transport returns the protocol of LocalPort, "udp" or "tcp"; "" for a unix
// socket.
func (l *Listener) Transport() string { return l.ep.transport() }

// Reload reads the certificates of a TLS listener again. Connections that stand
// keep theirs. If the new ones cannot be used the old ones hold, and the log says
// why. Changed files are noticed without it, at the next handshake.
func (l *Listener) Reload() {
	if l.certs != nil {
		l.certs.renew(false)
	}
}

// Loopback says that only processes of this machine can reach the listener.
func (l *Listener) Loopback() bool { return !l.ep.remote() }

// AllowUID returns the users whose local processes may write to the listener.
func (l *Listener) AllowUID() []int { return slices.Clone(l.opts.AllowUID) }

// LocalPort returns the port of a UDP, TCP or TLS listener, 0 before Bind if the
// kernel chooses it, and 0 for a unix socket.
//
// Local processes reach the port over the loopback interface whatever address
// it is bound to, and a packet does not say who sent it. So for every listener
// with a LocalPort the firewall must let out to it, over loopback, only packets
// of the users in AllowUID.
func (l *Listener) LocalPort() uint16 {
	switch a := l.Addr().(type) {
	case *net.UDPAddr:
		return uint16(a.Port)
	case *net.TCPAddr:
		return uint16(a.Port)
	}
	return l.ep.addr.Port()
}

// Addr returns the address that the listener is bound to; nil unless it is.
func (l *Listener) Addr() net.Addr {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sock == nil {
		return nil
	}
	return l.sock.addr()
}

// Bind opens the socket, so that a port in use is known before anything
// starts. From then on the kernel keeps what arrives. Binding twice is binding
// once. An error is an *Error with a remedy where one is known.
func (l *Listener) Bind() error {
	_, err := l.bind()
	return err
}

func (l *Listener) bind() (socket, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sock != nil {
		return l.sock, nil
	}
	open := map[string]func(*Listener) (socket, error){
		"udp": bindUDP, "tcp": bindStream, "tls": bindTLS, "unix": bindUnix, "unixgram": bindUnixgram,
	}[l.ep.network]
	if l.handed != nil {
		open = adopt
	}
	sock, err := open(l)
	if err != nil {
		return nil, explain(l.opts.Listen, err)
	}
	l.sock = sock
	return sock, nil
}

// Close gives up a listener that was bound and will not run. It is not for one
// that runs: ending the context of Run closes that.
func (l *Listener) Close() error {
	if sock := l.swap(nil); sock != nil {
		return sock.close()
	}
	return nil
}

// Run binds unless that was done, and hands out lines until ctx is done and
// what had been received by then is handed out too. It calls h from one
// goroutine for UDP and unix datagrams and from one for each connection.
// Reading goes on only as fast as h returns. When Run has returned the socket is
// closed, and Run may be called again.
func (l *Listener) Run(ctx context.Context, h ingest.Handler) error {
	for {
		sock, err := l.bind()
		if err != nil {
			return err
		}
		l.log.Info("listening", "addr", sock.addr().String())
		moved, err := l.serve(ctx, sock, h)
		if err != nil {
			return fmt.Errorf("listen on %s: %w", l.opts.Listen, err)
		}
		if !moved {
			return nil
		}
		if l.opts.Interface != "" {
			l.log.Warn("the interface was made again; binding to the new one", "interface", l.opts.Interface)
		} else {
			l.log.Warn("the file of the socket was removed or replaced; binding it again", "path", l.ep.path)
		}
	}
}

// serve hands out the lines of one socket, and says whether it ended because of Check.
func (l *Listener) serve(ctx context.Context, sock socket, h ingest.Handler) (moved bool, err error) {
	defer l.swap(nil)
	inner, again := context.WithCancel(ctx)
	defer again()
	l.mu.Lock()
	l.again = again
	l.mu.Unlock()
	err = sock.serve(inner, h)
	return inner.Err() != nil && ctx.Err() == nil, err
}

// Check looks whether senders still reach the socket, and has Run bind it again if they do
// not: somebody cleaned up /run, and the path of a unix socket leads nowhere; or the
// interface was removed and made again, and the kernel holds the socket to one that is no
// more. What had arrived is handed out first. Call it now and then.
func (l *Listener) Check() {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, ok := l.sock.(interface{ stands() bool })
	if l.again != nil && (ok && !s.stands() || l.sock != nil && l.moved()) {
		l.again()
	}
}

// moved says that the interface is another than the one that the socket is held to. One
// that is away is not: there is nothing to bind to.
func (l *Listener) moved() bool {
	if l.device == 0 {
		return false
	}
	i, err := net.InterfaceByName(l.opts.Interface)
	return err == nil && i.Index != l.device
}

func (l *Listener) swap(sock socket) (old socket) {
	l.mu.Lock()
	defer l.mu.Unlock()
	old, l.sock = l.sock, sock
	return old
}

// bindToDevice holds a socket to Options.Interface.
func (l *Listener) bindToDevice(fd int) error {
	if l.opts.Interface == "" {
		return nil
	}
	if err := unix.BindToDevice(fd, l.opts.Interface); err != nil {
		return &interfaceError{l.opts.Interface, err}
	}
	if i, err := net.InterfaceByName(l.opts.Interface); err == nil {
		l.device = i.Index
	}
	return nil
}
