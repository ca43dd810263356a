package stream

import (
	"bytes"
	"io"

	"bailiff/ingest"
)

const (
	// bufferSize makes a read worth its system call.
	bufferSize = 256 << 10
	// maxLine is how much of a line is kept: the longest message and as much
	// again for its header. maxObject is the same for a line of JSON, where
	// escapes make each byte six and other members stand beside the message.
	maxLine   = 2 * ingest.MaxMessage
	maxObject = 12 * ingest.MaxMessage
)

// lines cuts a reader into lines.
type lines struct {
	r          io.Reader
	buf        []byte
	start, end int // what of buf is read and not handed out
	err        error
	live       bool // what has no line feed at its end may lack more
	skip       bool // pass over everything up to the next line feed
	fills      int  // how often something was read
}

func newLines(r io.Reader, live bool) lines {
	if r == nil {
		return lines{err: io.EOF} // of a scanner that is given its lines
	}
	return lines{r: r, buf: make([]byte, bufferSize), live: live}
}

// next returns the next line without its line feed, and a carriage return in
// front of that, valid until the next call. cut says that its end was dropped, or may
// be missing: the last line of what is not live needs no line feed.
func (l *lines) next() (line []byte, cut, ok bool) {
	l.skipRest()
	seen := 0
	for {
		if i := bytes.IndexByte(l.buf[l.start+seen:l.end], '\n'); i >= 0 {
			line = l.buf[l.start : l.start+seen+i]
			l.start += seen + i + 1
			break
		}
		seen = l.end - l.start
		if limit := MaxLine(l.buf[l.start:l.end]); seen > limit {
			line = l.buf[l.start : l.start+limit]
			l.start += limit
			l.skip = true
			return line, true, true
		}
		if !l.fill() {
			if seen == 0 {
				return nil, false, false
			}
			line = l.buf[l.start:l.end]
			l.start, cut = l.end, l.live
			break
		}
	}
	if limit := MaxLine(line); len(line) > limit {
		return line[:limit], true, true
	}
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	return line, cut, true
}

// skipRest passes over what is left of a line that was cut.
func (l *lines) skipRest() {
	for l.skip {
		if i := bytes.IndexByte(l.buf[l.start:l.end], '\n'); i >= 0 {
			l.start += i + 1
			l.skip = false
			return
		}
		l.start = l.end
		l.skip = l.fill()
	}
}

// take returns up to n bytes, whatever they are, valid until the next call; less
// only at the end of the stream or of the buffer.
func (l *lines) take(n int) []byte {
	l.skipRest()
	for l.end-l.start < min(n, bufferSize) && l.fill() {
	}
	b := l.buf[l.start:min(l.end, l.start+n)]
	l.start += len(b)
	return b
}

// fill reads more behind what is there and may move what is there. It returns
// false at the end of the stream.
func (l *lines) fill() bool {
	if l.start > 0 {
		l.end = copy(l.buf, l.buf[l.start:l.end])
		l.start = 0
	}
	for l.err == nil && l.end < len(l.buf) {
		n, err := l.r.Read(l.buf[l.end:])
		l.end += n
		l.err = err
		if n > 0 {
			l.fills++
			return true
		}
	}
	return false
}
