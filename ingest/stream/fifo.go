package stream

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"bailiff/ingest"
)

// FifoOptions configures a Fifo.
type FifoOptions struct {
	// Options are those of the stream, which is Live.
	Options
	// Path is the named pipe's.
	Path string
	// Group is the number of the group whose members may write; -1 for none.
	Group int
}

// Fifo reads a named pipe, whose writers come and go. It implements ingest.Source and
// ingest.Counter. What its writers have written when Run is told to end it still
// hands out; a reader that is slow keeps them waiting.
//
// Writes of up to 4,096 bytes, whole lines, do not mix with others' (pipe(7)).
type Fifo struct {
	path  string
	group int
	Source
}

// NewFifo returns the source of a named pipe. It touches nothing yet.
func NewFifo(opts FifoOptions) (*Fifo, error) {
	opts.Live = true
	s, err := New(nil, opts.Options)
	if err != nil {
		return nil, err
	}
	return &Fifo{path: opts.Path, group: opts.Group, Source: Source{opts: s.opts, lines: s.lines, page: s.page}}, nil
}

// FifoError is a named pipe that is not read.
type FifoError struct {
	Path string
	Err  error
	// Remedy is one line on what to do about it; empty where nothing is known.
	Remedy string
}

// Error returns the problem.
func (e *FifoError) Error() string { return fmt.Sprintf("read named pipe %s: %v", e.Path, e.Err) }

// Unwrap returns Err.
func (e *FifoError) Unwrap() error { return e.Err }

// Hint returns the remedy, for the line below the error.
func (e *FifoError) Hint() string { return e.Remedy }

// Prepare makes the named pipe if there is none, and checks who may write to it. It
// returns a *FifoError.
func (f *Fifo) Prepare() error {
	file, err := f.open()
	if err != nil {
		return err
	}
	return file.Close()
}

// open opens the pipe for writing too, so that it does not end with a writer.
func (f *Fifo) open() (*os.File, error) {
	const flags = unix.O_RDWR | unix.O_NONBLOCK | unix.O_NOFOLLOW
	file, err := os.OpenFile(f.path, flags, 0)
	if errors.Is(err, fs.ErrNotExist) {
		if err = f.make(); err == nil || errors.Is(err, fs.ErrExist) {
			file, err = os.OpenFile(f.path, flags, 0)
		}
	}
	if err == nil {
		if err = f.check(file); err != nil {
			err = errors.Join(err, file.Close())
		}
	}
	if err == nil {
		return file, nil
	}
	e := &FifoError{Path: f.path, Err: err}
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		e.Err = path.Err
	}
	switch {
	case errors.Is(err, errNoFifo), errors.Is(err, unix.ELOOP), errors.Is(err, unix.EISDIR), errors.Is(err, unix.ENXIO):
		e.Err, e.Remedy = errNoFifo, "remove it, or change path"
	case errors.Is(err, errOwner):
		e.Remedy = "remove it: bailiff makes its own"
	case errors.Is(err, errWriters):
		e.Remedy = "chmod 0600 " + f.path + ", or name the group that may write: group = \"adm\""
	case errors.Is(err, fs.ErrPermission):
		e.Remedy = "run as root, or choose a directory that you may write to"
	}
	return nil, e
}

var (
	errNoFifo  = errors.New("something else than a named pipe is in the way")
	errOwner   = errors.New("it belongs to another user, who may let anybody write")
	errWriters = errors.New("others may write to it, and so have whom they like banned")
)

func (f *Fifo) make() error {
	if err := os.MkdirAll(filepath.Dir(f.path), 0o755); err != nil {
		return err
	}
	// The umask takes nothing from 0600. A group is let in when it is the right one.
	if err := unix.Mkfifo(f.path, 0o600); err != nil {
		return err
	}
	if f.group < 0 {
		return nil
	}
	if err := os.Lchown(f.path, -1, f.group); err != nil {
		return err
	}
	return os.Chmod(f.path, 0o620)
}

// check looks at the pipe that is open, which nobody can exchange.
func (f *Fifo) check(file *os.File) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &st); err != nil {
		return err
	}
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFIFO:
		return errNoFifo
	case st.Uid != 0 && int(st.Uid) != os.Geteuid():
		return errOwner
	case st.Mode&0o002 != 0, st.Mode&0o020 != 0 && int(st.Gid) != f.group:
		return errWriters
	}
	return nil
}

// Run hands out every entry from the calling goroutine until ctx is done. It returns
// a *FifoError when the pipe is no longer the one at its path.
func (f *Fifo) Run(ctx context.Context, h ingest.Handler) error {
	file, err := f.open()
	if err != nil {
		return err
	}
	defer file.Close()
	own, err := file.Stat()
	if err != nil {
		return err
	}
	var in *Input
	var replaced error
	in, err = NewInput(file, nil, func() {
		if there, err := os.Lstat(f.path); err != nil || !os.SameFile(own, there) {
			replaced = &FifoError{Path: f.path, Err: errors.New("it was removed or replaced")}
			in.Stop()
		}
	})
	if err != nil {
		return err
	}
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { defer close(stopped); in.Stop() })
	defer func() {
		if !stop() {
			<-stopped
		}
		_ = in.Close()
	}()
	sc, err := NewScanner(in, f.opts)
	if err != nil {
		return err
	}
	f.scan(sc, h, func() bool { return true })
	if err := sc.Err(); err != nil {
		return &FifoError{Path: f.path, Err: err}
	}
	if ctx.Err() != nil {
		return nil
	}
	return replaced
}
