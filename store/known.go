package store

import (
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"bailiff/decide"
)

// knownKey is the key of an account that was opened from a prefix.
func knownKey(k *decide.Known) []byte {
	return append(appendPrefix([]byte{kindKnown}, k.Prefix), k.Account...)
}

// known notes or forgets one account.
func (s *Store) known(d *draft, k *decide.Known) {
	c := change{key: knownKey(k), remove: k.Last.IsZero()}
	if !c.remove {
		c.value = appendStamp(nil, k.Last)
		if s.opts.RetainKnown > 0 {
			c.expires = expiry(k.Last, s.opts.RetainKnown)
		}
	}
	d.put(c)
}

// Known returns the accounts that were opened, in order of address.
func (s *Store) Known() ([]decide.Known, error) {
	var all []decide.Known
	err := s.db.View(func(txn *badger.Txn) error {
		return scan(txn, []byte{kindKnown}, func(it *badger.Item) error {
			prefix, account, err := cutPrefix(it.Key()[1:])
			if err != nil {
				s.unreadable(it, err)
				return nil
			}
			k := decide.Known{Prefix: prefix, Account: string(account)}
			err = it.Value(func(v []byte) error {
				d := decoder{rest: v}
				k.Last = d.stamp()
				return d.err
			})
			if err != nil {
				s.unreadable(it, fmt.Errorf("when it was opened: %w", err))
				return nil
			}
			all = append(all, k)
			return nil
		})
	})
	return all, err
}

// Known is Store.Known; nothing while there is no store.
func (r *Resilient) Known() ([]decide.Known, error) {
	s, _ := r.read()
	if s == nil {
		return nil, nil
	}
	return s.Known()
}
