package store

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"bailiff/decide"
)

// prefixOf makes any prefix of four bytes or sixteen out of fuzzed bytes.
func prefixOf(addr []byte, bits int) (netip.Prefix, bool) {
	a, ok := netip.AddrFromSlice(addr)
	if !ok {
		return netip.Prefix{}, false
	}
	p, err := a.Unmap().Prefix(bits)
	return p, err == nil
}

func FuzzPrefixKeys(f *testing.F) {
	f.Add([]byte{192, 0, 2, 1}, 32, []byte{10, 0, 0, 0}, 8)
	f.Add(make([]byte, 16), 0, []byte{0, 0, 0, 0}, 0)
	f.Add(netip.MustParseAddr("2001:db8::").AsSlice(), 64, netip.MustParseAddr("2001:db8::1").AsSlice(), 128)
	f.Fuzz(func(t *testing.T, addrA []byte, bitsA int, addrB []byte, bitsB int) {
		a, okA := prefixOf(addrA, bitsA)
		b, okB := prefixOf(addrB, bitsB)
		if !okA || !okB {
			t.Skip()
		}
		keyA, keyB := banKey(a, "jail"), banKey(b, "jail")
		got, rest, err := cutPrefix(keyA[1:])
		if got != a || string(rest) != "jail" || err != nil {
			t.Fatalf("cutPrefix(%v) = %v, %q, %v", a, got, rest, err)
		}
		addr := func(p netip.Prefix) netip.Addr { return netip.AddrFrom16(p.Addr().As16()) }
		if order := addr(a).Compare(addr(b)); order != 0 && order != bytes.Compare(keyA, keyB) {
			t.Errorf("%v and %v: addresses compare %d, keys %d", a, b, order, bytes.Compare(keyA, keyB))
		}
		first, beyond := rangeOf(kindBan, a)
		inRange := bytes.Compare(keyB, first) >= 0 && bytes.Compare(keyB, beyond) < 0
		inside := a.Addr().Is4() == b.Addr().Is4() && a.Contains(b.Addr()) && a.Bits() <= b.Bits()
		if inside && !inRange {
			t.Errorf("%v lies in %v, its key outside the range", b, a)
		}
		if a.Addr().Is4() == b.Addr().Is4() && inRange && !a.Contains(b.Addr()) {
			t.Errorf("%v lies outside %v, its key in the range", b, a)
		}
	})
}

func FuzzDecisionKeys(f *testing.F) {
	f.Add(int64(0), int64(1), "sshd")
	f.Add(int64(-1), int64(1_700_000_000_000_000_000), "pbx")
	f.Fuzz(func(t *testing.T, nanosA, nanosB int64, jail string) {
		at := func(n int64) decide.Decision {
			return decide.Decision{
				Action: decide.Lift, Prefix: netip.MustParsePrefix("192.0.2.1/32"),
				At: time.Unix(0, n), Jail: jail,
			}
		}
		a, b := at(nanosA), at(nanosB)
		keyA, keyB := decisionKey(kindDecision, &a), decisionKey(kindDecision, &b)
		if order := a.At.Compare(b.At); order != bytes.Compare(keyA, keyB) {
			t.Errorf("%v and %v: times compare %d, keys %d", a.At, b.At, order, bytes.Compare(keyA, keyB))
		}
		parts, err := cutDecisionKey(keyA)
		if err != nil || parts.prefix != a.Prefix || parts.action != a.Action || string(parts.jail) != jail {
			t.Errorf("cutDecisionKey = %+v, %v", parts, err)
		}
	})
}

func FuzzMalformedKeys(f *testing.F) {
	f.Add([]byte{})
	f.Add(append([]byte{kindDecision}, bytes.Repeat([]byte{0xee}, 40)...))
	f.Fuzz(func(t *testing.T, key []byte) {
		if parts, err := cutDecisionKey(key); err == nil && parts.prefix.IsValid() &&
			parts.prefix.Bits() > parts.prefix.Addr().BitLen() {
			t.Errorf("cutDecisionKey(%x) = %+v", key, parts)
		}
	})
}
