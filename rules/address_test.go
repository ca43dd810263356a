package rules

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAddressPositions(t *testing.T) {
	for _, c := range []struct {
		msg  string
		want []string // as spelled
	}{
		{"from 192.0.2.1 port", []string{"192.0.2.1"}},
		{"192.0.2.1", []string{"192.0.2.1"}},
		{"192.0.2.1.", []string{"192.0.2.1"}},
		{"192.0.2.1:22", []string{"192.0.2.1"}},
		{"(UDP:198.51.100.40:5060)", []string{"198.51.100.40"}},
		{"IPV4/UDP/198.51.100.1/5060", []string{"198.51.100.1"}},
		{"unknown[203.0.113.9]:", []string{"203.0.113.9"}},
		{"192.0.2.1-192.0.2.2", []string{"192.0.2.1", "192.0.2.2"}},
		{"192.0.2.1.2 1.192.0.2.1 192.0.2.1.example.org", nil},
		{"192.0.2.256 192.0.2.01 192.0.2 1192.0.2.1 .192.0.2.1", nil},
		{"a192.0.2.1 x192.0.2.1 192.0.2.1x 192.0.2.1_ ü192.0.2.1", nil},
		{"2001:db8::1", []string{"2001:db8::1"}},
		{"from 2001:db8::1: text. 2001:db8::2.", []string{"2001:db8::1", "2001:db8::2"}},
		{"[2001:db8::1]:22", []string{"[2001:db8::1]", "2001:db8::1"}},
		{"2001:db8::1:22", []string{"2001:db8::1:22"}},
		{"fe80::1%eth0 x", []string{"fe80::1%eth0"}},
		{"[fe80::1%eth0.7]", []string{"[fe80::1%eth0.7]", "fe80::1%eth0.7"}},
		{"fe80::1%eth0.", []string{"fe80::1%eth0"}},
		{"fe80::1%3.", []string{"fe80::1%3"}},
		{"fe80::1%", []string{"fe80::1"}},
		{"::ffff:192.0.2.1", []string{"::ffff:192.0.2.1"}},
		{"::ffff:192.0.2.1:22", []string{"192.0.2.1"}},
		{"::1 ::", []string{"::1", "::"}},
		{"std::string 12:34:56 a:b:c:d g2001:db8::1 2001:db8::1g", nil},
		{"1:2:3:4:5:6:7:8:9", nil},
		{"9.1.2.3.4:" + strings.Repeat("a", 56), nil}, // however long the run is
		{"1.2.3.4:" + strings.Repeat("a", 200), []string{"1.2.3.4"}},
	} {
		t.Run(c.msg, func(t *testing.T) {
			var got []string
			var p positions
			p.reset([]byte(c.msg))
			for i := 0; ; i++ {
				tok, ok := p.at(i, 0)
				if !ok {
					break
				}
				if _, ok := tok.addr(p.msg); ok {
					got = append(got, c.msg[tok.start:tok.end])
				}
			}
			slices.Reverse(got)
			for i := 1; i < len(got); i++ { // the one in brackets begins first
				if "["+got[i-1]+"]" == got[i] {
					got[i-1], got[i] = got[i], got[i-1]
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func FuzzAddressPositions(f *testing.F) {
	f.Add("[fe80::1%eth0.7]:22 ::ffff:192.0.2.1:22, 1.2.3.4.", 3)
	f.Fuzz(func(t *testing.T, msg string, low int) {
		low = min(max(low, 0), len(msg))
		want := slices.DeleteFunc(referenceTokens(msg), func(r reading) bool { return r.end < low })
		var p positions
		p.reset([]byte(msg))
		p.at(0, len(msg)/2) // asking for some first changes nothing
		var got []reading
		last := len(msg)
		for i := 0; ; i++ {
			tok, ok := p.at(i, low)
			if !ok {
				break
			}
			if tok.end > last {
				t.Errorf("%q: positions ascend", msg)
			}
			last = tok.end
			if addr, ok := tok.addr(p.msg); ok {
				got = append(got, reading{tok, addr})
			}
		}
		slices.SortFunc(got, func(a, b reading) int { return a.start - b.start })
		if diff := cmp.Diff(want, got, diffReadings); diff != "" {
			t.Errorf("%q: (-want +got)\n%s", msg, diff)
		}
	})
}
