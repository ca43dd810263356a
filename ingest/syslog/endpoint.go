package syslog

import (
	"fmt"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
)

// endpoint is a parsed Listen.
type endpoint struct {
	network string         // udp, tcp, tls, unix or unixgram; systemd until it is known which
	addr    netip.AddrPort // of udp, tcp and tls
	path    string         // of unix and unixgram
}

// transport is the protocol below, "udp" or "tcp"; "" of unix sockets.
func (e endpoint) transport() string {
	switch e.network {
	case "udp":
		return "udp"
	case "tcp", "tls":
		return "tcp"
	}
	return ""
}

// family is the network for package net, which would take 0.0.0.0 for every IPv6
// address as well. [::] is both.
func (e endpoint) family() string {
	if e.addr.Addr().Is4() {
		return e.transport() + "4"
	}
	return e.transport()
}

// local says that it is a unix socket.
func (e endpoint) local() bool { return e.network == "unix" || e.network == "unixgram" }

// remote says that other machines can reach it.
func (e endpoint) remote() bool { return !e.local() && !e.addr.Addr().IsLoopback() }

func parseListen(s string) (endpoint, error) {
	if name, ok := activationName(s); ok {
		if name == "" || strings.ContainsAny(name, ":/ \t\n") {
			return endpoint{}, fmt.Errorf("listen %q: want systemd:NAME with the FileDescriptorName of a socket unit", s)
		}
		return endpoint{network: "systemd"}, nil
	}
	u, err := url.Parse(s)
	if err != nil {
		return endpoint{}, fmt.Errorf("listen %q: want udp://ADDRESS:PORT, tcp://ADDRESS:PORT, tls://ADDRESS:PORT, unix:///PATH or unixgram:///PATH", s)
	}
	ep := endpoint{network: u.Scheme}
	switch u.Scheme {
	case "udp", "tcp", "tls":
		if ep.addr, err = netip.ParseAddrPort(u.Host); err != nil || strings.Trim(u.Path, "/") != "" {
			return endpoint{}, fmt.Errorf("listen %q: want %s://ADDRESS:PORT with an IP address, such as %[2]s://127.0.0.1:514 or %[2]s://[::1]:514", s, u.Scheme)
		}
		ep.addr = netip.AddrPortFrom(ep.addr.Addr().Unmap(), ep.addr.Port())
	case "unix", "unixgram":
		if u.Host != "" || !filepath.IsAbs(u.Path) || strings.HasSuffix(u.Path, "/") {
			return endpoint{}, fmt.Errorf("listen %q: want %s:///PATH with three slashes, such as %[2]s:///run/bailiff/log.sock", s, u.Scheme)
		}
		if ep.path = filepath.Clean(u.Path); len(ep.path) > maxUnixPath {
			return endpoint{}, fmt.Errorf("listen %q: the path of a socket has at most %d bytes", s, maxUnixPath)
		}
	default:
		return endpoint{}, fmt.Errorf("listen %q: %q is not a kind of listener: want udp, tcp, tls, unix, unixgram or systemd:NAME", s, u.Scheme)
	}
	return ep, nil
}

// allowed says that lines from addr, unmapped and without zone, count. Where
// clients need a certificate, addresses need not be named.
func (o *Options) allowed(addr netip.Addr) bool {
	if len(o.AllowFrom) == 0 && o.ClientCA != "" {
		return true
	}
	return slices.ContainsFunc(o.AllowFrom, func(p netip.Prefix) bool { return p.Contains(addr) })
}
