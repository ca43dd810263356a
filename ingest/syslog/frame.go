package syslog

import (
	"bytes"
	"io"

	"bailiff/ingest"
)

const (
	// maxFrame is how much of one frame is kept: the longest message and as
	// much again for its header.
	maxFrame = 2 * ingest.MaxMessage
	// maxCounted is the longest frame that an octet count is believed to
	// announce.
	maxCounted = 1 << 20
	// The buffer of a connection grows while reads fill it.
	minBuffer = 4 << 10
	maxBuffer = 64 << 10
)

// fate is what became of a frame.
type fate int

const (
	whole  fate = iota
	cut         // its end is missing
	broken      // it could not be delimited; nothing of it is handed out
	ended       // there are no more frames
)

// frames cuts a byte stream into syslog messages. Each frame may be delimited
// in either way of RFC 6587: by an octet count, "83 <34>1 …", or by a line feed
// at its end. A count is told from a line that begins with a digit by the space
// and the angle bracket behind it.
type frames struct {
	r          io.Reader
	buf        []byte
	start, end int // what of buf is read and not handed out
	err        error

	skip     int  // bytes of a long counted frame to pass over
	skipLine bool // pass over everything up to the next line feed
	inCounts bool // because of a wrong count, and not of a long line
	skipped  int  // how much has been passed over for it
	lost     bool // no frame could be found behind a fault
	counted  bool // the last frame was counted
}

// maxSkipped is how much is passed over in search of a line feed behind a wrong
// count. A stream of counted frames has none, and then only a new connection
// begins with a frame for sure: what looks like the next count may be text that
// an attacker had logged.
const maxSkipped = maxFrame

func newFrames(r io.Reader) *frames { return &frames{r: r, buf: make([]byte, minBuffer)} }

// next returns the next frame. It is valid until next is called again.
//
// A line without its line feed, or a counted frame without its last bytes, is
// cut when the stream ends: what is missing may be half of an address.
func (f *frames) next() ([]byte, fate) {
	if !f.resync() {
		return nil, ended
	}
	n, digits, isCount := f.count()
	switch {
	case isCount && n <= maxCounted:
		f.counted = true
		f.start += digits + 1
		return f.octets(n)
	case isCount, f.counted && f.buf[f.start] != '<':
		// An absurd count, or a count too small, which leaves the end of its
		// message here: text that must not pass for a line of its own.
		f.counted = false
		f.skipLine, f.inCounts, f.skipped = true, true, 0
		return nil, broken
	}
	f.counted = false
	return f.line()
}

// resync passes over what is left of the last frame and over separators, until
// a frame begins. It returns false if none does.
func (f *frames) resync() bool {
	for {
		if f.skip > 0 {
			n := min(f.skip, f.end-f.start)
			f.skip -= n
			f.start += n
		}
		if f.skipLine {
			i := bytes.IndexByte(f.buf[f.start:f.end], '\n')
			if i >= 0 {
				f.start += i
				f.skipLine = false
			} else {
				f.skipped += f.end - f.start
				f.start = f.end
			}
			if f.inCounts && f.skipLine && f.skipped > maxSkipped {
				f.lost = true
				return false
			}
		}
		for f.start < f.end && isSeparator(f.buf[f.start]) {
			f.start++
		}
		if f.start < f.end {
			return true
		}
		if !f.fill() {
			return false
		}
	}
}

// Some senders put a line feed or a NUL behind a counted frame as well.
func isSeparator(c byte) bool { return c == '\n' || c == '\r' || c == 0 }

// maxDigits is the most that a count has; more is a line that begins so.
const maxDigits = 9

// count reads an octet count. It waits for as many bytes as it needs to tell.
func (f *frames) count() (n, digits int, ok bool) {
	for i := 0; ; i++ {
		for f.start+i == f.end {
			if !f.fill() {
				return 0, 0, false
			}
		}
		c := f.buf[f.start+i]
		switch {
		case i == digits && isDigit(c) && !(i == 0 && c == '0'):
			digits++
			n = n*10 + int(c-'0')
			if digits > maxDigits {
				return 0, 0, false
			}
		case i == digits && digits > 0 && c == ' ':
		case i == digits+1 && c == '<':
			return n, digits, true
		default:
			return 0, 0, false
		}
	}
}

// octets hands out a frame of n bytes.
func (f *frames) octets(n int) ([]byte, fate) {
	keep := min(n, maxFrame)
	for f.end-f.start < keep {
		if !f.fill() {
			return f.take(f.end - f.start), cut
		}
	}
	if f.skip = n - keep; f.skip > 0 {
		return f.take(keep), cut
	}
	return f.take(keep), whole
}

// line hands out a frame that ends with a line feed.
func (f *frames) line() ([]byte, fate) {
	seen := 0
	for {
		if i := bytes.IndexByte(f.buf[f.start+seen:f.end], '\n'); i >= 0 && seen+i <= maxFrame {
			frame := f.take(seen + i)
			f.start++
			return frame, whole
		}
		seen = f.end - f.start
		if seen > maxFrame {
			f.skipLine, f.inCounts = true, false
			return f.take(maxFrame), cut
		}
		if !f.fill() {
			return f.take(seen), cut
		}
	}
}

func (f *frames) take(n int) []byte {
	frame := f.buf[f.start : f.start+n : f.start+n]
	f.start += n
	return frame
}

// fill reads more behind what is there; it returns false at the end of the
// stream. It may move what is there to the front of the buffer.
func (f *frames) fill() bool {
	if f.err != nil {
		return false
	}
	if f.start > 0 {
		f.end = copy(f.buf, f.buf[f.start:f.end])
		f.start = 0
	}
	if f.end == len(f.buf) {
		f.buf = append(f.buf, make([]byte, len(f.buf))...)
	}
	n, err := f.r.Read(f.buf[f.end:])
	f.end += n
	f.err = err
	if f.end == len(f.buf) && len(f.buf) < maxBuffer {
		f.buf = append(f.buf, make([]byte, len(f.buf))...)
	}
	return n > 0 || err == nil
}
