package nft

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/nftables"

	"bailiff/decide"
)

// slack is how far the end of a standing ban may be from what it should be.
const slack = 2 * time.Second

// syncAttempts bounds how often Sync begins again because somebody removed
// the table under its hands.
const syncAttempts = 3

// Sync implements [enforce.Enforcer]. A standing ban that is to stand is
// enforced throughout, and keeps its counter even when its end moves. A table
// that is not of our making (another layout, chains or sets that are not ours,
// a dormant flag) is replaced in one transaction.
func (f *Firewall) Sync(ctx context.Context, bans []decide.Decision) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	changes, invalid := changesOf(bans, time.Now())
	changes = slices.DeleteFunc(changes, func(c change) bool { return c.ban == nil })
	var err error
	for range syncAttempts {
		if err = f.become(ctx, changes); !errors.Is(err, ErrGone) {
			break
		}
	}
	return errors.Join(invalid, err)
}

// become makes the table hold the changes and nothing else.
func (f *Firewall) become(ctx context.Context, changes []change) error {
	f.loaded = false
	have, err := f.find(ctx)
	if err != nil {
		return err
	}
	now := time.Now()
	if err := f.adopt(ctx, have, func() transaction { return have.replaced(changes) }); err != nil {
		return err
	}
	if have.flaw != "" && have.exists {
		for _, c := range changes {
			f.remember(c)
		}
		f.loaded = true
		return nil
	}
	if err := f.addSets(ctx, changes); err != nil {
		return err
	}

	// Additions first: a ban that moves between sets stands in one of them.
	clear(f.scoped)
	var missing []change
	for _, c := range changes {
		if have.holds(c.ban, now) {
			f.remember(c)
		} else {
			missing = append(missing, c)
		}
	}
	var errs []error
	carry := f.lookUp // the dump may have missed some
	if !have.exists {
		carry = func(context.Context, transaction) error { return nil }
	}
	for batch := range slices.Chunk(missing, f.opt.BatchSize) {
		err := f.commit(ctx, batch, carry)
		errs = append(errs, err)
		if fatal(err) {
			return errors.Join(errs...)
		}
	}
	for _, c := range changes {
		have.forget(c.ban)
	}
	errs = append(errs, f.removeAll(ctx, have))
	f.loaded = true
	return errors.Join(errs...)
}

// load learns what the kernel holds, before the first Apply or Guard and after
// trouble. Standing bans stay.
func (f *Firewall) load(ctx context.Context) error {
	if f.loaded {
		return nil
	}
	have, err := f.find(ctx)
	if err != nil {
		return err
	}
	if err := f.adopt(ctx, have, have.kept); err != nil {
		return err
	}
	for s, elements := range have.sets {
		for t, e := range elements {
			if s == plainShape(t.prefix) {
				continue
			}
			b := f.scoped[t.prefix]
			b.shape, b.targets, b.until = s, append(b.targets, t), e.until
			f.scoped[t.prefix] = b
		}
	}
	f.loaded = true
	return nil
}

// adopt takes the table over, or builds it anew where it is missing or not of
// our making. What is built in place of a standing table holds the elements of
// instead from its first moment on.
func (f *Firewall) adopt(ctx context.Context, have *found, instead func() transaction) error {
	clear(f.scoped)
	clear(f.sets)
	if have.flaw == "" {
		for s := range have.sets {
			f.sets[s] = true
		}
		f.fenced = have.fenced
		return f.arrange(ctx, nil)
	}
	elements := make(transaction)
	if have.exists {
		f.log.Warn("table rebuilt", "table", f.opt.Table, "reason", have.flaw)
		elements = instead()
	}
	return f.build(ctx, elements)
}

// arrange makes the sets that are missing and draws the rules anew: they keep
// no state, so there is nothing to compare them for.
func (f *Firewall) arrange(ctx context.Context, missing []shape) error {
	sets := slices.Collect(maps.Keys(f.sets))
	for _, s := range baseShapes {
		if !f.sets[s] && !slices.Contains(missing, s) {
			missing = append(missing, s)
		}
	}
	err := f.kernel.do(ctx, "arrange table", func(c *conn) error {
		t := f.table()
		for _, s := range missing {
			if err := c.AddSet(s.set(t), nil); err != nil {
				return err
			}
		}
		f.draw(c, t, append(sets, missing...))
		return c.Flush()
	})
	if err != nil {
		return err
	}
	for _, s := range missing {
		f.sets[s] = true
	}
	f.fenced = len(f.listeners) > 0
	return nil
}

// build makes the table from nothing, with the elements, in one transaction.
// Whatever stood under its name is gone in the same instant.
func (f *Firewall) build(ctx context.Context, elements transaction) error {
	sets := slices.Clone(baseShapes)
	count := 0
	for s, of := range elements {
		count += len(of)
		if !slices.Contains(sets, s) {
			sets = append(sets, s)
		}
	}
	err := f.kernel.do(ctx, "build table", func(c *conn) error {
		const elementSize = 256 // at most: attributes of one element, IPv6 with ports and counter
		if err := c.socket.SetWriteBuffer(max(socketBuffer, count*elementSize)); err != nil {
			return err
		}
		t := f.table()
		c.AddTable(t) // deleting a table that is not there is an error
		c.DelTable(t)
		c.AddTable(t)
		for _, s := range sets {
			if err := c.AddSet(s.set(t), nil); err != nil {
				return err
			}
		}
		f.fenced = false
		f.draw(c, t, sets)
		return errors.Join(elements.queue(c, t, time.Now()), c.Flush())
	})
	if err != nil {
		return err
	}
	for _, s := range sets {
		f.sets[s] = true
	}
	f.fenced = len(f.listeners) > 0
	return nil
}

// draw queues the chains and all their rules, in an order that is easy to
// read.
func (f *Firewall) draw(c *conn, t *nftables.Table, sets []shape) {
	slices.SortFunc(sets, func(a, b shape) int { return strings.Compare(a.name(), b.name()) })
	for _, ch := range f.chains(sets) {
		chain := c.AddChain(ch.describe(t))
		c.FlushChain(chain)
		for _, rule := range ch.rules {
			c.AddRule(&nftables.Rule{Table: t, Chain: chain, Exprs: rule})
		}
	}
	if f.fenced && len(f.listeners) == 0 {
		chain := &nftables.Chain{Table: t, Name: loopbackChain}
		c.FlushChain(chain)
		c.DelChain(chain)
	}
}

// removeAll takes everything away that is left in have.
func (f *Firewall) removeAll(ctx context.Context, have *found) error {
	t := make(transaction)
	n := 0
	for s, elements := range have.sets {
		for of := range elements {
			t.remove(s, []target{of})
			if n++; n == f.opt.BatchSize {
				if err := f.send(ctx, t); err != nil {
					return err
				}
				clear(t)
				n = 0
			}
		}
	}
	return f.send(ctx, t)
}
