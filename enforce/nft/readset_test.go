package nft_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bailiff/enforce/nft"
	"bailiff/enforce/nft/nfttest"
)

func TestReadSet(t *testing.T) {
	nfttest.Need(t)
	for _, test := range []struct {
		name, family, set string
		want              []string
	}{
		{"empty", "inet", "type ipv4_addr;", nil},
		{"hosts", "inet", "type ipv4_addr; elements = { 192.0.2.9, 192.0.2.7 };", []string{"192.0.2.7/32", "192.0.2.9/32"}},
		{"IPv6 hosts", "ip6", "type ipv6_addr; elements = { 2001:db8::1, ::1 };", []string{"::1/128", "2001:db8::1/128"}},
		{"with timeouts", "ip", "type ipv4_addr; flags timeout; elements = { 192.0.2.7 timeout 1h };", []string{"192.0.2.7/32"}},
		{
			"prefixes", "inet", "type ipv4_addr; flags interval; elements = { 198.51.100.0/24, 10.0.0.0/8, 192.0.2.7 };",
			[]string{"10.0.0.0/8", "192.0.2.7/32", "198.51.100.0/24"},
		},
		{
			"an interval that is no prefix", "inet", "type ipv4_addr; flags interval; elements = { 192.0.2.5-192.0.2.16 };",
			[]string{"192.0.2.5/32", "192.0.2.6/31", "192.0.2.8/29", "192.0.2.16/32"},
		},
		{
			"intervals that touch", "inet", "type ipv4_addr; flags interval; elements = { 10.0.0.0/25, 10.0.0.128/25 };",
			[]string{"10.0.0.0/25", "10.0.0.128/25"},
		},
		{"everything", "inet", "type ipv4_addr; flags interval; elements = { 0.0.0.0/0 };", []string{"0.0.0.0/0"}},
		{
			"up to the last address", "inet", "type ipv4_addr; flags interval; elements = { 255.255.255.254-255.255.255.255 };",
			[]string{"255.255.255.254/31"},
		},
		{
			"IPv6 intervals", "inet",
			"type ipv6_addr; flags interval; elements = { 2001:db8::/32, fe80::1-fe80::2, ff00::/8 };",
			[]string{"2001:db8::/32", "fe80::1/128", "fe80::2/128", "ff00::/8"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			nfttest.Fresh(t)
			nfttest.NFT(t, fmt.Sprintf("add table %s filter; add set %[1]s filter trusted { %s }", test.family, test.set))
			ps, err := nft.ReadSet(test.family, "filter", "trusted")
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range ps {
				got = append(got, p.String())
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// The kernel is still resizing a set that was just filled when it is read.
func TestReadSetOfThousands(t *testing.T) {
	nfttest.Need(t)
	for n := 15_000; n <= 40_000; n += 5_000 {
		nfttest.Fresh(t)
		var elements []string
		want := make(map[netip.Prefix]bool)
		for i := range n {
			want[hostPrefix(i)] = true
			elements = append(elements, hostPrefix(i).Addr().String())
		}
		nfttest.Load(t, "table inet filter { set trusted { type ipv4_addr; elements = { "+strings.Join(elements, ", ")+" }; }; }")
		ps, err := nft.ReadSet("inet", "filter", "trusted")
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range ps {
			delete(want, p)
		}
		if len(ps) != n || len(want) != 0 {
			t.Errorf("read %d prefixes of %d, %d missing", len(ps), n, len(want))
		}
	}
}

func TestReadSetRefuses(t *testing.T) {
	nfttest.Need(t)
	nfttest.Fresh(t)
	nfttest.Load(t, `add table inet filter
		add set inet filter ports { type inet_service; }
		add set inet filter pairs { type ipv4_addr . inet_service; }
		add map inet filter verdicts { type ipv4_addr : verdict; }`)
	for _, test := range []struct{ family, table, set, want string }{
		{"inet", "filter", "ports", "it holds inet_service"},
		{"inet", "filter", "pairs", "it holds ipv4_addr . inet_service"},
		{"inet", "filter", "verdicts", "it is a map"},
		{"inet4", "filter", "map", `family "inet4"`},
	} {
		_, err := nft.ReadSet(test.family, test.table, test.set)
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), test.set) {
			t.Errorf("ReadSet(%s): %v, want %q", test.set, err, test.want)
		}
	}
	for _, name := range [][2]string{{"filter", "absent"}, {"absent", "trusted"}} {
		_, err := nft.ReadSet("inet", name[0], name[1])
		if hinted := (interface{ Hint() string })(nil); !errors.Is(err, nft.ErrNoSet) || !errors.As(err, &hinted) {
			t.Errorf("ReadSet(%s %s): %v, want ErrNoSet with a hint", name[0], name[1], err)
		}
	}
}
