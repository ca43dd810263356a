package nft

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"
)

// families are the address families of nft(8) whose sets can hold addresses.
var families = map[string]nftables.TableFamily{
	"ip":     nftables.TableFamilyIPv4,
	"ip6":    nftables.TableFamilyIPv6,
	"inet":   nftables.TableFamilyINet,
	"bridge": nftables.TableFamilyBridge,
	"netdev": nftables.TableFamilyNetdev,
}

// ReadSet returns the addresses in a set of another table, sorted: what
// never_ban = ["@inet filter/trusted4"] names. Intervals that are no single
// prefix come as several. A set that is not there is an [ErrNoSet]; a map, or
// a set of anything but plain addresses, is refused. It only reads, and any
// number may run at a time.
func ReadSet(family, table, set string) ([]netip.Prefix, error) {
	op := fmt.Sprintf("read set @%s %s/%s", family, table, set)
	fam, ok := families[family]
	if !ok {
		return nil, fmt.Errorf("%s: family %q: want ip, ip6, inet, bridge or netdev", op, family)
	}
	c, err := nftables.New()
	if err != nil {
		return nil, describe(op, err)
	}
	found, err := c.GetSetByName(&nftables.Table{Name: table, Family: fam}, set)
	switch {
	case errors.Is(err, unix.ENOENT):
		return nil, &Error{op, ErrNoSet, "nft list sets " + family + " shows the sets there are"}
	case err != nil:
		return nil, describe(op, err)
	case found.IsMap:
		return nil, fmt.Errorf("%s: it is a map; want a set", op)
	case found.KeyType.Name != nftables.TypeIPAddr.Name && found.KeyType.Name != nftables.TypeIP6Addr.Name:
		return nil, fmt.Errorf("%s: it holds %s; want ipv4_addr or ipv6_addr alone", op, found.KeyType.Name)
	}
	r, err := newReader(DefaultOptions().Patience)
	if err != nil {
		return nil, describe(op, err)
	}
	defer r.close()
	type boundary struct {
		key string
		end bool
	}
	var elements []rawElement
	seen := make(map[boundary]bool)
	reset := func() { elements = nil; clear(seen) }
	err = r.elements(context.Background(), setID{byte(fam), table, set}, reset, func(e rawElement) bool {
		e.key = bytes.Clone(e.key)
		elements = append(elements, e)
		at := boundary{string(e.key), e.end}
		known := seen[at]
		seen[at] = true
		return !known
	})
	if err != nil {
		return nil, describe(op, err)
	}
	return prefixes(elements, found.Interval, int(found.KeyType.Bytes)), nil
}

// prefixes turns the elements of a set, in any order, into prefixes. An
// interval is two elements: its first address, and, marked as an end, the
// first address after it; without the latter it runs to the last address.
func prefixes(elements []rawElement, interval bool, length int) []netip.Prefix {
	slices.SortStableFunc(elements, func(a, b rawElement) int {
		if c := bytes.Compare(a.key, b.key); c != 0 || a.end == b.end {
			return c
		}
		if a.end { // where one interval touches the next, it ends first
			return -1
		}
		return 1
	})
	var ps []netip.Prefix
	var open netip.Addr
	for _, e := range elements {
		addr, ok := netip.AddrFromSlice(e.key)
		switch {
		case !ok || len(e.key) != length:
		case !interval:
			ps = append(ps, netip.PrefixFrom(addr, addr.BitLen()))
		case !e.end:
			open = addr
		case open.IsValid():
			ps = appendRange(ps, open, addr.Prev())
			open = netip.Addr{}
		}
	}
	if open.IsValid() {
		last, _ := netip.AddrFromSlice(bytes.Repeat([]byte{0xff}, length))
		ps = appendRange(ps, open, last)
	}
	return ps
}

// appendRange appends the fewest prefixes that cover first to last exactly.
func appendRange(ps []netip.Prefix, first, last netip.Addr) []netip.Prefix {
	for first.IsValid() && first.Compare(last) <= 0 {
		// The widest prefix that begins at first and ends by last.
		p := netip.PrefixFrom(first, first.BitLen())
		for p.Bits() > 0 {
			wider := netip.PrefixFrom(first, p.Bits()-1)
			if wider.Masked().Addr() != first || lastOf(wider).Compare(last) > 0 {
				break
			}
			p = wider
		}
		ps = append(ps, p)
		first = lastOf(p).Next() // invalid after the last address of all
	}
	return ps
}

// lastOf is the last address of a prefix.
func lastOf(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i, m := range mask(p.Bits(), len(b)) {
		b[i] |= ^m
	}
	addr, _ := netip.AddrFromSlice(b)
	return addr
}
