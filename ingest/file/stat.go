package file

import (
	"cmp"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// stat is what the file system says of a file.
type stat struct {
	id          id
	born        time.Time // zero where the file system does not tell
	mtime       time.Time
	size        int64
	mode        uint32
	nlink       uint32
	owner, team uint32
}

// regular says that it is a plain file.
func (s *stat) regular() bool { return s.mode&unix.S_IFMT == unix.S_IFREG }

// older compares files by when they were last written to.
func (s *stat) older(o *stat) int { return cmp.Or(s.mtime.Compare(o.mtime), s.born.Compare(o.born)) }

// birth tells a file from a later one with the same number.
type birth struct {
	id   id
	born int64
}

func (s *stat) birth() birth {
	if s.born.IsZero() {
		return birth{id: s.id}
	}
	return birth{s.id, s.born.UnixNano()}
}

// look asks about a path and follows links.
func look(path string) (stat, error) {
	return statx(unix.AT_FDCWD, path, unix.AT_STATX_SYNC_AS_STAT)
}

// lookOpen asks about an open file.
func lookOpen(f *os.File) (stat, error) {
	return statx(int(f.Fd()), "", unix.AT_EMPTY_PATH|unix.AT_STATX_SYNC_AS_STAT)
}

func statx(dir int, path string, flags int) (stat, error) {
	var x unix.Statx_t
	for {
		err := unix.Statx(dir, path, flags, unix.STATX_BASIC_STATS|unix.STATX_BTIME, &x)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return stat{}, &os.PathError{Op: "stat", Path: path, Err: err}
		}
		break
	}
	s := stat{
		id:    id{unix.Mkdev(x.Dev_major, x.Dev_minor), x.Ino},
		mtime: time.Unix(x.Mtime.Sec, int64(x.Mtime.Nsec)),
		size:  int64(x.Size), mode: uint32(x.Mode), nlink: x.Nlink, owner: x.Uid, team: x.Gid,
	}
	if x.Mask&unix.STATX_BTIME != 0 {
		s.born = time.Unix(x.Btime.Sec, int64(x.Btime.Nsec))
	}
	return s, nil
}
