package nft_test

import (
	"encoding/json"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"bailiff/decide"
	"bailiff/enforce/enforcetest"
	"bailiff/enforce/nft"
	"bailiff/enforce/nft/nfttest"
)

func TestMain(m *testing.M) { os.Exit(nfttest.InNamespace(m)) }

func TestConforms(t *testing.T) {
	nfttest.Need(t)
	// Addresses that packets come from: they are on lo, and lo passes
	// prerouting like any interface.
	nfttest.Address(t, "192.0.2.7", "198.51.100.0", "2001:db8::7", "2001:db8:1::")
	enforcetest.Run(t, func(t *testing.T) enforcetest.Subject {
		nfttest.Fresh(t)
		return enforcetest.Subject{
			Enforcer: open(t),
			Standing: standing,
			Flush:    func(t *testing.T) { nfttest.NFT(t, "flush", "ruleset") },
			Knock:    knock,
		}
	})
}

// open returns a firewall with the default options.
func open(t testing.TB) *nft.Firewall {
	t.Helper()
	f, err := nft.New(nft.DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// knock sends a datagram to ourselves from the address.
func knock(t *testing.T, from netip.Addr) {
	t.Helper()
	to := netip.MustParseAddr("127.0.0.1")
	if from.Is6() {
		to = netip.IPv6Loopback()
	}
	c, err := net.DialUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(from, 0)),
		net.UDPAddrFromAddrPort(netip.AddrPortFrom(to, 9)))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("knock")); err != nil {
		t.Fatal(err)
	}
}

// standing reads our table with nft(8), so with none of our code.
func standing(t *testing.T) []enforcetest.Ban {
	t.Helper()
	out, err := exec.Command("nft", "-j", "-n", "list", "table", "inet", "bailiff").CombinedOutput()
	if strings.Contains(string(out), "No such file or directory") {
		return nil
	}
	if err != nil {
		t.Fatalf("nft list: %v\n%s", err, out)
	}
	var listing struct {
		Nftables []struct {
			Set struct {
				Name string
				Elem []struct {
					Elem *struct {
						Val              json.RawMessage
						Timeout, Expires int64
						Counter          *struct{}
					}
				}
			}
		}
	}
	if err := json.Unmarshal(out, &listing); err != nil {
		t.Fatalf("nft list: %v\n%s", err, out)
	}
	bans := make(map[string]*enforcetest.Ban)
	for _, object := range listing.Nftables {
		set := object.Set
		for _, e := range set.Elem {
			if e.Elem == nil || e.Elem.Counter == nil {
				t.Fatalf("set %s has an element without a counter", set.Name)
			}
			prefix, port := parseElement(t, set.Name, e.Elem.Val)
			key := set.Name + prefix
			if bans[key] == nil {
				bans[key] = &enforcetest.Ban{Prefix: prefix}
				if e.Elem.Timeout > 0 {
					bans[key].Until = time.Now().Add(time.Duration(e.Elem.Expires) * time.Second)
				}
				if strings.HasSuffix(set.Name, "_reject") {
					bans[key].Verdict = decide.Reject
				}
			}
			if port != nil {
				bans[key].Ports = append(bans[key].Ports, *port)
			}
		}
	}
	var list []enforcetest.Ban
	for _, b := range bans {
		list = append(list, *b)
	}
	return list
}

// parseElement reads an element as nft(8) prints it: "192.0.2.7" or
// {"concat": ["192.0.2.7", "tcp", 22]}. The prefix length is in the set's name.
func parseElement(t *testing.T, set string, val json.RawMessage) (string, *decide.Port) {
	t.Helper()
	var addr string
	var port *decide.Port
	if err := json.Unmarshal(val, &addr); err != nil {
		var c struct{ Concat []any }
		if err := json.Unmarshal(val, &c); err != nil || len(c.Concat) != 3 {
			t.Fatalf("element %s", val)
		}
		proto := map[any]string{"tcp": "tcp", "udp": "udp", 6.0: "tcp", 17.0: "udp"}[c.Concat[1]]
		addr, port = c.Concat[0].(string), &decide.Port{Proto: proto, Port: uint16(c.Concat[2].(float64))}
	}
	_, bits, sized := strings.Cut(strings.TrimSuffix(set, "_reject"), "_")
	if sized {
		return addr + "/" + bits, port
	}
	a := netip.MustParseAddr(addr)
	return netip.PrefixFrom(a, a.BitLen()).String(), port
}
