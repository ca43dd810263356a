package syslog

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"bailiff/ingest"
)

// The values of Options.Path.
const (
	// PathProtected says that nobody but the allowed senders can put packets
	// with their addresses on the wire between them and us.
	PathProtected = "protected"
	// PathOpen says that somebody could. Entries are then Spoofable.
	PathOpen = "open"
)

// maxUnixPath is what fits into sockaddr_un with its final NUL (unix(7)).
const maxUnixPath = 107

// maxInterface is the longest name of an interface (IFNAMSIZ, with its NUL).
const maxInterface = 15

// Options configures a Listener. The zero value is not valid; start from
// DefaultOptions.
type Options struct {
	// Name is the name of the source; empty means Listen.
	Name string
	// Listen is where to listen: udp://ADDRESS:PORT, tcp://ADDRESS:PORT,
	// tls://ADDRESS:PORT, unix:///PATH (a stream) or unixgram:///PATH (datagrams).
	// ADDRESS is an IP address, in brackets if IPv6. systemd:NAME is the socket of
	// this process that systemd opened, by its FileDescriptorName.
	Listen string
	// Interface is the network interface that packets must come by; empty means
	// any. It is for UDP, TCP and TLS.
	Interface string
	// Cert and Key are the files of the certificate that a TLS listener shows,
	// with its chain, and of its key, in PEM.
	Cert, Key string
	// ClientCA is the file of the authorities whose certificates TLS clients
	// must have; empty asks for none.
	ClientCA string
	// AllowNames are the certificate names (DNS names, or the common name) of the
	// clients whose lines are taken; none means all that ClientCA vouches for.
	AllowNames []string
	// AllowFrom are the senders that a listener off loopback takes lines
	// from. It is required there, except where ClientCA is set, and refused
	// elsewhere.
	AllowFrom []netip.Prefix
	// AllowUID are the users whose processes may write to this listener from
	// this machine; empty means root alone. A unix listener asks the kernel
	// for the sender's credentials. For UDP and TCP the firewall must hold
	// it, see Listener.LocalPort.
	AllowUID []int
	// Path is PathProtected or PathOpen. It is required for UDP off loopback
	// and refused elsewhere.
	Path string
	// Identifier is the identifier of lines that carry none.
	Identifier string
	// Origins names senders; nil names none.
	Origins *ingest.Origins
	// Trust takes the place of the trust that the transport earns; nil leaves
	// that.
	Trust *ingest.Trust
	// MaxSkew is how far a precise stamp may be from our clock to be
	// believed; beyond it a line happened when it was received.
	MaxSkew time.Duration
	// MaxConns is how many connections are served at a time, and
	// MaxConnsPerSender how many of one address (of one user on a unix socket);
	// 0 means as many as there may be.
	MaxConns, MaxConnsPerSender int
	// Logger reports the socket's life; nil discards. Lines are counted and
	// never logged.
	Logger *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// DefaultOptions returns the listener that needs no network: a unix datagram
// socket for root's processes.
func DefaultOptions() Options {
	return Options{
		Listen:   "unixgram:///run/bailiff/log.sock",
		AllowUID: []int{0},
		MaxSkew:  5 * time.Second,
		MaxConns: 1024, MaxConnsPerSender: 64,
	}
}

// Validate reports every option that cannot work, each with what to write
// instead.
func (o Options) Validate() error {
	ep, err := parseListen(o.Listen)
	if err != nil {
		return err
	}
	if ep.network == "systemd" {
		return nil // New knows what it is
	}
	return o.validate(ep)
}

func (o *Options) validate(ep endpoint) error {
	var errs []error
	complain := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf(format, args...))
	}
	if ep.remote() {
		if len(o.AllowFrom) == 0 && o.ClientCA == "" {
			complain("allow_from is empty: %s can be reached from other machines, name those that may send, or listen on 127.0.0.1", o.Listen)
		}
	} else if len(o.AllowFrom) > 0 {
		complain("allow_from has no meaning for %s: say who may send with allow_uid", o.Listen)
	}
	for _, p := range o.AllowFrom {
		if !p.IsValid() {
			complain("allow_from has an invalid prefix: %v", p)
		}
	}
	switch needed := ep.remote() && ep.network == "udp"; {
	case needed && o.Path != PathProtected && o.Path != PathOpen:
		complain("path is %q: the sender of a UDP packet can be forged, so say path = %q if nobody between can, or path = %q",
			o.Path, PathProtected, PathOpen)
	case !needed && o.Path != "":
		complain("path has no meaning for %s: it is for UDP off loopback", o.Listen)
	}
	for _, uid := range o.AllowUID {
		if uid < 0 {
			complain("allow_uid has an invalid user number: %d", uid)
		}
	}
	if o.MaxSkew < 0 {
		complain("max_skew is negative: %v", o.MaxSkew)
	}
	if o.MaxConns < 1 || o.MaxConnsPerSender < 0 {
		complain("max_conns is %d and max_conns_per_sender %d: at least 1", o.MaxConns, o.MaxConnsPerSender)
	}
	if o.Interface != "" && (ep.local() || len(o.Interface) > maxInterface || strings.ContainsAny(o.Interface, "/ \t\n")) {
		complain("interface %q: want the name of a network interface, for udp, tcp or tls", o.Interface)
	}
	switch {
	case ep.network != "tls":
		if o.Cert+o.Key+o.ClientCA != "" || len(o.AllowNames) > 0 {
			complain("cert, key, client_ca and allow_names have no meaning for %s: they are for tls", o.Listen)
		}
	case o.Cert == "" || o.Key == "":
		complain("cert or key is missing: name the files of the certificate and of its key")
	case o.ClientCA == "" && len(o.AllowNames) > 0:
		complain("allow_names has no meaning without client_ca: nobody vouches for the names")
	}
	return errors.Join(errs...)
}

// earned is the trust that the transport earns: the kernel names the sender on a
// unix socket, an authority that of a client certificate, and over an open path anybody could send in anybody's name.
func (o *Options) earned(ep endpoint) ingest.Trust {
	switch {
	case ep.local(), o.ClientCA != "":
		return ingest.TrustHigh
	case o.Path == PathOpen:
		return ingest.TrustLow
	default:
		return ingest.TrustNormal
	}
}
