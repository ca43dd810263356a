package journald

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"bailiff/ingest"
)

// record is one journal entry as the reader sees it. Its slices are borrowed.
type record struct {
	realtime  uint64 // µs since 1970, when journald received it
	uid, pid  int    // -1 where journald could not tell
	truncated bool
	// continued marks the rest of a line that journald had to split. It
	// begins in the middle of the text, where a writer's input may stand, so
	// it must not be matched.
	continued bool
	// again marks an entry that the machine sent before.
	again bool

	cursor, unit, identifier, host, message []byte
	// journal is the name of the journal, of collected ones.
	journal []byte
	// length is what ingest.Stripped says of the message.
	length int
	// values are of the fields that were asked for, in that order; nil where the
	// entry has none.
	values [][]byte
}

// sink takes what a reader finds, in the order of the journal.
type sink interface {
	record(*record) error
	notice(notice) error
	// flush is called when there is nothing more to read at the moment.
	flush() error
}

// notice is what befell a reader.
type notice struct {
	kind    noticeKind
	journal string // in which journal, of collected ones
	gap     gap
	why     string // of a journal that cannot be read
}

type noticeKind byte

const (
	noticeGap   noticeKind = 1 + iota // entries are missing
	noticeWrong                       // a journal cannot be read
	noticeWell                        // it can be read again
	noticeGone                        // its files are gone
)

// A frame is a little-endian uint32, the length of the rest, and a kind with
// its body. Both ends are the same program, so there is no version.
const (
	frameRecord byte = 1 + iota
	frameNotice
	frameError
)

const (
	frameHead = 4
	// maxFrame bounds a frame: what is in it is capped by maxLabel,
	// ingest.MaxMessage, maxNames and maxValues.
	maxFrame = 48 << 10
	// maxValues is how much all values of an entry may have together; what does
	// not fit is not there.
	maxValues = 4 * ingest.MaxMessage
	// maxLabel caps cursor, unit, identifier, host and journal. A cursor has at
	// most 150 bytes, a unit name 255, a host name 64, the name of a journal with
	// its directory 511.
	maxLabel = 512
	// pipeBuffer is what either end collects. It must hold a frame.
	pipeBuffer = 64 << 10
)

const (
	flagTruncated byte = 1 << iota
	flagContinued
	flagAgain
)

// frameWriter is the sink of the reader process.
type frameWriter struct {
	out *bufio.Writer
	buf []byte
}

func newFrameWriter(w io.Writer) *frameWriter {
	return &frameWriter{out: bufio.NewWriterSize(w, pipeBuffer)}
}

func (w *frameWriter) record(r *record) error {
	w.begin(frameRecord)
	w.buf = binary.LittleEndian.AppendUint64(w.buf, r.realtime)
	w.buf = binary.LittleEndian.AppendUint64(w.buf, uint64(r.uid))
	w.buf = binary.LittleEndian.AppendUint64(w.buf, uint64(r.pid))
	var flags byte
	if r.truncated {
		flags |= flagTruncated
	}
	if r.continued {
		flags |= flagContinued
	}
	if r.again {
		flags |= flagAgain
	}
	w.buf = append(w.buf, flags)
	w.buf = binary.LittleEndian.AppendUint64(w.buf, uint64(r.length))
	for _, label := range [][]byte{r.cursor, r.unit, r.identifier, r.host, r.journal} {
		w.text(label[:min(len(label), maxLabel)])
	}
	w.text(r.message[:min(len(r.message), ingest.MaxMessage)])
	w.values(r.values)
	return w.end()
}

// values writes how many there are, and of each the length and one, 0 for none.
func (w *frameWriter) values(values [][]byte) {
	w.buf = binary.LittleEndian.AppendUint16(w.buf, uint16(len(values)))
	left := maxValues
	for _, v := range values {
		if v == nil || len(v) > min(left, ingest.MaxMessage) {
			w.buf = binary.LittleEndian.AppendUint16(w.buf, 0)
			continue
		}
		left -= len(v)
		w.buf = binary.LittleEndian.AppendUint16(w.buf, uint16(len(v)+1))
		w.buf = append(w.buf, v...)
	}
}

func (w *frameWriter) notice(n notice) error {
	w.begin(frameNotice)
	w.buf = append(w.buf, byte(n.kind))
	w.buf = binary.LittleEndian.AppendUint64(w.buf, n.gap.lost)
	w.buf = binary.LittleEndian.AppendUint64(w.buf, n.gap.from)
	w.buf = binary.LittleEndian.AppendUint64(w.buf, n.gap.to)
	for _, label := range []string{n.journal, n.why} {
		w.text([]byte(label[:min(len(label), maxLabel)]))
	}
	return w.end()
}

