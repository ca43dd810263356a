package store

import (
	"fmt"
	"time"

	"github.com/dgraph-io/badger/v4"

	"bailiff/decide"
)

// heldKey is the key of the ban that waits on a prefix in a jail.
func heldKey(h *decide.Held) []byte {
	return append(appendPrefix([]byte{kindHeld}, h.Prefix), h.Jail...)
}

// held notes a ban that waits, or that it waits no more. What waits has its evidence
// with it: it is no decision on record yet.
func held(d *draft, h *decide.Held) {
	c := change{key: heldKey(h), remove: h.Over}
	if !h.Over {
		c.value, c.expires = appendHeld(nil, h), expiry(h.Until, time.Second)
	}
	d.put(c)
}

func appendHeld(b []byte, h *decide.Held) []byte {
	rec := record{Decision: h.Decision}
	b = append(b, codecVersion)
	b = appendString(b, string(rec.appendBinary(nil)))
	b = appendString(b, string(appendEvidence(nil, h.Evidence)))
	b = appendString(b, h.Why)
	b = appendPrefix(b, h.Window)
	return appendString(b, h.Account)
}

func readHeld(b []byte) (h decide.Held, err error) {
	d := decoder{rest: b}
	if v := d.byte(); v != codecVersion && d.err == nil {
		return h, fmt.Errorf("held ban of encoding %d", v)
	}
	decision, lines := d.string(), d.string()
	h.Why, h.Window, h.Account = d.string(), d.prefix(), d.string()
	if d.err != nil {
		return h, d.err
	}
	var rec record
	if err := rec.unmarshalBinary([]byte(decision)); err != nil {
		return h, err
	}
	h.Decision = rec.Decision
	h.Evidence, err = evidence([]byte(lines))
	return h, err
}

// Held returns the bans that wait for room, in order of address.
func (s *Store) Held() ([]decide.Held, error) {
	var all []decide.Held
	err := s.db.View(func(txn *badger.Txn) error {
		return scan(txn, []byte{kindHeld}, func(it *badger.Item) error {
			var h decide.Held
			err := it.Value(func(v []byte) error {
				var err error
				h, err = readHeld(v)
				return err
			})
			if err != nil {
				s.unreadable(it, err)
				return nil
			}
			all = append(all, h)
			return nil
		})
	})
	return all, err
}

// Held is Store.Held; nothing while there is no store.
func (r *Resilient) Held() ([]decide.Held, error) {
	s, _ := r.read()
	if s == nil {
		return nil, nil
	}
	return s.Held()
}
