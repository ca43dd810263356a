package file

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"bailiff/ingest/stream"
)

// tail is one file that is followed. It is told from others by its number, and
// from a later content of its own by what it begins with.
type tail struct {
	id   id
	f    *os.File
	path string // under which a glob finds it; empty since it lost that name
	base string // the last name under which one did

	offset int64 // what is before it was handed out
	mid    bool  // the offset lies within a line of which no more is wanted
	// head is what the file begins with: headSize bytes, or at least as many as
	// the offset if that is less.
	head []byte
	// back is what lies before the offset: backSize bytes, or the whole.
	back []byte

	fresh  bool  // nothing was read, and it may be a copy of another
	copyOf *tail // it is one, and is not read as long as the other holds the same
	packed bool  // compressed; never read

	size    int64     // at the last look
	mtime   time.Time // at the last look
	pending int64     // bytes of a line that is not complete
	looked  time.Time // when last everything had been read
	grew    time.Time // when last something was
	lost    time.Time // when it lost its name
	retired bool      // it was rotated away, as its name tells

	begins [headSize]byte // scratch of holds
}

// backSize is how much of what was read last tells a copy, with the head.
const backSize = 64

// openTail opens what a path leads to.
func openTail(path string) (*tail, stat, error) {
	// A path can lead to something else than it did a moment ago, and to open
	// a pipe must not wait for its other end.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, stat{}, err
	}
	st, err := lookOpen(f)
	if err != nil {
		_ = f.Close()
		return nil, stat{}, err
	}
	return &tail{id: st.id, f: f, base: path, size: st.size, mtime: st.mtime}, st, nil
}

// begin reads the first n bytes, or as many as there are.
func (t *tail) begin(n int) ([]byte, error) {
	b := make([]byte, n)
	n, err := t.f.ReadAt(b, 0)
	if err == io.EOF {
		err = nil
	}
	return b[:n], err
}

// holds says that the file still begins with head.
func (t *tail) holds(head []byte) bool {
	if len(head) == 0 {
		return true
	}
	n, _ := t.f.ReadAt(t.begins[:len(head)], 0)
	return bytes.Equal(t.begins[:n], head)
}

// extended returns the head that follows from a chunk read at the offset.
func (t *tail) extended(chunk []byte) []byte {
	at := int(min(t.offset, headSize))
	if len(t.head) >= at+len(chunk) || len(t.head) == headSize {
		return t.head
	}
	head := append(make([]byte, 0, headSize), t.head[:at]...)
	return append(head, chunk[:min(len(chunk), headSize-at)]...)
}

// telling says that a head is enough to tell a copy by: whole, or a line.
func telling(head []byte) bool {
	return len(head) == headSize || bytes.IndexByte(head, '\n') >= 0
}

// place says how far the file was read.
func (t *tail) place() place {
	head := t.head[:min(t.offset, int64(len(t.head)))]
	return place{id: t.id, offset: t.offset, mid: t.mid, sum: checksum(head, t.back)}
}

// goTo sets the offset, and learns what is around.
func (t *tail) goTo(offset int64, mid bool) error {
	head, err := t.begin(headSize)
	if err != nil {
		return err
	}
	back := make([]byte, min(offset, backSize), backSize)
	if _, err := t.f.ReadAt(back, offset-int64(len(back))); err != nil {
		return err
	}
	t.offset, t.mid, t.head, t.back = offset, mid, head, back
	t.pending, t.fresh, t.copyOf = 0, false, nil
	return nil
}

// advance moves the offset over n bytes of chunk, which lie at the offset.
func (t *tail) advance(chunk []byte, n int) []byte {
	if n >= backSize {
		t.back = append(t.back[:0], chunk[n-backSize:n]...)
	} else {
		keep := max(0, min(len(t.back), backSize-n))
		copy(t.back, t.back[len(t.back)-keep:])
		t.back = append(t.back[:keep], chunk[:n]...)
	}
	t.offset += int64(n)
	return chunk[n:]
}

// continues says that t holds what o held up to o's offset, which may be gone from
// o.
func (t *tail) continues(o *tail, head []byte) bool {
	if o.offset == 0 {
		// Nothing was read, so that only a beginning that is long enough tells.
		return telling(head) && t.holds(head)
	}
	if !t.holds(head[:min(int64(len(head)), o.offset)]) {
		return false
	}
	var back [backSize]byte
	n, _ := t.f.ReadAt(back[:len(o.back)], o.offset-int64(len(o.back)))
	return bytes.Equal(back[:n], o.back)
}

// copies says that t is a copy of what o holds now, or the first part of one. If
// o still begins as it did, that is known the better afterwards; otherwise it was
// truncated, which is still to be noticed, and known is false.
func (t *tail) copies(o *tail) (copied, known bool) {
	head, err := o.begin(headSize)
	if err != nil || !telling(head) || !t.holds(head) {
		return false, true
	}
	st, err := lookOpen(t.f)
	if err != nil {
		return false, true
	}
	var a, b [backSize]byte
	at := max(0, st.size-backSize)
	n, _ := t.f.ReadAt(a[:min(st.size, backSize)], at)
	m, _ := o.f.ReadAt(b[:min(st.size, backSize)], at)
	if !bytes.Equal(a[:n], b[:m]) {
		return false, true
	}
	if known = bytes.HasPrefix(head, o.head); known {
		o.head = head
	}
	return true, known
}

// lastLine is within how much of the end of a file its last line is looked for.
const lastLine = 128 << 10

// toEnd places the tail behind the last whole line, or at the end where the
// last line is too long to be one.
func (t *tail) toEnd() error {
	st, err := lookOpen(t.f)
	if err != nil {
		return err
	}
	t.size, t.mtime = st.size, st.mtime
	last := make([]byte, min(st.size, lastLine))
	n, err := t.f.ReadAt(last, st.size-int64(len(last)))
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	last = last[:n]
	line := last[bytes.LastIndexByte(last, '\n')+1:]
	if int64(len(line)) < st.size && len(line) == len(last) || len(line) > stream.MaxLine(line) {
		return t.goTo(st.size, true)
	}
	return t.goTo(st.size-int64(len(line)), false)
}

// afterHole moves the offset over a hole: after copytruncate a writer that does
// not append goes on where it was, and the file system puts nothing before it.
func (t *tail) afterHole() bool {
	at, err := unix.Seek(int(t.f.Fd()), t.offset, unix.SEEK_DATA)
	if err == unix.ENXIO {
		at = t.size
	} else if err != nil {
		return false
	}
	return at > t.offset && t.goTo(at, false) == nil
}

// rotationOf says that name is what a rotation in the same directory makes of
// base.
func rotationOf(base, name string) bool {
	return filepath.Dir(base) == filepath.Dir(name) && rotated(filepath.Base(base), filepath.Base(name))
}