// fail sends an error that ends the source, so that the parent can show it
// with its hint.
func (w *frameWriter) fail(e *Error) error {
	w.begin(frameError)
	w.text([]byte(e.Problem[:min(len(e.Problem), maxFrame/4)]))
	w.text([]byte(e.Remedy[:min(len(e.Remedy), maxFrame/4)]))
	return w.end()
}

func (w *frameWriter) flush() error { return w.out.Flush() }

func (w *frameWriter) begin(kind byte) {
	w.buf = append(w.buf[:0], 0, 0, 0, 0, kind)
}

func (w *frameWriter) text(b []byte) {
	w.buf = binary.LittleEndian.AppendUint16(w.buf, uint16(len(b)))
	w.buf = append(w.buf, b...)
}

func (w *frameWriter) end() error {
	binary.LittleEndian.PutUint32(w.buf, uint32(len(w.buf)-frameHead))
	_, err := w.out.Write(w.buf)
	return err
}

// frameReader hands the frames of a reader process to a sink.
type frameReader struct {
	in  *bufio.Reader
	rec record
}

func newFrameReader(r io.Reader) *frameReader {
	return &frameReader{in: bufio.NewReaderSize(r, pipeBuffer)}
}

// next reads one frame and passes it to s before it returns: the slices are
// views into the buffer. It returns io.EOF at the end, even in the middle of a
// frame, because a reader that is killed leaves half of one; an *Error that
// the reader sent; and what s returned.
func (r *frameReader) next(s sink) error {
	head, err := r.in.Peek(frameHead)
	if err != nil {
		return err
	}
	n := binary.LittleEndian.Uint32(head)
	if n == 0 || n > maxFrame {
		return fmt.Errorf("journal reader: frame of %d bytes", n)
	}
	frame, err := r.in.Peek(frameHead + int(n))
	if err != nil {
		return err
	}
	body := frameBody{rest: frame[frameHead+1:]}
	switch kind := frame[frameHead]; kind {
	case frameRecord:
		body.record(&r.rec)
		if body.bad {
			break
		}
		err = s.record(&r.rec)
	case frameNotice:
		n := body.notice()
		if body.bad {
			break
		}
		err = s.notice(n)
	case frameError:
		err = &Error{Problem: string(body.text()), Remedy: string(body.text())}
	default:
		body.bad = true
	}
	if body.bad || len(body.rest) > 0 {
		return errors.New("journal reader: frame does not parse")
	}
	if err != nil {
		return err
	}
	_, err = r.in.Discard(frameHead + int(n))
	return err
}

// frameBody takes a body apart. bad is set once it is too short.
type frameBody struct {
	rest []byte
	bad  bool
}

func (b *frameBody) record(r *record) {
	r.realtime = b.uint64()
	r.uid, r.pid = int(b.uint64()), int(b.uint64())
	flags := b.take(1)
	r.length = int(b.uint64())
	r.cursor, r.unit, r.identifier, r.host, r.journal = b.text(), b.text(), b.text(), b.text(), b.text()
	r.message = b.text()
	r.values = b.values(r.values[:0])
	if b.bad {
		return
	}
	r.truncated = flags[0]&flagTruncated != 0
	r.continued = flags[0]&flagContinued != 0
	r.again = flags[0]&flagAgain != 0
	if len(r.message) > ingest.MaxMessage {
		b.bad = true
	}
}

func (b *frameBody) notice() notice {
	kind := b.take(1)
	n := notice{gap: gap{lost: b.uint64(), from: b.uint64(), to: b.uint64()}}
	n.journal, n.why = string(b.text()), string(b.text())
	if !b.bad {
		n.kind = noticeKind(kind[0])
	}
	return n
}

func (b *frameBody) uint64() uint64 {
	v := b.take(8)
	if b.bad {
		return 0
	}
	return binary.LittleEndian.Uint64(v)
}

func (b *frameBody) text() []byte {
	return b.take(b.uint16())
}

func (b *frameBody) values(dst [][]byte) [][]byte {
	left := maxValues
	for n := b.uint16(); n > 0 && !b.bad; n-- {
		size := b.uint16() - 1
		if size < 0 {
			dst = append(dst, nil)
			continue
		}
		b.bad = b.bad || size > min(left, ingest.MaxMessage)
		left -= size
		dst = append(dst, b.take(size))
	}
	return dst
}

func (b *frameBody) uint16() int {
	v := b.take(2)
	if b.bad {
		return 0
	}
	return int(binary.LittleEndian.Uint16(v))
}

func (b *frameBody) take(n int) []byte {
	if n > len(b.rest) {
		b.bad = true
		return nil
	}
	v := b.rest[:n:n]
	b.rest = b.rest[n:]
	return v
}
