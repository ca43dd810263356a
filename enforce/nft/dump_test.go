package nft

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// sample is an element as Linux 6.18 dumps it: key 192.0.2.7, timeout 1 h,
// 3,599,992 ms left, 2 packets of 66 bytes together.
func sample() []byte {
	return nested(unix.NFTA_LIST_ELEM, join(
		nested(unix.NFTA_SET_ELEM_KEY, attribute(unix.NFTA_DATA_VALUE, []byte{192, 0, 2, 7})),
		attribute(unix.NFTA_SET_ELEM_TIMEOUT, []byte{0, 0, 0, 0, 0, 0x36, 0xee, 0x80}),
		attribute(unix.NFTA_SET_ELEM_EXPIRATION, []byte{0, 0, 0, 0, 0, 0x36, 0xee, 0x78}),
		nested(unix.NFTA_SET_ELEM_EXPR, join(
			text(unix.NFTA_EXPR_NAME, "counter"),
			nested(unix.NFTA_EXPR_DATA, join(
				attribute(unix.NFTA_COUNTER_BYTES, []byte{0, 0, 0, 0, 0, 0, 0, 66}),
				attribute(unix.NFTA_COUNTER_PACKETS, []byte{0, 0, 0, 0, 0, 0, 0, 2})))))))
}

func join(parts ...[]byte) (b []byte) {
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

func TestElementsAreParsed(t *testing.T) {
	second := nested(unix.NFTA_LIST_ELEM, join(
		nested(unix.NFTA_SET_ELEM_KEY, attribute(unix.NFTA_DATA_VALUE, []byte{192, 0, 2, 8})),
		attribute(unix.NFTA_SET_ELEM_FLAGS, []byte{0, 0, 0, unix.NFT_SET_ELEM_INTERVAL_END})))
	body := join(text(unix.NFTA_SET_ELEM_LIST_TABLE, "bailiff"), nested(unix.NFTA_SET_ELEM_LIST_ELEMENTS, join(sample(), second)))
	var got []rawElement
	eachElement(body, func(e rawElement) { got = append(got, e) })
	want := []rawElement{
		{key: []byte{192, 0, 2, 7}, timed: true, expires: 3599992 * time.Millisecond, packets: 2, bytes: 66},
		{key: []byte{192, 0, 2, 8}, end: true},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(rawElement{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func FuzzElements(f *testing.F) {
	f.Add(nested(unix.NFTA_SET_ELEM_LIST_ELEMENTS, sample()))
	f.Add([]byte{3, 0, 3, 0x80, 4, 0})
	f.Fuzz(func(t *testing.T, body []byte) {
		eachElement(body, func(e rawElement) {
			if len(e.key) > len(body) {
				t.Errorf("a key of %d bytes out of %d", len(e.key), len(body))
			}
		})
		n := 0
		for _, payload := range messages(body) {
			if n += unix.NLMSG_HDRLEN + len(payload); n > len(body) {
				t.Errorf("messages of %d bytes out of %d", n, len(body))
			}
		}
	})
}

// FuzzRanges holds that the prefixes of a range cover it exactly.
func FuzzRanges(f *testing.F) {
	f.Add([]byte{192, 0, 2, 5}, []byte{192, 0, 2, 16})
	f.Add([]byte{0, 0, 0, 0}, []byte{255, 255, 255, 255})
	f.Add(make([]byte, 16), []byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		first, ok := netip.AddrFromSlice(a)
		last, ok2 := netip.AddrFromSlice(b)
		if !ok || !ok2 || first.BitLen() != last.BitLen() {
			return
		}
		ps := appendRange(nil, first, last)
		if last.Less(first) {
			if ps != nil {
				t.Errorf("%v-%v: %v, want none", first, last, ps)
			}
			return
		}
		if len(ps) > 2*first.BitLen() {
			t.Errorf("%v-%v: %d prefixes, want the fewest", first, last, len(ps))
		}
		next := first
		for i, p := range ps {
			if p != p.Masked() || p.Addr() != next {
				t.Fatalf("%v-%v: prefix %d is %v, want one that begins at %v", first, last, i, p, next)
			}
			next = lastOf(p).Next()
		}
		if lastOf(ps[len(ps)-1]) != last {
			t.Errorf("%v-%v: ends with %v", first, last, ps[len(ps)-1])
		}
	})
}
