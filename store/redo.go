package store

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/dgraph-io/badger/v4"
)

// Badger refuses a transaction of more than 15 % of its memtable (ErrTxnTooBig),
// but counts a value that goes to the value log as a pointer. A larger commit is
// therefore written twice: first as one byte string, in values of redoChunk, in
// one transaction; then, change by change, in as many transactions as it takes.
// Whoever opens the store in between finds the byte string and finishes the
// work, which is the same however often it is done.
const redoChunk = 2 * largeValue

// writeLarge writes the changes by way of the redo log.
func (s *Store) writeLarge(changes []change) error {
	if err := s.transact(redoLog(changes)); err != nil {
		return err
	}
	return s.finish(changes)
}

// redoLog returns the changes that store the changes as one byte string.
func redoLog(changes []change) []change {
	log := binary.AppendUvarint(nil, uint64(len(changes)))
	for _, c := range changes {
		remove := byte(0)
		if c.remove {
			remove = 1
		}
		log = append(log, remove)
		log = binary.AppendUvarint(log, c.expires)
		log = appendString(log, string(c.key))
		log = appendString(log, string(c.value))
	}
	var chunks []change
	for seq := uint32(0); len(log) > 0; seq++ {
		n := min(len(log), redoChunk)
		chunks = append(chunks, change{
			key:   binary.BigEndian.AppendUint32([]byte{kindRedo}, seq),
			value: log[:n],
		})
		log = log[n:]
	}
	return chunks
}

// readRedo returns the changes of a redoLog.
func readRedo(log []byte) ([]change, error) {
	d := decoder{rest: log}
	var changes []change
	for n := d.uvarint(); n > 0 && d.err == nil; n-- {
		changes = append(changes, change{
			remove:  d.byte() == 1,
			expires: d.uvarint(),
			key:     []byte(d.string()),
			value:   []byte(d.string()),
		})
	}
	return changes, d.err
}

// finish writes what the redo log holds, and then removes it.
func (s *Store) finish(changes []change) error {
	for len(changes) > 0 {
		n := len(changes)
		for n > 1 && !s.fits(changes[:n]) {
			n = (n + 1) / 2
		}
		if err := s.transact(changes[:n]); err != nil {
			return fmt.Errorf("part of a large commit: %w", err)
		}
		changes = changes[n:]
	}
	var done []change
	err := s.db.View(func(txn *badger.Txn) error {
		return scan(txn, []byte{kindRedo}, false, func(it *badger.Item) error {
			done = append(done, change{key: it.KeyCopy(nil), remove: true})
			return nil
		})
	})
	if err != nil {
		return err
	}
	return s.transact(done)
}

// redo finishes a large commit in which the process ended. A log that cannot be
// read was not whole when the power went, and nothing was reported of it: it is
// dropped.
func (s *Store) redo() error {
	var log bytes.Buffer
	var rotten error
	err := s.db.View(func(txn *badger.Txn) error {
		return scan(txn, []byte{kindRedo}, true, func(it *badger.Item) error {
			if err := it.Value(func(v []byte) error { log.Write(v); return nil }); err != nil {
				rotten = err
			}
			return nil
		})
	})
	if err != nil || log.Len() == 0 && rotten == nil {
		return err
	}
	changes, err := readRedo(log.Bytes())
	if rotten != nil || err != nil {
		s.log.Warn("dropping a large commit that the last stop cut off", "dir", s.opts.Dir)
		return s.finish(nil)
	}
	return s.finish(changes)
}
