package admin

import (
	"net/http"
	"net/netip"
	"strings"
)

// ParsePrefix reads an address or a prefix as a person types it. 4-in-6
// addresses are unmapped. A prefix with host bits is refused with the prefix
// that was probably meant, because guessing would ban or free a whole network
// for a slip of the hand. All errors are bad requests.
func ParsePrefix(s string) (netip.Prefix, error) {
	const shapes = "write an address (203.0.113.9, 2001:db8::9) or a prefix (203.0.113.0/24)"
	if !strings.Contains(s, "/") {
		addr, err := netip.ParseAddr(s)
		if err != nil {
			return netip.Prefix{}, Refuse(http.StatusBadRequest, shapes, "%q is no address", s)
		}
		if addr.Zone() != "" {
			return netip.Prefix{}, Refuse(http.StatusBadRequest, "leave the zone out: "+addr.WithZone("").String(),
				"%q has a zone", s)
		}
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, Refuse(http.StatusBadRequest, shapes, "%q is no prefix", s)
	}
	if p.Addr().Is4In6() {
		if p.Bits() < 96 {
			return netip.Prefix{}, Refuse(http.StatusBadRequest, shapes, "%q is no prefix of IPv4 addresses", s)
		}
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	if masked := p.Masked(); masked != p {
		return netip.Prefix{}, Refuse(http.StatusBadRequest,
			"the network is "+masked.String()+", the host "+p.Addr().String(), "%q has bits set behind its length", s)
	}
	return p, nil
}

// CheckWidth refuses a prefix wider than an IPv4 /16 or an IPv6 /32.
func CheckWidth(p netip.Prefix) error {
	widest := 16
	if p.Addr().Is6() {
		widest = 32
	}
	if p.Bits() >= widest {
		return nil
	}
	return Refuse(http.StatusBadRequest, "say --force if you mean it", "%s is wider than /%d", p, widest)
}

// ShortPrefix returns p for a person: the bare address if it is one host.
func ShortPrefix(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}
