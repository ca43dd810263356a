package syslog

import (
	"cmp"
	"context"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// conn is one connection and who opened it.
type conn struct {
	net.Conn
	peer     netip.AddrPort // of TCP and TLS
	uid, pid int            // of a unix stream
	sender   string         // whose limit it counts for

	ctx  context.Context // done when the connection must end
	end  context.CancelFunc
	last atomic.Int64 // when its last line arrived, or it did; Unix nanoseconds
	now  func() time.Time
	told bool   // to end; of the table
	nth  uint64 // to be let in; of the table
}

// before says that c has been idle longer than o, or came first.
func (c *conn) before(o *conn) bool {
	return cmp.Or(cmp.Compare(c.last.Load(), o.last.Load()), cmp.Compare(c.nth, o.nth)) < 0
}

// idleAfter is how long a connection without a line must be silent to be given
// up for another of its sender. Its peer may be gone without a word: a router
// that was started again, a sender that lost power.
const idleAfter = time.Minute

// sender is the name by which connections from addr are counted together. Where
// anybody may knock who has a certificate, a network of IPv6 is one sender:
// whoever has one address of it has them all.
func (o *Options) sender(addr netip.Addr) string {
	if len(o.AllowFrom) == 0 && addr.Is6() && !addr.IsLoopback() {
		if p, err := addr.Prefix(64); err == nil {
			return p.String()
		}
	}
	return addr.String()
}

// conns are the open connections of a listener.
type conns struct {
	max, perSender int

	mu     sync.Mutex
	open   map[*conn]struct{} // including those told to end
	ending int                // those told to end
	of     map[string]int     // how many a sender has, without those
	nth    uint64             // of the last that was let in
}

func newConns(o *Options) *conns {
	return &conns{max: o.MaxConns, perSender: cmp.Or(o.MaxConnsPerSender, o.MaxConns+1), open: map[*conn]struct{}{}, of: map[string]int{}}
}

// add lets a connection in until ctx is done or it is told to end, and says how
// many others it told to end to make room: at most one. It refuses it if there is
// no room.
//
// A sender at its limit loses a connection that has been idle for long, or gets no
// other. When all places are taken, the sender that has most of them gives up the
// one that has been idle longest, as long as it keeps more than the newcomer has.
func (t *conns) add(ctx context.Context, c *conn) (closed uint64, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := c.now()
	switch mine := t.of[c.sender]; {
	case mine >= t.perSender:
		ok = t.yield(c.sender, now.Add(-idleAfter))
		closed = 1
	case len(t.open)-t.ending >= t.max:
		greediest, most := t.greediest()
		before := now.Add(-idleAfter)
		if most >= mine+2 {
			before = now
		}
		ok = t.yield(greediest, before)
		closed = 1
	default:
		ok = true
	}
	if !ok {
		return 0, false
	}
	c.ctx, c.end = context.WithCancel(ctx)
	c.last.Store(now.UnixNano())
	t.nth++
	c.nth = t.nth
	t.open[c] = struct{}{}
	t.of[c.sender]++
	return closed, true
}

// greediest is the sender with most connections.
func (t *conns) greediest() (sender string, most int) {
	for s, n := range t.of {
		if n > most {
			sender, most = s, n
		}
	}
	return sender, most
}

// yield tells the connection of a sender to end that has been idle longest, and
// since before. What had arrived by it is read first, so there are bounds to how
// many may be about to end.
func (t *conns) yield(sender string, before time.Time) bool {
	if t.ending >= t.max {
		return false
	}
	var idlest *conn
	for c := range t.open {
		if c.sender == sender && !c.told && (idlest == nil || c.before(idlest)) {
			idlest = c
		}
	}
	if idlest == nil || idlest.last.Load() > before.UnixNano() {
		return false
	}
	idlest.told = true
	idlest.end()
	t.ending++
	t.less(sender)
	return true
}

// remove forgets a connection that has ended.
func (t *conns) remove(c *conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c.end()
	delete(t.open, c)
	if c.told {
		t.ending--
		return
	}
	t.less(c.sender)
}

func (t *conns) less(sender string) {
	if t.of[sender]--; t.of[sender] == 0 {
		delete(t.of, sender)
	}
}
