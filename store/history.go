package store

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"slices"
	"time"

	"github.com/dgraph-io/badger/v4"

	"bailiff/decide"
)

// Bans returns the bans that stand at now, in order of address, simulated ones
// included. Evidence is left on disk, where [Store.Record] finds it: a hundred
// thousand bans would fill the memory with it.
func (s *Store) Bans(now time.Time) ([]decide.Decision, error) {
	var bans []decide.Decision
	names := make(map[string]string)
	err := s.db.View(func(txn *badger.Txn) error {
		return scan(txn, []byte{kindBan}, func(it *badger.Item) error {
			var rec record
			if err := it.Value(func(b []byte) error { return rec.decode(b, names) }); err != nil {
				s.unreadable(it, err)
			} else if rec.Active(now) {
				rec.Sums = nil // as with evidence
				bans = append(bans, rec.Decision)
			}
			return nil
		})
	})
	return bans, err
}

// Strikes returns the bans of exactly p that ended at or after since or stand,
// oldest first; jail "" asks for all jails. A ban that was lifted ended then.
// Simulated bans are none; spoofable ones are marked. It satisfies decide.History.
func (s *Store) Strikes(p netip.Prefix, jail string, since time.Time) ([]decide.Strike, error) {
	var strikes []decide.Strike
	err := s.db.View(func(txn *badger.Txn) error {
		prefix := appendPrefix([]byte{kindDecision}, p)
		return scan(txn, prefix, func(it *badger.Item) error {
			key, err := cutDecisionKey(it.Key())
			if err != nil || key.action != decide.Ban || jail != "" && string(key.jail) != jail {
				return nil
			}
			rec, ok := s.read(it)
			if !ok || rec.Simulated {
				return nil
			}
			if end := rec.end(); end.IsZero() || !end.Before(since) {
				strikes = append(strikes, decide.Strike{Prefix: rec.Prefix, Jail: rec.Jail, At: rec.At, Until: end, Spoofable: rec.Spoofable})
			}
			return nil
		})
	})
	return strikes, err
}

// Record returns what was decided about p, about any prefix that covers it and
// about anything inside it: the newest limit decisions, newest first, with their
// Evidence. A ban that was lifted keeps the Until it was given; the Lift is a
// decision of its own.
func (s *Store) Record(p netip.Prefix, limit int) ([]decide.Decision, error) {
	var decisions []decide.Decision
	err := s.db.View(func(txn *badger.Txn) error {
		keys, err := decisionKeys(txn, p)
		if err != nil {
			return err
		}
		slices.SortStableFunc(keys, func(a, b []byte) int {
			return bytes.Compare(b[1+prefixLen:], a[1+prefixLen:])
		})
		for _, key := range keys[:min(limit, len(keys))] {
			it, err := txn.Get(key)
			if err != nil {
				return err
			}
			rec, ok := s.read(it)
			if !ok {
				continue
			}
			rec.Evidence = s.evidence(txn, &rec.Decision)
			decisions = append(decisions, rec.Decision)
		}
		return nil
	})
	return decisions, err
}

// decisionKeys returns the keys of the decisions about p, what covers it and
// what is inside it.
func decisionKeys(txn *badger.Txn, p netip.Prefix) ([][]byte, error) {
	var keys [][]byte
	keep := func(it *badger.Item) error {
		keys = append(keys, it.KeyCopy(nil))
		return nil
	}
	p = p.Masked()
	for bits := range p.Bits() {
		wider, err := p.Addr().Prefix(bits)
		if err != nil {
			return nil, err
		}
		if err := scan(txn, appendPrefix([]byte{kindDecision}, wider), keep); err != nil {
			return nil, err
		}
	}
	first, beyond := rangeOf(kindDecision, p)
	err := scanRange(txn, first, beyond, func(it *badger.Item) error {
		key, err := cutDecisionKey(it.Key())
		if err != nil || key.prefix.Bits() < p.Bits() || key.prefix.Addr().Is4() != p.Addr().Is4() {
			return nil
		}
		return keep(it)
	})
	return keys, err
}

// evidence returns the lines that caused d; nil if there are none.
func (s *Store) evidence(txn *badger.Txn, d *decide.Decision) []string {
	it, err := txn.Get(decisionKey(kindEvidence, d))
	if err != nil {
		return nil
	}
	var lines []string
	err = it.Value(func(v []byte) error {
		lines, err = evidence(v)
		return err
	})
	if err != nil {
		s.unreadable(it, err)
	}
	return lines
}

// read decodes one record. One that cannot be read is passed over, because one
// rotten record must not take the others with it.
func (s *Store) read(it *badger.Item) (rec record, ok bool) {
	if err := it.Value(rec.unmarshalBinary); err != nil {
		s.unreadable(it, err)
		return record{}, false
	}
	return rec, true
}

// unreadable tells the operator of the first record that could not be read.
func (s *Store) unreadable(it *badger.Item, err error) {
	s.rotten.Do(func() {
		s.log.Warn("passing over a record that cannot be read, and any more like it",
			"dir", s.opts.Dir, "key", hex.EncodeToString(it.Key()), "err", err)
	})
}

// scan calls f for every key with the prefix, in order. Values are read when f asks for them:
// they stand beside the keys, and to read them ahead takes a third longer.
func scan(txn *badger.Txn, prefix []byte, f func(*badger.Item) error) error {
	opts := badger.DefaultIteratorOptions
	opts.Prefix, opts.PrefetchValues = prefix, false
	it := txn.NewIterator(opts)
	defer it.Close()
	for it.Rewind(); it.Valid(); it.Next() {
		if err := f(it.Item()); err != nil {
			return err
		}
	}
	return nil
}

// scanRange calls f for every key from first to before beyond, in order.
func scanRange(txn *badger.Txn, first, beyond []byte, f func(*badger.Item) error) error {
	opts := badger.DefaultIteratorOptions
	opts.Prefix, opts.PrefetchValues = first[:1], false
	it := txn.NewIterator(opts)
	defer it.Close()
	for it.Seek(first); it.Valid() && bytes.Compare(it.Item().Key(), beyond) < 0; it.Next() {
		if err := f(it.Item()); err != nil {
			return err
		}
	}
	return nil
}
