package syslog

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
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

// Options configures a Listener. The zero value is not valid; start from
// DefaultOptions.
type Options struct {
	// Name is the name of the source; empty means Listen.
	Name string
	// Listen is where to listen: udp://ADDRESS:PORT, tcp://ADDRESS:PORT or
	// unixgram:///PATH. ADDRESS is an IP address, in brackets if IPv6.
	Listen string
	// AllowFrom are the senders that a listener off loopback takes lines
	// from. It is required there and refused elsewhere.
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
	// MaxConns is how many TCP connections are served at a time.
	MaxConns int
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
		MaxConns: 1024,
	}
}

// Validate reports every option that cannot work, each with what to write
// instead.
func (o Options) Validate() error {
	ep, err := parseListen(o.Listen)
	if err != nil {
		return err
	}
	var errs []error
	complain := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf(format, args...))
	}
	if ep.remote() {
		if len(o.AllowFrom) == 0 {
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
	if o.MaxConns < 1 {
		complain("max_conns is %d: at least 1", o.MaxConns)
	}
	return errors.Join(errs...)
}

// earned is the trust that the transport earns: the kernel names the sender on a
// unix socket, and over an open path anybody could send in anybody's name.
func (o *Options) earned(ep endpoint) ingest.Trust {
	switch {
	case ep.network == "unixgram":
		return ingest.TrustHigh
	case o.Path == PathOpen:
		return ingest.TrustLow
	default:
		return ingest.TrustNormal
	}
}

// endpoint is a parsed Listen.
type endpoint struct {
	network string         // udp, tcp or unixgram
	addr    netip.AddrPort // of udp and tcp
	path    string         // of unixgram
}

// family is the network for package net, which would take 0.0.0.0 for every IPv6
// address as well. [::] is both.
func (e endpoint) family() string {
	if e.addr.Addr().Is4() {
		return e.network + "4"
	}
	return e.network
}

// remote says that other machines can reach it.
func (e endpoint) remote() bool {
	return e.network != "unixgram" && !e.addr.Addr().IsLoopback()
}

func parseListen(s string) (endpoint, error) {
	u, err := url.Parse(s)
	if err != nil {
		return endpoint{}, fmt.Errorf("listen %q: want udp://ADDRESS:PORT, tcp://ADDRESS:PORT or unixgram:///PATH", s)
	}
	ep := endpoint{network: u.Scheme}
	switch u.Scheme {
	case "udp", "tcp":
		if ep.addr, err = netip.ParseAddrPort(u.Host); err != nil || strings.Trim(u.Path, "/") != "" {
			return endpoint{}, fmt.Errorf("listen %q: want %s://ADDRESS:PORT with an IP address, such as %[2]s://127.0.0.1:514 or %[2]s://[::1]:514", s, u.Scheme)
		}
		ep.addr = netip.AddrPortFrom(ep.addr.Addr().Unmap(), ep.addr.Port())
	case "unixgram":
		if u.Host != "" || !filepath.IsAbs(u.Path) || strings.HasSuffix(u.Path, "/") {
			return endpoint{}, fmt.Errorf("listen %q: want unixgram:///PATH with three slashes, such as unixgram:///run/bailiff/log.sock", s)
		}
		if ep.path = filepath.Clean(u.Path); len(ep.path) > maxUnixPath {
			return endpoint{}, fmt.Errorf("listen %q: the path of a socket has at most %d bytes", s, maxUnixPath)
		}
	default:
		return endpoint{}, fmt.Errorf("listen %q: %q is not a kind of listener: want udp, tcp or unixgram", s, u.Scheme)
	}
	return ep, nil
}

// allowed says that lines from addr, unmapped and without zone, count.
func (o *Options) allowed(addr netip.Addr) bool {
	return slices.ContainsFunc(o.AllowFrom, func(p netip.Prefix) bool { return p.Contains(addr) })
}
