package file

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
)

// headSize is how much of the beginning of a file tells it from another file
// that has the same number.
const headSize = 256

// maxFiles is how many files a source follows at a time.
const maxFiles = 1024

// id is the number of a file, which the kernel gives to another when the file is
// gone.
type id struct{ dev, ino uint64 }

// place is how far one file was read.
type place struct {
	id     id
	offset int64
	// mid says that the offset lies within a line of which no more is wanted.
	mid bool
	// done says that the file was rotated away, and had been read to its end.
	done bool
	// sum is the checksum of what the file begins with, headSize bytes or as
	// many as the offset if that is less, and of the backSize bytes before the
	// offset, or as many as there are.
	sum uint32
}

// position is how far every file of a source was read. Its form, which is the
// cursor of an entry, is
//
//	version, number of patterns, their checksums, places to the end
//
// A place takes about 15 bytes. The checksums of the patterns tell a file that
// appeared while nobody looked from one that nobody had asked for.
type position struct {
	patterns []uint32
	places   []place
}

const (
	positionVersion = 1
	maxOffset       = math.MaxInt64 / 4
)

// maxPatterns bounds what a stored position can make us allocate.
const maxPatterns = 1024

func checksum(head, back []byte) uint32 {
	return crc32.Update(crc32.ChecksumIEEE(head), crc32.IEEETable, back)
}

// appendHeader begins a position.
func appendHeader(b []byte, patterns []uint32) []byte {
	b = append(b, positionVersion)
	b = binary.AppendUvarint(b, uint64(len(patterns)))
	for _, p := range patterns {
		b = binary.LittleEndian.AppendUint32(b, p)
	}
	return b
}

// appendPlace adds a place to a position.
func appendPlace(b []byte, p *place) []byte {
	b = binary.AppendUvarint(b, p.id.dev)
	b = binary.AppendUvarint(b, p.id.ino)
	at := uint64(p.offset) << 2
	if p.mid {
		at |= 1
	}
	if p.done {
		at |= 2
	}
	b = binary.AppendUvarint(b, at)
	return binary.LittleEndian.AppendUint32(b, p.sum)
}

var errPosition = errors.New("not a position in log files")

// parsePosition reads a cursor. One that is not whole is an error and not a
// guess.
func parsePosition(b []byte) (position, error) {
	var p position
	if len(b) == 0 || b[0] != positionVersion {
		return p, errPosition
	}
	n, rest, ok := uvarint(b[1:])
	if !ok || n > maxPatterns || uint64(len(rest)) < 4*n {
		return p, errPosition
	}
	for range n {
		p.patterns = append(p.patterns, binary.LittleEndian.Uint32(rest))
		rest = rest[4:]
	}
	known := make(map[id]bool)
	for len(rest) > 0 {
		var one place
		if one, rest, ok = cutPlace(rest); !ok || known[one.id] {
			return position{}, fmt.Errorf("%w: place %d", errPosition, len(p.places))
		}
		known[one.id] = true
		p.places = append(p.places, one)
	}
	return p, nil
}

func cutPlace(b []byte) (p place, rest []byte, ok bool) {
	dev, b, ok1 := uvarint(b)
	ino, b, ok2 := uvarint(b)
	at, b, ok3 := uvarint(b)
	if !ok1 || !ok2 || !ok3 || len(b) < 4 || at>>2 > maxOffset {
		return place{}, nil, false
	}
	p = place{id: id{dev, ino}, offset: int64(at >> 2), mid: at&1 != 0, done: at&2 != 0, sum: binary.LittleEndian.Uint32(b)}
	return p, b[4:], true
}

// uvarint reads a number in its shortest form.
func uvarint(b []byte) (n uint64, rest []byte, ok bool) {
	n, size := binary.Uvarint(b)
	if size <= 0 || size > 1 && b[size-1] == 0 {
		return 0, nil, false
	}
	return n, b[size:], true
}
