package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/table"
)

// removeEmpty removes the logs without content that are left when the process is
// killed while Badger makes a log or removes one (it shortens it first). Badger
// would refuse to open the store ("Create a new file").
func removeEmpty(dir string) error {
	for _, pattern := range []string{"*.mem", "*.vlog"} {
		names, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return err
		}
		for _, name := range names {
			info, err := os.Stat(name)
			if err != nil {
				return err
			}
			if info.Size() > 0 {
				continue
			}
			if err := os.Remove(name); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkTables looks at the end of each table that Badger's manifest names. A
// table that lost its tail (its pages were not written when the power went) makes
// Badger panic in a goroutine of its own, where nobody can recover; damage
// elsewhere Badger finds by checksum. Tables beyond the manifest are what a kill
// left half made, and Badger removes them.
func checkTables(opts badger.Options) error {
	f, err := os.Open(filepath.Join(opts.Dir, badger.ManifestFilename))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // a new store
	}
	if err != nil {
		return err
	}
	defer f.Close()
	manifest, _, err := badger.ReplayManifestFile(f, opts.ExternalMagicVersion, opts)
	if err != nil {
		return err
	}
	for id := range manifest.Tables {
		name := table.NewFilename(id, opts.Dir)
		if err := checkTable(name); err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(name), err)
		}
	}
	return nil
}

// checkTable reads the footer of one table (badger/v4 table/builder.go): index,
// length of the index, checksum, length of the checksum, both lengths of four
// bytes, big-endian.
func checkTable(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	for _, part := range []string{"checksum", "index"} {
		var word [4]byte
		if _, err := f.ReadAt(word[:], end-4); err != nil {
			return fmt.Errorf("no length of the %s: %w", part, err)
		}
		n := int64(binary.BigEndian.Uint32(word[:]))
		if end -= 4; n == 0 || n > end {
			return fmt.Errorf("its %s cannot be %d bytes long", part, n)
		}
		end -= n
	}
	return nil
}
