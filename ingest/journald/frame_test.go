package journald

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bailiff/ingest"
)

// kept is a sink that owns what it is given.
type kept struct {
	records []record
	notices []notice
}

func (k *kept) record(r *record) error {
	own := *r
	for _, b := range []*[]byte{&own.cursor, &own.unit, &own.identifier, &own.host, &own.message, &own.journal} {
		*b = bytes.Clone(*b)
	}
	own.values = nil
	for _, v := range r.values {
		own.values = append(own.values, bytes.Clone(v))
	}
	k.records = append(k.records, own)
	return nil
}

func (k *kept) notice(n notice) error { k.notices = append(k.notices, n); return nil }
func (k *kept) flush() error          { return nil }

var someNotice = notice{kind: noticeGap, journal: "remote-pbx", gap: gap{lost: 3, from: 1, to: 2}, why: "because"}

var someRecords = []record{
	{
		realtime: 1795407256392572, uid: 0, pid: 4711,
		cursor: []byte(someCursor), unit: []byte("ssh.service"), identifier: []byte("sshd"), host: []byte("pbx"), journal: []byte("remote-pbx"),
		message: []byte("Failed password for root from 198.51.100.7 port 22 ssh2"), length: 500,
		values: [][]byte{nil, {}, []byte("198.51.100.7"), nil},
	},
	{
		realtime: 1, uid: -1, pid: -1, truncated: true, continued: true,
		cursor: []byte{}, unit: []byte{}, identifier: []byte{}, host: []byte{}, journal: []byte{},
		message: bytes.Repeat([]byte{0xff}, ingest.MaxMessage),
	},
}

func encode(t testing.TB) []byte {
	t.Helper()
	var out bytes.Buffer
	w := newFrameWriter(&out)
	err := errors.Join(w.record(&someRecords[0]), w.notice(someNotice), w.record(&someRecords[1]), w.flush())
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// decode reads until something ends it.
func decode(in io.Reader) (kept, error) {
	var k kept
	r := newFrameReader(in)
	for {
		if err := r.next(&k); err != nil {
			return k, err
		}
	}
}

func TestFrames(t *testing.T) {
	got, err := decode(bytes.NewReader(encode(t)))
	if !errors.Is(err, io.EOF) {
		t.Fatalf("ended with %v, want EOF", err)
	}
	want := kept{records: someRecords, notices: []notice{someNotice}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(kept{}, record{}, notice{}, gap{})); diff != "" {
		t.Error(diff)
	}
}

// Whatever is left of a frame when the writer is killed, is not an entry.
func TestFramesCut(t *testing.T) {
	whole := encode(t)
	var out bytes.Buffer
	w := newFrameWriter(&out)
	if err := errors.Join(w.record(&someRecords[0]), w.flush()); err != nil {
		t.Fatal(err)
	}
	first := out.Len()
	for n := range first + 20 {
		got, err := decode(bytes.NewReader(whole[:n]))
		want := 0
		if n >= first {
			want = 1
		}
		if len(got.records) != want || !errors.Is(err, io.EOF) {
			t.Fatalf("cut at %d of %d: %d records, %v", n, first, len(got.records), err)
		}
	}
}

func TestFrameError(t *testing.T) {
	var out bytes.Buffer
	w := newFrameWriter(&out)
	want := &Error{Problem: "no journal", Remedy: "make one"}
	if err := errors.Join(w.fail(want), w.flush()); err != nil {
		t.Fatal(err)
	}
	_, err := decode(&out)
	if got := (*Error)(nil); !errors.As(err, &got) || *got != *want {
		t.Errorf("got %v, want %v", err, want)
	}
}

// A field of any length fits.
func TestFrameBounds(t *testing.T) {
	huge := []byte(strings.Repeat("a", 1<<20))
	var out bytes.Buffer
	w := newFrameWriter(&out)
	r := record{cursor: huge, unit: huge, identifier: huge, host: huge, message: huge, values: [][]byte{huge}}
	for range maxNames - 1 {
		r.values = append(r.values, huge[:ingest.MaxMessage])
	}
	if err := errors.Join(w.record(&r), w.fail(&Error{Problem: string(huge), Remedy: string(huge)}), w.flush()); err != nil {
		t.Fatal(err)
	}
	got, err := decode(&out)
	if len(got.records) != 1 || len(got.records[0].message) != ingest.MaxMessage {
		t.Fatalf("%d records, %v", len(got.records), err)
	}
	for i, v := range got.records[0].values {
		if want := i > 0 && i <= maxValues/ingest.MaxMessage; (v != nil) != want {
			t.Errorf("value %d has %d bytes", i, len(v))
		}
	}
	if last := (*Error)(nil); !errors.As(err, &last) {
		t.Errorf("ended with %v, want an *Error", err)
	}
}

// Whatever comes out of the pipe, decoding ends with an error, and what it
// took for records is within bounds and survives another round trip.
func FuzzFrames(f *testing.F) {
	f.Add(encode(f))
	f.Add([]byte{1, 0, 0, 0, 9})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, in []byte) {
		got, _ := decode(bytes.NewReader(in))
		var out bytes.Buffer
		w := newFrameWriter(&out)
		for i := range got.records {
			if n := len(got.records[i].message); n > ingest.MaxMessage {
				t.Fatalf("message of %d bytes", n)
			}
			for _, b := range []*[]byte{&got.records[i].cursor, &got.records[i].unit, &got.records[i].identifier, &got.records[i].host} {
				*b = (*b)[:min(len(*b), maxLabel)]
			}
			_ = w.record(&got.records[i])
		}
		_ = w.flush()
		again, _ := decode(&out)
		if !reflect.DeepEqual(got.records, again.records) { // cmp takes milliseconds for 8 KiB
			t.Error(cmp.Diff(got.records, again.records, cmp.AllowUnexported(record{})))
		}
	})
}
