package store

import (
	"fmt"
	"time"

	"github.com/dgraph-io/badger/v4"

	"bailiff/decide"
)

func windowKey(w *decide.Window) []byte {
	key := append(appendPrefix([]byte{kindWindow}, w.Prefix), w.Jail...)
	if w.Account != "" {
		key = append(append(key, 0), w.Account...) // no jail has a NUL in its name
	}
	return key
}

// window replaces one open window.
func (s *Store) window(d *draft, w *decide.Window) error {
	key := windowKey(w)
	if w.Empty() {
		d.put(change{key: key, remove: true})
		return nil
	}
	value, err := w.AppendBinary(nil)
	if err != nil {
		return fmt.Errorf("window of %v in %s: %w", w.Prefix, w.Jail, err)
	}
	c := change{key: key, value: value}
	if s.opts.RetainWindow > 0 {
		c.expires = expiry(time.Now(), s.opts.RetainWindow)
	}
	d.put(c)
	return nil
}

// Windows returns the windows that were open when they were last committed, in
// order of address.
func (s *Store) Windows() ([]decide.Window, error) {
	var windows []decide.Window
	err := s.db.View(func(txn *badger.Txn) error {
		return scan(txn, []byte{kindWindow}, func(it *badger.Item) error {
			var w decide.Window
			if err := it.Value(w.UnmarshalBinary); err != nil {
				s.unreadable(it, err)
				return nil
			}
			windows = append(windows, w)
			return nil
		})
	})
	return windows, err
}
