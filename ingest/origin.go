package ingest

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/gaissmai/bart"
)

// Origin is a sender that the operator has named.
type Origin struct {
	// Name is what entries of it carry.
	Name string
	// From are the addresses that it sends from; the longest prefix wins.
	From []netip.Prefix
	// Certificates are the names in its TLS client certificate.
	Certificates []string
	// Hosts are the names of collected journals: what the receiver calls the
	// machine that uploaded one.
	Hosts []string
	// Trust takes the place of what the transport earns; nil leaves that.
	Trust *Trust
	// Zone is that of its stamps which tell none; nil leaves that to be inferred.
	Zone *time.Location
	// SilentAfter is how long it may be silent before that is worth an alarm; 0
	// is for ever.
	SilentAfter time.Duration
}

// Origins finds the origin of a sender. It does not change, and is safe for
// concurrent use; a nil *Origins knows none.
type Origins struct {
	addrs bart.Table[*Origin]
	certs map[string]*Origin
	hosts map[string]*Origin
}

// NewOrigins returns a table of origins, which become its own. The error names two
// that claim the same sender.
func NewOrigins(all ...Origin) (*Origins, error) {
	t := &Origins{certs: map[string]*Origin{}, hosts: map[string]*Origin{}}
	claim := func(o *Origin, names map[string]*Origin, name string) error {
		if other := names[name]; other != nil {
			return fmt.Errorf("%s is of origin %s already, and cannot be of %s", name, other.Name, o.Name)
		}
		names[name] = o
		return nil
	}
	for i := range all {
		o := &all[i]
		for _, p := range o.From {
			p = unmapped(p)
			if other, there := t.addrs.Get(p); there {
				return nil, fmt.Errorf("%s is of origin %s already, and cannot be of %s", p, other.Name, o.Name)
			}
			t.addrs.Insert(p, o)
		}
		for _, name := range o.Certificates {
			if err := claim(o, t.certs, name); err != nil {
				return nil, err
			}
		}
		for _, name := range o.Hosts {
			if err := claim(o, t.hosts, name); err != nil {
				return nil, err
			}
		}
	}
	return t, nil
}

// unmapped turns ::ffff:192.0.2.0/120 into 192.0.2.0/24.
func unmapped(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked()
}

// Addr returns the origin of an address, nil if it has none.
func (t *Origins) Addr(a netip.Addr) *Origin {
	if t == nil {
		return nil
	}
	o, _ := t.addrs.Lookup(a)
	return o
}

// Certificate returns the origin of the first of the names that has one.
func (t *Origins) Certificate(names []string) *Origin {
	if t == nil {
		return nil
	}
	if i := slices.IndexFunc(names, func(n string) bool { return t.certs[n] != nil }); i >= 0 {
		return t.certs[names[i]]
	}
	return nil
}

// Uploader returns the origin of a machine whose journal was collected, by the name that
// the receiver gave it or by its address.
func (t *Origins) Uploader(name string) *Origin {
	if t == nil {
		return nil
	}
	if o := t.hosts[name]; o != nil {
		return o
	}
	a, err := netip.ParseAddr(name)
	if err != nil {
		return nil
	}
	return t.Addr(a.Unmap())
}

// maxSigns bounds how many senders Signs remembers.
const maxSigns = 4096

// Signs writes the origin and the trust of senders known by their address into
// entries. Names are made once for each sender. It is safe for concurrent use.
type Signs struct {
	origins *Origins
	earned  Trust  // what the transport earns
	trust   *Trust // what the operator says of the source

	mu    sync.RWMutex
	known map[netip.Addr]Sign
}

// Sign is what an entry says of its sender.
type Sign struct {
	Origin string
	Trust  Trust
	// Of is what the operator says of the sender, nil if nothing.
	Of *Origin
}

// NewSigns returns the signs of a source whose transport earns a trust, unless the
// operator gives it another, or gives one to the origin.
func NewSigns(origins *Origins, earned Trust, trust *Trust) *Signs {
	return &Signs{origins: origins, earned: earned, trust: trust, known: map[netip.Addr]Sign{}}
}

// Of returns the sign of a sender by its address, unmapped and without zone.
func (s *Signs) Of(a netip.Addr) Sign {
	s.mu.RLock()
	sign, ok := s.known[a]
	s.mu.RUnlock()
	if ok {
		return sign
	}
	sign = s.Named(s.origins.Addr(a), a.String())
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.known) >= maxSigns {
		clear(s.known)
	}
	s.known[a] = sign
	return sign
}

// Named returns the sign of a sender of which o is the origin, if it has one, and
// name the name that its transport gives it.
func (s *Signs) Named(o *Origin, name string) Sign {
	sign := Sign{Origin: name, Trust: s.earned}
	if s.trust != nil {
		sign.Trust = *s.trust
	}
	if o != nil {
		sign.Origin, sign.Of = o.Name, o
		if o.Trust != nil {
			sign.Trust = *o.Trust
		}
	}
	return sign
}
