package store

import (
	"errors"
	"fmt"
	"time"

	"github.com/dgraph-io/badger/v4"

	"bailiff/decide"
)

// change is one key set or deleted.
type change struct {
	key, value []byte
	expires    uint64 // Unix seconds, 0 for never
	remove     bool
}

// in makes the change in a transaction.
func (c *change) in(txn *badger.Txn) error {
	if c.remove {
		return txn.Delete(c.key)
	}
	e := badger.NewEntry(c.key, c.value)
	e.ExpiresAt = c.expires
	return txn.SetEntry(e)
}

// draft collects the changes of one commit and reads through them.
type draft struct {
	txn     *badger.Txn
	changes []change
	index   map[string]int // key → place in changes
}

func (d *draft) put(c change) {
	if i, ok := d.index[string(c.key)]; ok {
		d.changes[i] = c
		return
	}
	d.index[string(c.key)] = len(d.changes)
	d.changes = append(d.changes, c)
}

// get returns what key will hold after the changes so far; nil if nothing.
func (d *draft) get(key []byte) ([]byte, error) {
	if i, ok := d.index[string(key)]; ok {
		return d.changes[i].value, nil
	}
	item, err := d.txn.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return item.ValueCopy(nil)
}

// changes works out what b changes.
func (s *Store) changes(b Batch) ([]change, error) {
	var d draft
	err := s.db.View(func(txn *badger.Txn) error {
		d = draft{txn: txn, index: make(map[string]int)}
		for i := range b.Decisions {
			if err := s.decide(&d, &b.Decisions[i]); err != nil {
				return fmt.Errorf("decision %s: %w", b.Decisions[i].ID, err)
			}
		}
		for i := range b.Windows {
			if err := s.window(&d, &b.Windows[i]); err != nil {
				return err
			}
		}
		for i := range b.Known {
			s.known(&d, &b.Known[i])
		}
		for i := range b.Orders {
			s.order(&d, &b.Orders[i])
		}
		for i := range b.Held {
			held(&d, &b.Held[i])
		}
		for i := range b.Scores {
			if err := s.score(&d, &b.Scores[i]); err != nil {
				return err
			}
		}
		for _, m := range b.Marks {
			d.put(change{key: markKey(m.Source), value: m.Cursor})
		}
		return nil
	})
	return d.changes, err
}

// decide adds one decision to the record, and raises or ends the ban it speaks
// of.
func (s *Store) decide(d *draft, dec *decide.Decision) error {
	rec := record{Decision: *dec}
	switch dec.Action {
	case decide.Ban:
		ended, err := d.endedBefore(dec)
		if err != nil || ended {
			return err
		}
		if !dec.Spent {
			d.put(change{
				key:     banKey(dec.Prefix, dec.Jail),
				value:   rec.appendBinary(nil),
				expires: expiry(dec.Until, time.Second),
			})
		}
		s.record(d, &rec, s.forgetAt(rec.end()))
	case decide.Lift:
		s.record(d, &rec, s.forgetAt(dec.At))
		return s.lift(d, dec)
	default:
		s.record(d, &rec, s.forgetAt(dec.At))
	}
	return nil
}

// record puts a decision and its evidence down.
func (s *Store) record(d *draft, rec *record, expires uint64) {
	d.put(change{
		key:     decisionKey(kindDecision, &rec.Decision),
		value:   rec.appendBinary(nil),
		expires: expires,
	})
	if len(rec.Evidence) > 0 {
		d.put(change{
			key:     decisionKey(kindEvidence, &rec.Decision),
			value:   appendEvidence(nil, rec.Evidence),
			expires: expires,
		})
	}
}

// endedBefore says whether this very ban is on record as lifted.
func (d *draft) endedBefore(ban *decide.Decision) (bool, error) {
	value, err := d.get(decisionKey(kindDecision, ban))
	if value == nil || err != nil {
		return false, err
	}
	var rec record
	if err := rec.unmarshalBinary(value); err != nil {
		return false, err
	}
	return !rec.ended.IsZero(), nil
}

// lift ends the ban that stands on the prefix in the jail, if there is one, and
// notes the end with it.
func (s *Store) lift(d *draft, lift *decide.Decision) error {
	key := banKey(lift.Prefix, lift.Jail)
	value, err := d.get(key)
	if value == nil || err != nil {
		return err
	}
	d.put(change{key: key, remove: true})

	var rec record
	if err := rec.unmarshalBinary(value); err != nil {
		return err
	}
	if !rec.Until.IsZero() && !rec.Until.After(lift.At) {
		return nil // it had ended by itself
	}
	rec.ended = lift.At
	lines, err := d.get(decisionKey(kindEvidence, &rec.Decision))
	if err != nil {
		return err
	}
	if lines != nil {
		if rec.Evidence, err = evidence(lines); err != nil {
			return err
		}
	}
	s.record(d, &rec, s.forgetAt(rec.ended))
	return nil
}

// forgetAt returns when a decision that ended at end is forgotten.
func (s *Store) forgetAt(end time.Time) uint64 {
	if s.opts.Retain == 0 {
		return 0
	}
	return expiry(end, s.opts.Retain)
}

// expiry returns the first whole second at or after t + d, or 0, which is never,
// if t is the zero time.
func expiry(t time.Time, d time.Duration) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(max(t.Add(d+time.Second-1).Unix(), 1))
}
