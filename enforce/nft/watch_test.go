package nft_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"bailiff/decide"
	"bailiff/enforce/nft"
	"bailiff/enforce/nft/nfttest"
)

func TestForeignHandsAreNoticed(t *testing.T) {
	nfttest.Need(t)
	for _, command := range []string{
		"flush ruleset",
		"flush table inet bailiff",
		"delete table inet bailiff",
		"flush set inet bailiff banned4",
		"delete element inet bailiff banned4 { 192.0.2.7 }",
		"flush chain inet bailiff refuse",
		"insert rule inet bailiff refuse accept",
		"add table inet bailiff { flags dormant; }",
	} {
		t.Run(command, func(t *testing.T) {
			nfttest.Fresh(t)
			f := open(t)
			d := ban("192.0.2.7/32", time.Hour)
			apply(t, f, d)
			quiet(t, f)

			nfttest.NFT(t, strings.Fields(command)...)
			await(t, f.Broken())
			if err := f.Sync(t.Context(), []decide.Decision{d}); err != nil {
				t.Fatal(err)
			}
			listing := nfttest.NFT(t, "list", "table", "inet", "bailiff")
			if !strings.Contains(listing, "192.0.2.7") || strings.Contains(listing, "dormant") ||
				strings.Count(listing, " drop\n") != 3 || strings.Contains(listing, "\taccept") {
				t.Errorf("after Sync:\n%s", listing)
			}
		})
	}
}

func TestOtherTablesAreNobodysBusiness(t *testing.T) {
	nfttest.Need(t)
	nfttest.Fresh(t)
	f := open(t)
	apply(t, f, ban("192.0.2.7/32", time.Hour))
	nfttest.NFT(t, "add table inet filter; add set inet filter x { type ipv4_addr; }; add element inet filter x { 192.0.2.1 }")
	nfttest.NFT(t, "add table ip bailiff; delete table ip bailiff")
	nfttest.NFT(t, "delete table inet filter")
	quiet(t, f)
}

func TestOurOwnChangesAreNotForeign(t *testing.T) {
	nfttest.Need(t)
	nfttest.Fresh(t)
	f := open(t)
	var ds, lifts []decide.Decision
	for i := range 5000 {
		d := ban("192.0.2.7/32", time.Hour)
		d.Prefix = hostPrefix(i)
		lift := d
		lift.Action = decide.Lift
		ds, lifts = append(ds, d), append(lifts, lift)
	}
	if err := f.Sync(t.Context(), ds); err != nil {
		t.Fatal(err)
	}
	apply(t, f, ds...)
	apply(t, f, lifts...)
	if err := f.Guard(t.Context(), []nft.Listener{{Proto: "udp", Port: 514, UIDs: []uint32{0}}}); err != nil {
		t.Fatal(err)
	}
	if err := f.Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	quiet(t, f)
}

func TestChangesSinceNewAreNoticed(t *testing.T) {
	nfttest.Need(t)
	nfttest.Fresh(t)
	f := open(t)
	apply(t, f, ban("192.0.2.7/32", time.Hour))
	nfttest.NFT(t, "flush ruleset")
	await(t, f.Broken())
}

func await(t *testing.T, broken <-chan struct{}) {
	t.Helper()
	select {
	case <-broken:
	case <-time.After(patience):
		t.Fatal("nothing was noticed")
	}
}

// quiet wants that no change so far was taken for a foreign one. It reads the
// notifications itself, so the test must not have called Broken. They come in
// order: what precedes the marker has been seen when the marker is.
func quiet(t *testing.T, f *nft.Firewall) {
	t.Helper()
	nfttest.NFT(t, "add", "table", "inet", "marker")
	foreign, err := f.Foreign("marker")
	if err != nil {
		t.Fatal(err)
	}
	if foreign {
		t.Fatal("our own change, or none of our business, was taken for foreign")
	}
}

// hostPrefix is the nth of many addresses.
func hostPrefix(n int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}), 32)
}
