package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"

	"github.com/dgraph-io/badger/v4"
)

// Badger refuses a transaction of more than 15 % of its memtable (ErrTxnTooBig).
// A larger commit is written twice: first as a log of its changes, in chunks, the
// last of which says that the log is whole; then change by change. Whoever opens
// the store in between finds a whole log and finishes the work, which is the same
// however often it is done, or a log that is not whole and forgets it.
//
// The chunks stay below largeValue: floods make large commits many times a
// second, and the value log would grow by each of them.
const redoChunk = 32 << 10

// writeLarge writes the changes by way of the redo log.
func (s *Store) writeLarge(changes []change) error {
	if err := s.writePieces(redoLog(changes)); err != nil {
		return err
	}
	return s.finish(changes)
}

// writePieces writes the changes in order, in as many transactions as it takes.
func (s *Store) writePieces(changes []change) error {
	for len(changes) > 0 {
		n := len(changes)
		for n > 1 && !s.fits(changes[:n]) {
			n = (n + 1) / 2
		}
		if err := s.transact(changes[:n]); err != nil {
			return err
		}
		changes = changes[n:]
	}
	return nil
}

// redoKey is the key of a chunk, counted from 1; 0 is that of the last to be
// written, which holds length and checksum of all.
func redoKey(chunk int) []byte {
	return binary.BigEndian.AppendUint32([]byte{kindRedo}, uint32(chunk))
}

// redoLog returns the changes that write the redo log of changes.
func redoLog(changes []change) []change {
	var log []byte
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
	whole := redoHead(log)
	var chunks []change
	for len(log) > 0 {
		n := min(len(log), redoChunk)
		chunks = append(chunks, change{key: redoKey(len(chunks) + 1), value: log[:n]})
		log = log[n:]
	}
	return append(chunks, change{key: redoKey(0), value: whole})
}

// redoHead returns the value of chunk 0.
func redoHead(log []byte) []byte {
	head := binary.AppendUvarint(nil, uint64(len(log)))
	return binary.BigEndian.AppendUint32(head, crc32.ChecksumIEEE(log))
}

var errNotWhole = errors.New("redo log is not whole")

// readRedo returns the changes of a redo log: the value of chunk 0, and those of
// the chunks from 1 on, to which chunks of an older log may be attached.
func readRedo(whole, log []byte) ([]change, error) {
	head := decoder{rest: whole}
	size, sum := head.uvarint(), binary.BigEndian.Uint32(head.take(4))
	if head.err != nil || size > uint64(len(log)) || crc32.ChecksumIEEE(log[:size]) != sum {
		return nil, errNotWhole
	}
	d := decoder{rest: log[:size]}
	var changes []change
	for len(d.rest) > 0 && d.err == nil {
		changes = append(changes, change{
			remove:  d.byte() == 1,
			expires: d.uvarint(),
			key:     []byte(d.string()),
			value:   []byte(d.string()),
		})
	}
	return changes, d.err
}

// finish writes what the redo log holds, and then removes it, chunk 0 first.
func (s *Store) finish(changes []change) error {
	if err := s.writePieces(changes); err != nil {
		return err
	}
	var done []change
	err := s.db.View(func(txn *badger.Txn) error {
		return scan(txn, []byte{kindRedo}, func(it *badger.Item) error {
			done = append(done, change{key: it.KeyCopy(nil), remove: true})
			return nil
		})
	})
	if err != nil {
		return err
	}
	return s.writePieces(done)
}

// redo finishes or forgets the large commit in which the process ended.
func (s *Store) redo() error {
	var chunks, whole, log []byte
	err := s.db.View(func(txn *badger.Txn) error {
		return scan(txn, []byte{kindRedo}, func(it *badger.Item) error {
			chunks = it.KeyCopy(chunks)
			into := &log
			if bytes.Equal(it.Key(), redoKey(0)) {
				into = &whole
			}
			return it.Value(func(v []byte) error { *into = append(*into, v...); return nil })
		})
	})
	if err != nil || chunks == nil {
		return err
	}
	changes, err := readRedo(whole, log)
	if err != nil {
		s.log.Warn("forgetting a large commit that the last stop cut off", "dir", s.opts.Dir, "err", err)
	}
	return s.finish(changes)
}
