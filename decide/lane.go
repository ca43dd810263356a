package decide

import (
	"net/netip"
	"strings"

	"bailiff/rules"
)

func origin(m *rules.Match) string {
	if m.Origin == "" {
		return m.Source
	}
	return m.Source + " " + m.Origin
}

// remember keeps a copy of the head of a line to explain the window by.
func (w *watch) remember(line string) {
	if len(w.evidence) == maxEvidence {
		w.evidence = append(w.evidence[:0], w.evidence[1:]...)
	}
	w.evidence = append(w.evidence, strings.Clone(line[:min(len(line), evidenceBytes)]))
}

// Sum is what one witness says through one origin of the attempts on one
// service.
type Sum struct {
	Service, Witness, Origin string
	Attempts                 int
}

// sums adds up the lanes of the window, in order of first sight.
func (w *watch) sums() []Sum {
	type count struct {
		lane  *lane
		lines int
	}
	var counts []count // few: one for each rule and source
next:
	for _, s := range w.slots {
		for i := range counts {
			if counts[i].lane == s.lane {
				counts[i].lines += s.lines
				continue next
			}
		}
		counts = append(counts, count{s.lane, s.lines})
	}
	var sums []Sum
lanes:
	for _, c := range counts {
		n := (c.lines + c.lane.perAttempt - 1) / c.lane.perAttempt * c.lane.weight
		for i := range sums {
			if s := &sums[i]; s.Service == c.lane.service && s.Witness == c.lane.witness && s.Origin == c.lane.origin {
				s.Attempts += n
				continue lanes
			}
		}
		sums = append(sums, Sum{c.lane.service, c.lane.witness, c.lane.origin, n})
	}
	return sums
}

// attempts is how many attempts the window holds: for each service the largest
// of the sums, and these added up.
func (w *watch) attempts() int {
	sums := w.sums()
	total := 0
	for i, s := range sums {
		best := true
		for k, other := range sums {
			if other.Service == s.Service && (other.Attempts > s.Attempts || other.Attempts == s.Attempts && k < i) {
				best = false
			}
		}
		if best {
			total += s.Attempts
		}
	}
	return total
}

var (
	nat64     = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052, section 2.1
	broadcast = netip.MustParseAddr("255.255.255.255")
)

// bannable says whether an address can be that of a peer at all.
func bannable(a netip.Addr) bool {
	return a.IsValid() && !a.IsUnspecified() && !a.IsMulticast() && a != broadcast
}

// host is the prefix of one address.
func host(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

// v6Bits is how much of an IPv6 address names a site: a /64 is one link, and a
// host on it has as many addresses as it likes (RFC 4291, section 2.5.4).
const v6Bits = 64

// key is what is counted and banned for an address: itself, or the /64 of an
// IPv6 address, unless that would take a guarded neighbour with it.
func (e *Engine) key(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	if nat64.Contains(a) {
		b := a.As16()
		return host(netip.AddrFrom4([4]byte(b[12:])))
	}
	if a.Is4() || a.IsLinkLocalUnicast() {
		return host(a)
	}
	site := netip.PrefixFrom(a, v6Bits).Masked()
	if _, guarded := e.guards.over(site); guarded {
		return host(a)
	}
	return site
}
