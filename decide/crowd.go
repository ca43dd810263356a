package decide

import (
	"encoding/binary"
	"net/netip"
)

// place is a neighbourhood in few bytes: a flood has as many as it has addresses.
type place uint64

const placeIs4 place = 1 << 63

func placeOf(p netip.Prefix) place {
	n := neighbourhood(p)
	if a := n.Addr(); a.Is6() {
		b := a.As16()
		return place(binary.BigEndian.Uint64(b[:])>>16)<<8 | place(n.Bits())
	}
	b := n.Addr().As4()
	return placeIs4 | place(binary.BigEndian.Uint32(b[:]))<<8 | place(n.Bits())
}

// prefix is the neighbourhood as people write it.
func (p place) prefix() netip.Prefix {
	if p&placeIs4 != 0 {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], uint32(p>>8))
		return netip.PrefixFrom(netip.AddrFrom4(b), int(p&0xff))
	}
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], uint64(p>>8)<<16)
	return netip.PrefixFrom(netip.AddrFrom16(b), int(p&0xff))
}

// place is where the sender of a window of one attempt is.
func (w *watch) place() place {
	if w.key.prefix.IsValid() {
		return placeOf(w.key.prefix)
	}
	return placeOf(w.slots[0].peer.Value())
}

// crowd is the windows of one neighbourhood that hold a single spoofable attempt.
type crowd struct {
	place        place
	size         int
	first, last  *watch // the one silent longest first
	before, next *crowd // of the same size, the one quiet longest first
}

// crowds finds the fullest one at once.
type crowds struct {
	by    map[place]*crowd
	sizes []crowdList // by size
	most  int         // the greatest size there is
}

type crowdList struct{ first, last *crowd }

func newCrowds() *crowds { return &crowds{by: map[place]*crowd{}} }

// enter adds a window to the crowd of its neighbourhood.
func (s *crowds) enter(w *watch) {
	p := w.place()
	c := s.by[p]
	if c == nil {
		c = &crowd{place: p}
		s.by[p] = c
	}
	w.crowd, w.crowdBefore, w.crowdNext = c, c.last, nil
	if c.last != nil {
		c.last.crowdNext = w
	} else {
		c.first = w
	}
	c.last = w
	s.resize(c, c.size+1)
}

// leave takes a window out again.
func (s *crowds) leave(w *watch) {
	c := w.crowd
	if w.crowdBefore != nil {
		w.crowdBefore.crowdNext = w.crowdNext
	} else {
		c.first = w.crowdNext
	}
	if w.crowdNext != nil {
		w.crowdNext.crowdBefore = w.crowdBefore
	} else {
		c.last = w.crowdBefore
	}
	w.crowd, w.crowdBefore, w.crowdNext = nil, nil, nil
	s.resize(c, c.size-1)
}

// resize moves a crowd to those of another size. It grows and shrinks by one, so the
// greatest size is never far.
func (s *crowds) resize(c *crowd, size int) {
	if c.size > 0 {
		l := &s.sizes[c.size]
		if c.before != nil {
			c.before.next = c.next
		} else {
			l.first = c.next
		}
		if c.next != nil {
			c.next.before = c.before
		} else {
			l.last = c.before
		}
	}
	if c.size = size; size == 0 {
		delete(s.by, c.place)
	} else {
		for len(s.sizes) <= size {
			s.sizes = append(s.sizes, crowdList{})
		}
		l := &s.sizes[size]
		c.before, c.next = l.last, nil
		if l.last != nil {
			l.last.next = c
		} else {
			l.first = c
		}
		l.last = c
		s.most = max(s.most, size)
	}
	for s.most > 0 && s.sizes[s.most].first == nil {
		s.most--
	}
}

// fullest is the greatest crowd, and of several the one quiet longest; nil if there
// is none.
func (s *crowds) fullest() *crowd {
	if s.most == 0 {
		return nil
	}
	return s.sizes[s.most].first
}
