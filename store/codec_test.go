package store

import (
	"encoding/binary"
	"math"
	"net/netip"
	"testing"
	"time"

	"bailiff/decide"
)

// full is a record with every field set.
func full() record {
	d := ban("2001:db8::/64", "pbx", time.Date(2026, 11, 23, 10, 0, 0, 123456789, time.UTC))
	d.Verdict, d.Simulated, d.Spent = decide.Reject, true, true
	d.Reason = "why not"
	d.Ports = []decide.Port{{Proto: "tcp", Port: 22}, {Proto: "udp", Port: 65535}}
	d.Evidence = nil
	d.Sums = []decide.Sum{{Service: "sip", Witness: "notice", Origin: "journald", Attempts: 8, Lines: 16}, {Service: "sip", Witness: "security", Origin: "udp pbx", Attempts: 7, Lines: 7}}
	return record{Decision: d, ended: d.At.Add(time.Minute)}
}

func roundTrip(t *testing.T, want record) {
	t.Helper()
	var got record
	if err := got.unmarshalBinary(want.appendBinary(nil)); err != nil {
		t.Fatal(err)
	}
	if d := diff(want.Decision, got.Decision); d != "" || !got.ended.Equal(want.ended) {
		t.Errorf("record ended %v, want %v (-want +got):\n%s", got.ended, want.ended, d)
	}
}

func TestRecordEncoding(t *testing.T) {
	roundTrip(t, record{})
	roundTrip(t, full())
	far := full()
	far.Until = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	roundTrip(t, far)
}

func TestRecordOfALaterVersionOfTheSameEncoding(t *testing.T) {
	want := full()
	var got record
	if err := got.unmarshalBinary(append(want.appendBinary(nil), "a field to come"...)); err != nil {
		t.Fatal(err)
	}
	if d := diff(want.Decision, got.Decision); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestEveryCutRecordIsRefused(t *testing.T) {
	r := full()
	whole := r.appendBinary(nil)
	older := r // as it was written before there were sums
	older.Sums = nil
	for n := range whole {
		if n == len(older.appendBinary(nil))-1 {
			var got record
			if err := got.unmarshalBinary(whole[:n]); err != nil || diff(older.Decision, got.Decision) != "" {
				t.Errorf("an older record is read as %+v, %v", got, err)
			}
			continue
		}
		if err := new(record).unmarshalBinary(whole[:n]); err == nil {
			t.Errorf("the first %d of %d bytes are taken for a record", n, len(whole))
		}
	}
	endless := binary.AppendUvarint(appendEvidence(nil, nil)[:1], 1)
	if _, err := evidence(binary.AppendUvarint(endless, math.MaxUint64)); err == nil {
		t.Error("a line of 2^64-1 bytes is read")
	}
	whole[0]++
	if err := new(record).unmarshalBinary(whole); err == nil {
		t.Error("a record of another encoding is read")
	}
}

func FuzzRecord(f *testing.F) {
	r := full()
	f.Add(r.appendBinary(nil))
	f.Add([]byte{codecVersion, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		var first record
		if first.unmarshalBinary(b) != nil {
			t.Skip()
		}
		roundTrip(t, first)
	})
}

func FuzzEvidence(f *testing.F) {
	f.Add(appendEvidence(nil, []string{"one", "", "\x00\xff"}))
	f.Fuzz(func(t *testing.T, b []byte) {
		first, err := evidence(b)
		if err != nil {
			t.Skip()
		}
		again, err := evidence(appendEvidence(nil, first))
		if d := diff(first, again); d != "" || err != nil {
			t.Errorf("%v\n%s", err, d)
		}
	})
}

func FuzzRedoLog(f *testing.F) {
	f.Add([]byte("b"), []byte("value"), uint64(7), false, 3)
	f.Add([]byte("b"), []byte{}, uint64(0), true, 3000)
	f.Fuzz(func(t *testing.T, key, value []byte, expires uint64, remove bool, n int) {
		want := make([]change, max(0, n%5000))
		for i := range want {
			want[i] = change{key: key, value: value, expires: expires, remove: remove}
		}
		var log []byte
		chunks := redoLog(want)
		last := len(chunks) - 1
		for _, c := range chunks[:last] {
			log = append(log, c.value...)
		}
		got, err := readRedo(chunks[last].value, append(log, "left over"...))
		if err != nil || len(got) != len(want) {
			t.Fatalf("%d changes, %v, want %d", len(got), err, len(want))
		}
		for _, c := range got {
			if string(c.key) != string(key) || string(c.value) != string(value) || c.expires != expires || c.remove != remove {
				t.Fatalf("got %+v", c)
			}
		}
	})
}

func FuzzReadRedo(f *testing.F) {
	f.Add([]byte{1, 0, 1, 'k', 1, 'v'})
	f.Fuzz(func(t *testing.T, log []byte) {
		changes, err := readRedo(redoHead(log), log)
		if err == nil && len(changes) == 0 && len(log) > 0 {
			t.Errorf("%x holds no change", log)
		}
		head := redoHead(log)
		head[len(head)-1]++
		if _, err := readRedo(head, log); err == nil {
			t.Errorf("%x is read with another checksum", log)
		}
	})
}

func TestInvalidPrefixIsKept(t *testing.T) {
	d := full()
	d.Prefix = netip.Prefix{}
	roundTrip(t, d)
}
