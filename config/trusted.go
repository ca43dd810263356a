package config

import (
	"fmt"
	"io/fs"
	"syscall"
)

// trusted returns an *Error if a file is owned by somebody other than root and
// the user euid, or may be written by others than its owner.
func trusted(path string, info fs.FileInfo, euid int) error {
	if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Uid != 0 && int(st.Uid) != euid {
		return &Error{
			File: path,
			Msg:  fmt.Sprintf("owned by user %d, not by root", st.Uid),
			hint: "chown root " + path,
		}
	}
	if mode := info.Mode().Perm(); mode&0o022 != 0 {
		return &Error{
			File: path,
			Msg:  fmt.Sprintf("mode %04o lets others than the owner write to it", mode),
			hint: "chmod go-w " + path,
		}
	}
	return nil
}
