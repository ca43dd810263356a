package nft

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"

	"bailiff/decide"
	"bailiff/enforce"
)

// shortest is the shortest timeout we ask for. The kernel takes milliseconds,
// and zero of them would be for ever.
const shortest = time.Second

// change is what shall hold of one prefix; without a ban, nothing.
type change struct {
	prefix netip.Prefix
	ban    *ban
}

// Apply implements [enforce.Enforcer]. What the kernel will not take costs
// that ban only: the others of the call stand, and the error names it. An
// error that wraps [ErrGone] leaves the rest of the call undone.
func (f *Firewall) Apply(ctx context.Context, decisions []decide.Decision) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.load(ctx); err != nil {
		return err
	}
	changes, err := changesOf(decisions, time.Now())
	errs := []error{err}
	if err := f.addSets(ctx, changes); err != nil {
		return f.lost(errors.Join(append(errs, err)...))
	}
	for batch := range slices.Chunk(changes, f.opt.BatchSize) {
		err := f.commit(ctx, batch, f.lookUp)
		errs = append(errs, err)
		if fatal(err) {
			break
		}
	}
	return f.lost(errors.Join(errs...))
}

// changesOf reduces decisions to the last word on each prefix, in the order
// in which the prefixes first appear. The error names what cannot be done.
func changesOf(decisions []decide.Decision, now time.Time) ([]change, error) {
	var changes []change
	var errs []error
	at := make(map[netip.Prefix]int, len(decisions))
	for i := range decisions {
		d := &decisions[i]
		c := change{prefix: canonical(d.Prefix)}
		switch {
		case d.Simulated, d.Action == decide.Ban && !d.Active(now):
			continue
		case d.Action == decide.Ban:
			b, err := banOf(d)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			c.ban = &b
		case d.Action != decide.Lift || !c.prefix.IsValid():
			continue
		}
		if n, ok := at[c.prefix]; ok {
			changes[n] = c
			continue
		}
		at[c.prefix] = len(changes)
		changes = append(changes, c)
	}
	return changes, errors.Join(errs...)
}

