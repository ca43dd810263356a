package store

import (
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"bailiff/decide"
)

// orderKey is the key of what an operator said.
func orderKey(o *decide.Order) []byte {
	return append(appendPrefix([]byte{kindOrder, byte(o.Kind)}, o.Prefix), o.Jail...)
}

// order keeps or deletes one order.
func (s *Store) order(d *draft, o *decide.Order) {
	c := change{key: orderKey(o), remove: o.Ended}
	if !c.remove {
		c.value = append(c.value, codecVersion)
		c.value = appendStamp(c.value, o.At)
		c.value = appendStamp(c.value, o.Until)
		c.value = appendString(c.value, o.Reason)
		c.expires = expiry(o.Until, 0)
	}
	d.put(c)
}

// Orders returns what operators said and has not ended, in no order that matters.
func (s *Store) Orders() ([]decide.Order, error) {
	var all []decide.Order
	err := s.db.View(func(txn *badger.Txn) error {
		return scan(txn, []byte{kindOrder}, func(it *badger.Item) error {
			o, err := readOrder(it)
			if err != nil {
				s.unreadable(it, err)
				return nil
			}
			all = append(all, o)
			return nil
		})
	})
	return all, err
}

func readOrder(it *badger.Item) (o decide.Order, err error) {
	key := it.Key()[1:]
	if len(key) == 0 || key[0] > byte(decide.Forget) {
		return o, errKey
	}
	prefix, jail, err := cutPrefix(key[1:])
	if err != nil {
		return o, err
	}
	o = decide.Order{Kind: decide.OrderKind(key[0]), Prefix: prefix, Jail: string(jail)}
	err = it.Value(func(v []byte) error {
		d := decoder{rest: v}
		if v := d.byte(); v != codecVersion && d.err == nil {
			return fmt.Errorf("order of encoding %d", v)
		}
		o.At, o.Until, o.Reason = d.stamp(), d.stamp(), d.string()
		return d.err
	})
	return o, err
}

// Orders is Store.Orders; nothing while there is no store.
func (r *Resilient) Orders() ([]decide.Order, error) {
	s, _ := r.read()
	if s == nil {
		return nil, nil
	}
	return s.Orders()
}
