package nft_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"bailiff/decide"
	"bailiff/enforce/nft"
	"bailiff/enforce/nft/nfttest"
)

// Each leaves a table that Sync cannot take over as it is.
var spoiled = map[string]string{
	"a set of another type":       "table inet bailiff { set banned4 { type inet_service; }; }",
	"a set without timeouts":      "table inet bailiff { set banned4 { type ipv4_addr; }; }",
	"a set of intervals":          "table inet bailiff { set banned4 { type ipv4_addr; flags interval, timeout; }; }",
	"a set of another version":    `table inet bailiff { set banned4 { type ipv4_addr; flags timeout; counter; comment "bailiff layout 0"; }; }`,
	"a set of small size":         `table inet bailiff { set banned4 { type ipv4_addr; size 2; flags timeout; counter; comment "bailiff layout 1"; }; }`,
	"a chain at another hook":     "table inet bailiff { chain refuse { type filter hook input priority 0; }; }",
	"a chain of another priority": "table inet bailiff { chain refuse { type filter hook prerouting priority 0; }; }",
	"a chain that drops":          "table inet bailiff { chain refuse { type filter hook prerouting priority -310; policy drop; }; }",
	"a chain without a hook":      "table inet bailiff { chain refuse { }; }",
	"a foreign chain":             "table inet bailiff { chain mine { type filter hook input priority 0; }; }",
	"a foreign set in use":        "table inet bailiff { set mine { type ipv4_addr; }; chain mine { ip saddr @mine accept; }; }",
	"a dormant table":             "table inet bailiff { flags dormant; }",
	"an empty table":              "table inet bailiff { }",
}

