package file

import (
	"bytes"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var whole = cmp.AllowUnexported(position{}, place{}, id{})

func (p position) encode() []byte {
	b := appendHeader(nil, p.patterns)
	for i := range p.places {
		b = appendPlace(b, &p.places[i])
	}
	return b
}

func TestPosition(t *testing.T) {
	for _, p := range []position{
		{},
		{patterns: []uint32{1, math.MaxUint32}},
		{places: []place{{id: id{64768, 1_234_567}, offset: 987_654_321, sum: 42}}},
		{patterns: []uint32{7}, places: []place{
			{id: id{1, 2}, mid: true},
			{id: id{1, 3}, offset: maxOffset, mid: true, done: true, sum: math.MaxUint32},
			{id: id{math.MaxUint64, math.MaxUint64}, offset: 1},
		}},
	} {
		got, err := parsePosition(p.encode())
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(p, got, whole); d != "" {
			t.Error(d)
		}
	}
}

// TestPositionIsSmall holds what the queue and the store pay for a mark.
func TestPositionIsSmall(t *testing.T) {
	p := position{patterns: []uint32{1}}
	for i := range 100 {
		p.places = append(p.places, place{id: id{64768, uint64(1_300_000 + i)}, offset: int64(i) << 20, sum: 1 << 31})
	}
	if n := len(p.encode()); n > 1500 {
		t.Errorf("100 files take %d bytes", n)
	}
}

func TestBadPosition(t *testing.T) {
	good := position{patterns: []uint32{7}, places: []place{{id: id{1, 2}, offset: 3}}}.encode()
	for i := range good {
		if p, err := parsePosition(good[:i]); err == nil && i != 6 { // version, patterns: no file yet
			t.Errorf("%d of %d bytes are %v", i, len(good), p)
		}
	}
	twice := append(bytes.Clone(good), good[6:]...)
	if _, err := parsePosition(twice); err == nil {
		t.Error("one file with two places was taken")
	}
	if _, err := parsePosition(append([]byte{2}, good[1:]...)); err == nil {
		t.Error("another version was taken")
	}
}

// FuzzPosition holds that what is read as a position is written in the same way,
// and that nothing else is taken.
func FuzzPosition(f *testing.F) {
	f.Add([]byte{})
	f.Add(position{patterns: []uint32{7}, places: []place{{id: id{64768, 99}, offset: 300, mid: true, sum: 5}, {id: id{64768, 100}}}}.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := parsePosition(b)
		if err != nil {
			return
		}
		if got := p.encode(); !bytes.Equal(got, b) {
			t.Errorf("%x is written %x", b, got)
		}
	})
}
