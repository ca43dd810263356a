package decide

import "net/netip"

var (
	nat64     = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052, section 2.1
	broadcast = netip.MustParseAddr("255.255.255.255")
)

// peerOf returns the address that a firewall sees for one that a daemon logged:
// without zone, and IPv4 where one is embedded.
func peerOf(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if nat64.Contains(a) {
		b := a.As16()
		return netip.AddrFrom4([4]byte(b[12:]))
	}
	return a
}

// bannable says whether an address can be that of a peer at all.
func bannable(a netip.Addr) bool {
	return a.IsValid() && !a.IsUnspecified() && !a.IsMulticast() && a != broadcast
}

// host is the prefix of one address.
func host(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

// v6Bits is how much of an IPv6 address names a site: a /64 is one link, and a
// host on it has as many addresses as it likes (RFC 4291, section 2.5.4).
const v6Bits = 64

// site is the prefix that an address usually stands for.
func site(a netip.Addr) netip.Prefix {
	if a.Is4() {
		return host(a)
	}
	return netip.PrefixFrom(a, v6Bits).Masked()
}

// key is what is counted and banned for a peer: itself, or the /64 of an IPv6
// address, unless that would take a guarded neighbour with it.
func (e *Engine) key(peer netip.Addr) netip.Prefix {
	key := site(peer)
	if key.IsSingleIP() {
		return key
	}
	if _, guarded := e.guarded(key); guarded || peer.IsLinkLocalUnicast() {
		return host(peer)
	}
	return key
}

// spelled is how people write p: an address without its length.
func spelled(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}
