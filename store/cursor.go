package store

import (
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"
)

// Mark returns the last committed position of a source, and whether there is
// one.
func (s *Store) Mark(source string) (cursor []byte, ok bool, err error) {
	err = s.db.View(func(txn *badger.Txn) error {
		it, err := txn.Get(markKey(source))
		if errors.Is(err, badger.ErrKeyNotFound) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("position of %s: %w", source, err)
		}
		ok = true
		cursor, err = it.ValueCopy(nil)
		return err
	})
	return cursor, ok, err
}