// addSets makes the sets that the changes need and that do not exist.
func (f *Firewall) addSets(ctx context.Context, changes []change) error {
	var missing []shape
	for _, c := range changes {
		if c.ban != nil && !f.sets[c.ban.shape] && !slices.Contains(missing, c.ban.shape) {
			missing = append(missing, c.ban.shape)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return f.arrange(ctx, missing)
}

// commit makes the changes in one transaction. If the kernel refuses it, each
// half is tried on its own, down to the change that is at fault. carry tells
// the transaction which of its elements stand already.
func (f *Firewall) commit(ctx context.Context, changes []change, carry carrier) error {
	err := f.transact(ctx, changes, carry)
	switch {
	case err == nil || fatal(err):
		return err
	case len(changes) == 1:
		return fmt.Errorf("%v: %w", changes[0].prefix, err)
	}
	half := len(changes) / 2
	return errors.Join(f.commit(ctx, changes[:half], carry), f.commit(ctx, changes[half:], carry))
}

// fatal says that no part of a batch can succeed.
func fatal(err error) bool {
	return errors.Is(err, ErrGone) || errors.Is(err, ErrPermission) || errors.Is(err, ErrUnsupported) ||
		errors.Is(err, errDeaf) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// lost passes an error on. One that shows the table to be other than
// remembered is told to the watcher as well.
func (f *Firewall) lost(err error) error {
	if errors.Is(err, ErrGone) || errors.Is(err, errDeaf) {
		f.loaded = false
		f.watch.fire()
	}
	return err
}

// carrier tells a transaction which of the elements it puts stand already, so
// that they are replaced and keep what they counted.
type carrier func(context.Context, transaction) error

// transact makes the changes in one transaction, or none of them.
func (f *Firewall) transact(ctx context.Context, changes []change, carry carrier) error {
	t := make(transaction)
	for _, c := range changes {
		f.displace(t, c)
		if c.ban != nil {
			t.put(c.ban.shape, c.ban.targets, c.ban.until)
		}
	}
	if err := carry(ctx, t); err != nil {
		return err
	}
	if err := f.send(ctx, t); err != nil {
		return err
	}
	for _, c := range changes {
		f.remember(c)
	}
	return nil
}

// send makes one transaction.
func (f *Firewall) send(ctx context.Context, t transaction) error {
	return f.kernel.do(ctx, "change bans", func(c *conn) error {
		return errors.Join(t.queue(c, f.table(), time.Now()), c.Flush())
	})
}

// displace takes away what stands of the prefix elsewhere than where c puts it.
func (f *Firewall) displace(t transaction, c change) {
	if old, ok := f.scoped[c.prefix]; ok {
		t.remove(old.shape, old.targets)
	}
	if plain := plainShape(c.prefix); f.sets[plain] && (c.ban == nil || c.ban.shape != plain) {
		t.remove(plain, []target{{prefix: c.prefix}})
	}
}

// remember keeps what lifting the ban will need.
func (f *Firewall) remember(c change) {
	delete(f.scoped, c.prefix)
	if c.ban == nil || c.ban.shape == plainShape(c.prefix) {
		return
	}
	f.scoped[c.prefix] = *c.ban
	if len(f.scoped) >= f.pruneAt {
		now := time.Now()
		maps.DeleteFunc(f.scoped, func(_ netip.Prefix, b ban) bool { return !b.until.IsZero() && b.until.Before(now) })
		f.pruneAt = max(1024, 2*len(f.scoped))
	}
}

// lookUp is the carrier that asks the kernel.
func (f *Firewall) lookUp(ctx context.Context, t transaction) error {
	for s, elements := range t {
		keys := func(yield func([]byte) bool) {
			for target, e := range elements {
				if e.put && !yield(target.key(s)) {
					return
				}
			}
		}
		err := f.kernel.read("look up bans", func(r *reader) error {
			return r.find(ctx, f.setID(s), keys, func(raw rawElement) {
				if target, ok := s.target(raw.key); ok {
					elements[target].carry(stateOf(raw))
				}
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// transaction holds changes of elements that go to the kernel together, by
// set.
type transaction map[shape]map[target]*element

// element is what a transaction does to one element.
type element struct {
	clear   bool // take away what is there
	put     bool
	until   time.Time
	traffic enforce.Traffic // that the new element starts with
}

// at returns the entry of one element.
func (t transaction) at(s shape, of target) *element {
	if t[s] == nil {
		t[s] = make(map[target]*element)
	}
	e := t[s][of]
	if e == nil {
		e = new(element)
		t[s][of] = e
	}
	return e
}

// remove takes elements away, whether they are there or not.
func (t transaction) remove(s shape, targets []target) {
	for _, target := range targets {
		t.at(s, target).clear = true
	}
}

// put adds elements.
func (t transaction) put(s shape, targets []target, until time.Time) {
	for _, target := range targets {
		e := t.at(s, target)
		e.put, e.until = true, until
	}
}

// carry replaces an element that stands: taken away and put again within one
// transaction, since before Linux 6.12 adding does not renew a timeout.
func (e *element) carry(old state) {
	e.clear = true
	e.traffic = old.traffic
}

// queue hands the transaction to the library, to be sent by its Flush.
func (t transaction) queue(c *conn, table *nftables.Table, now time.Time) error {
	for s, elements := range t {
		var remove, put []nftables.SetElement
		for target, e := range elements {
			key := target.key(s)
			if e.clear {
				remove = append(remove, nftables.SetElement{Key: key})
			}
			if e.put {
				put = append(put, e.encode(key, now))
			}
		}
		set := s.set(table)
		// Adding first makes the removal of an element that is not there,
		// or expired meanwhile, no error.
		err := errors.Join(c.SetAddElements(set, remove), c.SetDeleteElements(set, remove), c.SetAddElements(set, put))
		if err != nil {
			return err
		}
	}
	return nil
}

// encode is the element as the library takes it. It drops the timeout of a set
// without HasTimeout silently; all sets of ours have it.
func (e *element) encode(key []byte, now time.Time) nftables.SetElement {
	se := nftables.SetElement{Key: key}
	if !e.until.IsZero() {
		se.Timeout = max(e.until.Sub(now), shortest)
	}
	if e.traffic != (enforce.Traffic{}) {
		se.Counter = &expr.Counter{Packets: e.traffic.Packets, Bytes: e.traffic.Bytes}
	}
	return se
}
