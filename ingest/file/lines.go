package file

import (
	"bytes"
	"context"
	"errors"
	"io"
	"time"

	"bailiff/ingest"
	"bailiff/ingest/stream"
)

const (
	// bufferSize makes a read worth its system call.
	bufferSize = 256 << 10
	// bigHole is how many NUL bytes are worth the question whether there is a
	// hole.
	bigHole = 4096
	// live is how long ago everything may have been read for a line to count as
	// written now.
	live = 2 * time.Second
)

// turn reads what one buffer holds of a file, and says whether there may be
// more.
func (s *Source) turn(ctx context.Context, t *tail) (more bool) {
	st, err := lookOpen(t.f)
	if err != nil {
		s.ail(t.base, err)
		return false
	}
	if t.copyOf != nil || t.packed {
		t.size, t.mtime = st.size, st.mtime
		return false
	}
	now := s.now()
	if st.size == t.offset+t.pending && st.mtime.Equal(t.mtime) {
		t.looked = now
		return false
	}
	if st.size < t.offset || !t.holds(t.head) {
		s.renewed(t)
		return true
	}
	t.size, t.mtime = st.size, st.mtime
	n, err := t.f.ReadAt(s.buf, t.offset)
	if n == 0 {
		if err != nil && !errors.Is(err, io.EOF) {
			s.ail(t.base, err)
		}
		t.looked, t.pending = now, 0
		return false
	}
	chunk := s.buf[:n]
	if s.opts.afterRead != nil {
		s.opts.afterRead()
	}
	if t.fresh && !s.admit(t, chunk) {
		return t.offset > 0
	}
	// The file may have been truncated before the chunk was read. It was not if
	// it still has its head; nor if it is not longer yet than what was read
	// before, because a chunk of its new content would lie behind that.
	head := t.extended(chunk)
	if !t.holds(head) {
		if st, err = lookOpen(t.f); err != nil || st.size > t.offset {
			if len(t.head) == 0 {
				t.head = head
			}
			s.renewed(t)
			return true
		}
	}
	t.head, t.fresh = head, false
	if chunk[0] == 0 && !t.mid && leadingNULs(chunk) >= bigHole && t.afterHole() {
		t.pending = 0
		return true
	}
	t.grew = now
	before := t.offset
	s.lines(ctx, t, chunk, now)
	if n == len(s.buf) && t.offset > before {
		t.pending = 0
		return true
	}
	t.pending = int64(n) - (t.offset - before)
	t.looked = now
	return false
}

func leadingNULs(b []byte) int {
	n := 0
	for n < len(b) && b[n] == 0 {
		n++
	}
	return n
}

// lines hands out the lines of a chunk read at the offset of t, and moves that
// behind them.
func (s *Source) lines(ctx context.Context, t *tail, chunk []byte, now time.Time) {
	s.prefix(t)
	for len(chunk) > 0 && ctx.Err() == nil {
		end := bytes.IndexByte(chunk, '\n')
		switch {
		case t.mid:
			n := end + 1
			if end < 0 {
				n = len(chunk)
			}
			s.skipped.Add(uint64(n))
			chunk = t.advance(chunk, n)
			t.mid = end < 0
		case chunk[0] == 0:
			chunk = t.advance(chunk, leadingNULs(chunk))
		case end < 0 && len(chunk) <= stream.MaxLine(chunk):
			return // the rest of the line is still to come
		case end < 0 || end > stream.MaxLine(chunk):
			n := stream.MaxLine(chunk)
			line := chunk[:n]
			chunk = t.advance(chunk, n)
			t.mid = true
			s.line(t, line, true, now)
		default:
			line := chunk[:end]
			chunk = t.advance(chunk, end+1)
			s.line(t, line, false, now)
		}
	}
}

// line hands out one line; the offset of t is behind it.
func (s *Source) line(t *tail, line []byte, cut bool, now time.Time) {
	s.page.Add(ingest.Received)
	if n := len(line); n > 0 && line[n-1] == '\r' && !cut {
		line = line[:n-1]
	}
	if len(line) == 0 {
		s.page.Add(ingest.MalformedEmpty)
		return
	}
	e, ok := s.scanner.Line(line, cut, now)
	if !ok {
		s.page.Add(ingest.MalformedJSON)
		return
	}
	e.Trust = s.opts.Trust
	e.Identifier = append(s.identifier[:0], e.Identifier...) // which may be the option itself
	s.identifier = e.Identifier
	e.Time = t.when(e.Time, now)
	p := t.place()
	s.cursor = appendPlace(s.cursor[:s.others], &p)
	e.Cursor = s.cursor
	s.page.Entry(e)
	s.handler(e)
	s.page.Add(ingest.Delivered)
}

// when returns the time of a line that says said, or says nothing and was read now.
// It was written between the last time that everything had been read, and now; if
// that is not long, it is now, because the zone of a stamp may be another than
// ours. Of a longer time the stamp says which part, if it lies within it; otherwise
// no line is younger than the file.
func (t *tail) when(said, now time.Time) time.Time {
	if now.Sub(t.looked) <= live {
		return now
	}
	if said.Before(now) && !said.Before(t.looked.Add(-time.Second)) {
		return said
	}
	if t.mtime.Before(now) {
		return t.mtime
	}
	return now
}

// last hands out a last line that has no end, of a file that nobody writes to any
// more.
func (s *Source) last(t *tail) {
	if t.mid || t.pending == 0 || t.pending > bufferSize {
		return
	}
	line := s.buf[:t.pending]
	if n, _ := t.f.ReadAt(line, t.offset); n < len(line) || len(line) > stream.MaxLine(line) || !t.holds(t.head) {
		return
	}
	t.offset += t.pending
	t.pending = 0
	s.prefix(t)
	s.line(t, line, false, s.now())
}
