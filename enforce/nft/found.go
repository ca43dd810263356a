package nft

import (
	"context"
	"fmt"
	"time"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"

	"bailiff/enforce"
)

// found is what the kernel holds under our name.
type found struct {
	exists bool
	flaw   string // why it cannot be taken over; empty: it can
	fenced bool   // the loopback chain is there
	sets   map[shape]map[target]state
}

// state is what is known of one element.
type state struct {
	until   time.Time // zero: for ever
	traffic enforce.Traffic
}

func stateOf(e rawElement) state {
	s := state{traffic: enforce.Traffic{Packets: e.packets, Bytes: e.bytes}}
	if e.timed {
		s.until = time.Now().Add(e.expires)
	}
	return s
}

// holds says whether a ban stands as it should.
func (h *found) holds(b *ban, now time.Time) bool {
	for _, t := range b.targets {
		e, ok := h.sets[b.shape][t]
		if !ok || e.until.IsZero() != b.until.IsZero() || e.until.Sub(b.until).Abs() > slack {
			return false
		}
	}
	return true
}

// forget takes the elements of a ban out of h.
func (h *found) forget(b *ban) {
	for _, t := range b.targets {
		delete(h.sets[b.shape], t)
	}
}

// replaced is a transaction that makes the changes on an empty table, with the
// counters of what stands.
func (h *found) replaced(changes []change) transaction {
	t := make(transaction)
	for _, c := range changes {
		t.put(c.ban.shape, c.ban.targets, c.ban.until)
	}
	for s, elements := range t {
		for target, e := range elements {
			e.traffic = h.sets[s][target].traffic
		}
	}
	return t
}

// kept is a transaction that makes what stands on an empty table.
func (h *found) kept() transaction {
	t := make(transaction)
	for s, elements := range h.sets {
		for target, e := range elements {
			*t.at(s, target) = element{put: true, until: e.until, traffic: e.traffic}
		}
	}
	return t
}

// setID names one of our sets to a reader.
func (f *Firewall) setID(s shape) setID {
	return setID{family: unix.NFPROTO_INET, table: f.opt.Table, name: s.name()}
}

// find reads the table: its layout, and the elements of the sets that have the
// shape their name promises.
func (f *Firewall) find(ctx context.Context) (*found, error) {
	have := &found{sets: make(map[shape]map[target]state)}
	err := f.kernel.do(ctx, "read table", func(c *conn) error { return f.inspect(c, have) })
	if err != nil || !have.exists {
		return have, err
	}
	err = f.kernel.read("read bans", func(r *reader) error {
		for s := range have.sets {
			elements, err := readElements(ctx, r, f.setID(s), s)
			if err != nil {
				return err
			}
			have.sets[s] = elements
		}
		return nil
	})
	return have, err
}

// inspect reads the layout.
func (f *Firewall) inspect(c *conn, have *found) error {
	have.flaw = "missing"
	tables, err := c.ListTablesOfFamily(nftables.TableFamilyINet)
	if err != nil {
		return err
	}
	for _, t := range tables {
		if t.Name == f.opt.Table {
			have.exists, have.flaw = true, ""
			if t.Flags != 0 {
				have.flaw = fmt.Sprintf("table flags %#x", uint32(t.Flags))
			}
		}
	}
	if !have.exists {
		return nil
	}
	sets, err := c.GetSets(f.table())
	if err != nil {
		return err
	}
	for _, set := range sets {
		s, ok := parseShape(set.Name)
		if !ok || !s.made(set) {
			have.flaw = "set " + set.Name
			continue
		}
		have.sets[s] = nil
	}
	chains, err := c.ListChainsOfTableFamily(nftables.TableFamilyINet)
	if err != nil {
		return err
	}
	f.inspectChains(chains, have)
	return nil
}

// inspectChains looks for chains that are missing, other than ours, or not
// where we hook them.
func (f *Firewall) inspectChains(chains []*nftables.Chain, have *found) {
	known := map[string]chain{refuseChain: refuse(), answerChain: answer(), loopbackChain: loopback()}
	hooked := false
	for _, c := range chains {
		if c.Table.Name != f.opt.Table {
			continue
		}
		if ch, ok := known[c.Name]; !ok || !ch.made(c) {
			have.flaw = "chain " + c.Name
		}
		hooked = hooked || c.Name == refuseChain
		have.fenced = have.fenced || c.Name == loopbackChain
	}
	if !hooked {
		have.flaw = "no chain " + refuseChain
	}
}

// readElements reads one of our sets. Elements that no ban of the shape makes
// (host bits in a network) are left out: the rule's mask keeps them from
// matching anything.
func readElements(ctx context.Context, r *reader, id setID, s shape) (map[target]state, error) {
	elements := make(map[target]state)
	err := r.elements(ctx, id, func() { clear(elements) }, func(e rawElement) bool {
		t, ok := s.target(e.key)
		if !ok {
			return true
		}
		_, known := elements[t]
		elements[t] = stateOf(e)
		return !known
	})
	return elements, err
}
