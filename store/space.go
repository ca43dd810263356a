package store

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// minInodes is how many files Badger may want to make at one go.
const minInodes = 64

// room returns an *Error of kind ErrNoSpace when less than MinFree and extra
// bytes are free for the store.
func (o *Options) room(extra uint64) error {
	need := o.MinFree + extra
	free := freeSpace
	if o.free != nil {
		free = o.free
	}
	bytes, inodes, err := free(o.Dir)
	switch {
	case err != nil:
		return &Error{Kind: ErrUnwritable, Dir: o.Dir, Err: err}
	case bytes < need:
		return &Error{
			Kind: ErrNoSpace, Dir: o.Dir,
			Err: fmt.Errorf("%d KiB free, %d KiB needed", bytes>>10, need>>10),
		}
	case inodes < minInodes:
		return &Error{
			Kind: ErrNoSpace, Dir: o.Dir,
			Err: fmt.Errorf("%d inodes free, %d needed", inodes, minInodes),
		}
	}
	return nil
}

// freeSpace asks the file system of dir what an ordinary user may still take.
func freeSpace(dir string) (bytes, inodes uint64, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, 0, fmt.Errorf("statfs: %w", err)
	}
	inodes = st.Ffree
	if st.Files == 0 { // btrfs and others count none
		inodes = minInodes
	}
	return st.Bavail * uint64(st.Bsize), inodes, nil
}