func TestSyncRebuildsWhatIsNotOurs(t *testing.T) {
	nfttest.Need(t)
	bans := []decide.Decision{ban("192.0.2.7/32", time.Hour), ban("192.0.2.8/32", time.Hour), ban("192.0.2.9/32", time.Hour)}
	for name, table := range spoiled {
		t.Run(name, func(t *testing.T) {
			nfttest.Fresh(t)
			nfttest.Load(t, table)
			f := open(t)
			if err := f.Sync(t.Context(), bans); err != nil {
				t.Fatal(err)
			}
			if got := len(standing(t)); got != len(bans) {
				t.Errorf("%d bans stand, want %d", got, len(bans))
			}
			got := shapeOf(nfttest.NFT(t, "list", "table", "inet", "bailiff"))
			nfttest.NFT(t, "flush", "ruleset")
			if err := open(t).Sync(t.Context(), bans); err != nil {
				t.Fatal(err)
			}
			if want := shapeOf(nfttest.NFT(t, "list", "table", "inet", "bailiff")); got != want {
				t.Errorf("the table is\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// shapeOf is a listing without its elements.
func shapeOf(listing string) string {
	var b strings.Builder
	for line := range strings.Lines(listing) {
		if !strings.Contains(line, "192.0.2.") {
			b.WriteString(line)
		}
	}
	return b.String()
}

func TestApplyAndGuardKeepWhatStands(t *testing.T) {
	nfttest.Need(t)
	ports := ban("192.0.2.8/32", time.Hour)
	ports.Ports = []decide.Port{{Proto: "tcp", Port: 22}}
	for _, spoil := range []string{"", "add chain inet bailiff mine"} {
		t.Run("spoiled by "+spoil, func(t *testing.T) {
			nfttest.Fresh(t)
			apply(t, open(t), ban("192.0.2.7/32", time.Hour), ports)
			if spoil != "" {
				nfttest.NFT(t, strings.Fields(spoil)...)
			}

			// A process that has not called Sync.
			f := open(t)
			if err := f.Guard(t.Context(), []nft.Listener{{Proto: "udp", Port: 514}}); err != nil {
				t.Fatal(err)
			}
			apply(t, f, ban("192.0.2.9/32", time.Hour))
			if got := standing(t); len(got) != 3 {
				t.Errorf("%v stand, want three bans", got)
			}
			lift := decide.Decision{Action: decide.Lift, Prefix: ports.Prefix}
			apply(t, f, lift)
			if got := standing(t); len(got) != 2 {
				t.Errorf("after the lift of the ports %v stand, want two bans", got)
			}
		})
	}
}

func TestNoPacketSlipsThroughSync(t *testing.T) {
	nfttest.Need(t)
	nfttest.Fresh(t)
	nfttest.Address(t, server4)
	attacker := nfttest.NewHost(t, "attacker", "198.51.100.66")
	bystander := nfttest.NewHost(t, "bystander", "198.51.100.67")
	udp := listenUDP(t, server4)
	datagrams := dial(t, attacker, "udp", "198.51.100.66", udp.LocalAddr().String())
	f := open(t)
	apply(t, f, ban("198.51.100.66/32", time.Hour))

	stop := make(chan struct{})
	var sending sync.WaitGroup
	sending.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				_, _ = datagrams.Write([]byte("from the banned"))
			}
		}
	})
	var bans []decide.Decision
	for i := range 3000 {
		d := ban("198.51.100.66/32", time.Hour)
		d.Prefix = hostPrefix(i)
		bans = append(bans, d)
	}
	for i := range 20 {
		d := ban("198.51.100.66/32", time.Duration(i+1)*time.Hour)
		switch i % 4 {
		case 1:
			d.Ports = []decide.Port{{Proto: "udp", Port: portOf(t, udp.LocalAddr().String())}}
		case 2:
			d.Prefix = netip.MustParsePrefix("198.51.100.66/31")
		case 3: // has to be rebuilt
			nfttest.NFT(t, "add", "chain", "inet", "bailiff", "mine")
		}
		if err := f.Sync(t.Context(), append(slices.Clone(bans[:i*100]), d)); err != nil {
			t.Fatal(err)
		}
	}
	before := packets(t, f)
	poll(t, "the banned to be heard", func() bool { return packets(t, f) > before })
	close(stop)
	sending.Wait()
	write(t, dial(t, bystander, "udp", "198.51.100.67", udp.LocalAddr().String()), "from the bystander")
	receive(t, udp, "from the bystander")
}

// packets is how many packets were refused of everybody.
func packets(t *testing.T, f *nft.Firewall) (n uint64) {
	t.Helper()
	refused, err := f.Refused(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, traffic := range refused {
		n += traffic.Packets
	}
	return n
}

func TestOneBadElementCostsOnlyItself(t *testing.T) {
	nfttest.Need(t)
	nfttest.Fresh(t)
	f := open(t)
	apply(t, f, ban("192.0.2.7/32", time.Hour))
	// Under our hands the set becomes one that takes seven elements.
	nfttest.Load(t, `flush ruleset
		table inet bailiff { set banned4 { type ipv4_addr; size 7; flags timeout; counter; }; }
		table inet bailiff { set banned6 { type ipv6_addr; flags timeout; counter; }; }`)
	ds := []decide.Decision{ban("2001:db8::1/128", time.Hour)}
	for i := range 10 {
		ds = append(ds, ban(fmt.Sprintf("192.0.2.%d/32", i), time.Hour))
	}
	ds = append(ds, ban("2001:db8::2/128", time.Hour), decide.Decision{Until: time.Now().Add(time.Hour)})
	err := f.Apply(t.Context(), ds)
	if !errors.Is(err, unix.ENFILE) || !strings.Contains(err.Error(), "not a prefix") {
		t.Fatalf("Apply: %v, want ENFILE and the invalid prefix", err)
	}
	if got := strings.Count(err.Error(), "192.0.2."); got != 3 {
		t.Errorf("the error names %d addresses, want 3: %v", got, err)
	}
	if got := len(standing(t)); got != 9 {
		t.Errorf("%d bans stand, want 9", got)
	}
}

func TestGoneTable(t *testing.T) {
	nfttest.Need(t)
	nfttest.Fresh(t)
	f := open(t)
	d := ban("192.0.2.7/32", time.Hour)
	apply(t, f, d)
	nfttest.NFT(t, "flush", "ruleset")
	if err := f.Apply(t.Context(), []decide.Decision{d}); !errors.Is(err, nft.ErrGone) {
		t.Errorf("Apply: %v, want ErrGone", err)
	}
	await(t, f.Broken())
	if refused, err := f.Refused(t.Context()); err != nil || len(refused) != 0 {
		t.Errorf("Refused without a table: %v, %v", refused, err)
	}
	apply(t, f, d)
	if got := len(standing(t)); got != 1 {
		t.Errorf("%d bans stand, want 1", got)
	}
}

func TestClear(t *testing.T) {
	nfttest.Need(t)
	nfttest.Fresh(t)
	nfttest.NFT(t, "add table inet filter")
	f := open(t)
	for range 2 {
		if err := f.Clear(t.Context()); err != nil {
			t.Fatal(err)
		}
		if tables := nfttest.NFT(t, "list", "tables"); tables != "table inet filter\n" {
			t.Errorf("tables are %q", tables)
		}
		apply(t, f, ban("192.0.2.7/32", time.Hour))
	}
}

func TestAListingLoadsAgain(t *testing.T) {
	nfttest.Need(t)
	nfttest.Fresh(t)
	ports, reject := ban("192.0.2.8/32", time.Hour), ban("2001:db8:1::/48", time.Hour)
	ports.Ports, reject.Verdict = []decide.Port{{Proto: "tcp", Port: 22}}, decide.Reject
	bans := []decide.Decision{ban("192.0.2.7/32", time.Hour), ban("2001:db8::/64", time.Hour), ports, reject}
	apply(t, open(t), bans...)
	saved := nfttest.NFT(t, "list", "ruleset")
	nfttest.Load(t, "flush ruleset\n"+saved)
	nfttest.Load(t, saved) // twice: now each rule is there twice
	f := open(t)
	if err := f.Sync(t.Context(), bans); err != nil {
		t.Fatal(err)
	}
	if got := nfttest.NFT(t, "list", "table", "inet", "bailiff"); strings.Count(got, "@") != strings.Count(saved, "@") {
		t.Errorf("after Sync of a restored ruleset:\n%s", got)
	}
	if got := len(standing(t)); got != len(bans) {
		t.Errorf("%d bans stand, want %d", got, len(bans))
	}
}

func TestWithoutTheRight(t *testing.T) {
	nfttest.Need(t)
	var err error
	nfttest.OnThread(func() {
		hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var none [2]unix.CapUserData
		if err = unix.Capset(&hdr, &none[0]); err == nil {
			_, err = nft.New(nft.DefaultOptions())
		}
	})
	hinted := (interface{ Hint() string })(nil)
	if !errors.Is(err, nft.ErrPermission) || !errors.As(err, &hinted) || !strings.Contains(hinted.Hint(), "root") {
		t.Errorf("New: %v, want ErrPermission with a hint", err)
	}
}
