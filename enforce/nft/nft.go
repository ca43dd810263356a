// Package nft keeps nftables sets of its own equal to the decisions.
//
// Everything lives in one table, "inet bailiff", that nobody else writes to.
// Its one chain hooks prerouting at raw−10: before conntrack, so before any
// other firewall accepts an established flow, and before routing, so forwarded
// and container traffic is covered too. It asks hash sets only, one for each
// prefix length in use, so that an add costs microseconds however many bans
// stand and any overlap of prefixes works:
//
//	banned4, banned6          hosts
//	banned6_64                IPv6 networks of 64 bits
//	net4_24, net6_48, …       other lengths, made when the first such ban falls
//	ports4, ports6_64, …      bans limited to ports: address . protocol . port
//	…_reject                  the same, answered instead of dropped
//
// Every element has a counter and, unless the ban stands until it is lifted,
// a timeout: bans end without bailiff. The files, in reading order: layout.go
// says what the table holds, apply.go and sync.go make it so, kernel.go and
// dump.go speak netlink, watch.go notices foreign hands, guard.go fences
// loopback listeners, readset.go reads the sets of other tables.
//
// # Concurrency
//
// A mutex makes the Firewall the one owner of its netlink connection, so all
// methods may be called from any goroutine. Refused does not take it.
//
// # Failure
//
// The kernel answers an element it has no place for, a table that somebody
// removed, or nothing at all. The first costs that ban only; the second is an
// [ErrGone]; every wait ends after Options.Patience. The remedy of all is Sync.
package nft

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"regexp"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"bailiff/decide"
	"bailiff/enforce"
)

// Options say how the firewall is driven.
type Options struct {
	// Table is the name of our table in the inet family.
	Table string
	// BatchSize is how many bans or lifts go into one kernel transaction.
	BatchSize int
	// Patience bounds the wait for one answer of the kernel.
	Patience time.Duration
	// Logger hears of repairs; nil discards.
	Logger *slog.Logger
}

// DefaultOptions returns table "bailiff", batches of 500 and ten seconds of
// patience.
func DefaultOptions() Options {
	return Options{Table: "bailiff", BatchSize: 500, Patience: 10 * time.Second}
}

// tableName is what nft(8) takes as an identifier without quotes; the kernel
// allows 255 bytes (NFT_NAME_MAXLEN).
var tableName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,63}$`)

// Validate says what is wrong with the options.
func (o Options) Validate() error {
	switch {
	case !tableName.MatchString(o.Table):
		return fmt.Errorf("table %q: want a letter, then up to 63 letters, digits or _", o.Table)
	case o.BatchSize < 1 || o.BatchSize > 5000:
		return fmt.Errorf("batch_size %d: want 1 to 5000", o.BatchSize)
	case o.Patience < time.Second:
		return fmt.Errorf("patience %v: want at least 1s", o.Patience)
	}
	return nil
}

// Firewall drives our table. It satisfies [enforce.Enforcer], [enforce.Meter]
// and [enforce.Watcher].
type Firewall struct {
	opt    Options
	log    *slog.Logger
	kernel *kernel
	watch  *watch

	mu        sync.Mutex
	loaded    bool           // sets and scoped mirror the kernel
	sets      map[shape]bool // the sets that exist
	fenced    bool           // the loopback chain exists
	listeners []Listener     // what Guard asked for

	// scoped remembers the bans that are not in their plain drop set: to
	// lift one, its ports and verdict must be known. What ended in the kernel
	// is forgotten when it has doubled to pruneAt.
	scoped  map[netip.Prefix]ban
	pruneAt int
}

var (
	_ enforce.Enforcer = (*Firewall)(nil)
	_ enforce.Meter    = (*Firewall)(nil)
	_ enforce.Watcher  = (*Firewall)(nil)
)

// New connects to the kernel and asks whether it may change nf_tables. It
// changes nothing and starts no goroutine. Without the right or the subsystem
// it returns an [Error] that has a Hint.
func New(opt Options) (*Firewall, error) {
	if err := opt.Validate(); err != nil {
		return nil, err
	}
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	watch, err := newWatch(opt.Table)
	if err != nil {
		return nil, describe("watch nf_tables", err)
	}
	f := &Firewall{
		opt:    opt,
		log:    opt.Logger.With("part", "nft"),
		kernel: &kernel{patience: opt.Patience, opened: watch.ignore},
		watch:  watch,
		sets:   make(map[shape]bool),
		scoped: make(map[netip.Prefix]ban),
	}
	if err := f.kernel.probe(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Broken implements [enforce.Watcher]: it yields when anybody else changes our
// table, and when notifications were lost. Changes since New are noticed.
func (f *Firewall) Broken() <-chan struct{} { return f.watch.start() }

// Close closes the connections. The table stands as it is: bans go on, and end
// at their time.
func (f *Firewall) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return errors.Join(f.watch.close(), f.kernel.close())
}

// Clear removes our table with all that is in it, guards of listeners
// included. A table that is not there is cleared already.
func (f *Firewall) Clear(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.loaded = false
	return f.kernel.do(ctx, "clear table", func(c *conn) error {
		t := f.table()
		c.AddTable(t) // deleting a table that is not there is an error
		c.DelTable(t)
		return c.Flush()
	})
}

// Refused implements [enforce.Meter]. It reads all elements over a connection
// of its own and may run beside the other methods; bans made while it runs may
// be missing.
func (f *Firewall) Refused(ctx context.Context) (map[netip.Prefix]enforce.Traffic, error) {
	const op = "count refused packets"
	r, err := newReader(f.opt.Patience)
	if err != nil {
		return nil, describe(op, err)
	}
	defer r.close()
	names, err := r.setNames(ctx, unix.NFPROTO_INET, f.opt.Table)
	if err != nil && !errors.Is(err, errInterrupted) {
		return nil, describe(op, err)
	}
	refused := make(map[netip.Prefix]enforce.Traffic)
	for _, name := range names {
		s, ok := parseShape(name)
		if !ok {
			continue
		}
		elements, err := readElements(ctx, r, f.setID(s), s)
		if err != nil && !errors.Is(err, errInterrupted) {
			return nil, describe(op, err)
		}
		for t, e := range elements {
			sum := refused[t.prefix]
			sum.Packets += e.traffic.Packets
			sum.Bytes += e.traffic.Bytes
			refused[t.prefix] = sum
		}
	}
	return refused, nil
}

// ban is one ban as the table spells it.
type ban struct {
	shape   shape
	targets []target
	until   time.Time // zero: until lifted
}

// banOf translates a decision.
func banOf(d *decide.Decision) (ban, error) {
	prefix := canonical(d.Prefix)
	if !prefix.IsValid() {
		return ban{}, fmt.Errorf("ban %v: not a prefix", d.Prefix)
	}
	b := ban{
		shape: shape{v6: prefix.Addr().Is6(), bits: prefix.Bits(), ports: len(d.Ports) > 0, verdict: d.Verdict},
		until: d.Until,
	}
	if !b.shape.ports {
		b.targets = []target{{prefix: prefix}}
		return b, nil
	}
	for _, p := range d.Ports {
		proto, ok := protocols[p.Proto]
		if !ok {
			return ban{}, fmt.Errorf("ban %v: protocol %q: want tcp or udp", prefix, p.Proto)
		}
		b.targets = append(b.targets, target{prefix: prefix, proto: proto, port: p.Port})
	}
	return b, nil
}

// canonical masks a prefix and takes IPv4 out of IPv6 (::ffff:0:0/96).
func canonical(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked()
}
