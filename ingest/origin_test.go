package ingest

import (
	"net/netip"
	"strings"
	"testing"
)

func TestOrigins(t *testing.T) {
	low, high := TrustLow, TrustHigh
	origins, err := NewOrigins(
		Origin{Name: "net", From: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, Trust: &low},
		Origin{Name: "pbx", From: []netip.Prefix{netip.MustParsePrefix("::ffff:192.0.2.7/128")}, Certificates: []string{"pbx.example.com"}, Trust: &high},
		Origin{Name: "host", Hosts: []string{"db1"}},
	)
	if err != nil {
		t.Fatal(err)
	}
	signs := NewSigns(origins, TrustNormal, nil)
	for addr, want := range map[string]Sign{
		"192.0.2.7": {"pbx", TrustHigh, origins.Certificate([]string{"pbx.example.com"})}, "192.0.2.8": {"net", TrustLow, origins.Addr(netip.MustParseAddr("192.0.2.8"))}, "198.51.100.1": {"198.51.100.1", TrustNormal, nil},
	} {
		for range 2 { // the second time from memory
			if got := signs.Of(netip.MustParseAddr(addr)); got != want {
				t.Errorf("%s: %+v, want %+v", addr, got, want)
			}
		}
	}
	if o := origins.Certificate([]string{"x", "pbx.example.com"}); o == nil || o.Name != "pbx" {
		t.Errorf("certificate: %+v", o)
	}
	if o := origins.Uploader("db1"); o == nil || o.Name != "host" {
		t.Errorf("host: %+v", o)
	}
	var none *Origins
	if none.Addr(netip.MustParseAddr("192.0.2.7")) != nil || none.Uploader("") != nil || none.Certificate(nil) != nil {
		t.Error("no origins name somebody")
	}
	if got := NewSigns(nil, TrustHigh, &low).Of(netip.MustParseAddr("192.0.2.7")); got != (Sign{"192.0.2.7", TrustLow, nil}) {
		t.Errorf("the operator's word for the source: %+v", got)
	}
	if n := testing.AllocsPerRun(100, func() { signs.Of(netip.MustParseAddr("192.0.2.7")) }); n != 0 {
		t.Errorf("%v allocations for a sender that is known", n)
	}
	for i := range maxSigns + 1 {
		signs.Of(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}))
	}
	if len(signs.known) > maxSigns {
		t.Errorf("%d senders are remembered", len(signs.known))
	}
}

func TestOriginsClaimOnce(t *testing.T) {
	p := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	for _, two := range [][2]Origin{
		{{Name: "a", From: p}, {Name: "b", From: p}},
		{{Name: "a", Certificates: []string{"x"}}, {Name: "b", Certificates: []string{"x"}}},
		{{Name: "a", Hosts: []string{"x"}}, {Name: "b", Hosts: []string{"x"}}},
	} {
		if _, err := NewOrigins(two[:]...); err == nil || !strings.Contains(err.Error(), "origin a already") {
			t.Errorf("%+v: %v", two, err)
		}
	}
}

func TestTrust(t *testing.T) {
	for _, trust := range []Trust{TrustLow, TrustNormal, TrustHigh} {
		if got, err := ParseTrust(trust.String()); got != trust || err != nil {
			t.Errorf("%v: %v, %v", trust, got, err)
		}
	}
	if _, err := ParseTrust("full"); err == nil {
		t.Error("full is a trust")
	}
}
