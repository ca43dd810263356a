package decide

import (
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bailiff/rules"
)

// stray is a match of the nth address of a flood from everywhere but the network that is
// watched: IPv4 or, every other, IPv6. No two are the same.
func stray(n int, like *rules.Match) *rules.Match {
	m, b := *like, uint32(n)*2654435761 // odd: each n has its own
	if m.Addr = netip.AddrFrom4([4]byte{byte(b >> 24), byte(b >> 16), byte(b >> 8), byte(b)}); n%2 == 0 || !bannable(m.Addr) || watchedNet.Contains(m.Addr) {
		m.Addr = netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, byte(b >> 24), byte(b >> 16), byte(b >> 8), byte(b)})
	}
	return &m
}

var watchedNet = netip.MustParsePrefix("192.0.2.0/24")

// TestFloodOfAddresses has one that guesses slowly, and a network of which each address tries
// once, among very many addresses with one attempt each: they are banned by the attempt that
// completes their windows, and the flood fills nothing. BAILIFF_FLOOD says of how many it is.
func TestFloodOfAddresses(t *testing.T) {
	flood := 500_000
	if testing.Short() {
		flood = 100_000
	}
	if n, err := strconv.Atoi(os.Getenv("BAILIFF_FLOOD")); err == nil {
		flood = n
	}
	for name, like := range map[string]*rules.Match{
		"spoofable": packet("198.51.100.1", "101", epoch), "proven": proven(packet("198.51.100.1", "101", epoch)),
	} {
		t.Run(name, func(t *testing.T) {
			opt := DefaultOptions()
			slow, net := DefaultJail("slow", "asterisk", "sshd"), DefaultJail("net", "asterisk", "sshd")
			slow.MaxRetry, slow.FindTime = 6, 24*time.Hour
			net.MaxRetry, net.FindTime, net.GroupBy, net.Distinct = 10, 24*time.Hour, ByPrefix, 10
			opt.Jails, opt.MaxKeys = []Jail{slow, net}, 10_000
			e, err := New(opt, nil)
			if err != nil {
				t.Fatal(err)
			}
			at := func(n int) time.Time { return epoch.Add(time.Duration(n) * 20 * time.Hour / time.Duration(flood)) }
			var bans []string
			see := func(m *rules.Match, n int) {
				m.Time = at(n)
				for _, d := range e.Observe(m, m.Time) {
					if d.Action == Ban {
						bans = append(bans, fmt.Sprint(d.Jail, " ", d.Prefix, " ", d.Attempts, " ", d.Spoofable))
					}
				}
			}
			const guesser = "203.0.113.9"
			for range slow.MaxRetry / 2 {
				see(failure(guesser, epoch), 0)
			}
			crowd := 0
			join := func(n int) {
				crowd++
				see(failure(fmt.Sprint("192.0.2.", crowd), epoch), n)
			}
			for range net.MaxRetry / 2 {
				join(0)
			}
			var before uint64
			for n := range flood {
				see(stray(n, like), n)
				if n%500 == 0 { // as the daemon does
					e.Touched()
					e.Expire(at(n))
				}
				if n == flood/10 {
					before = inUse()
				}
				if n%(flood/4) == flood/4-1 && n != flood-1 {
					see(failure(guesser, epoch), n)
				}
				if n%(flood/6) == flood/6-1 && n != flood-1 && crowd < net.MaxRetry {
					join(n)
				}
			}
			if diff := cmp.Diff([]string{"slow " + guesser + "/32 6 false", "net 192.0.2.0/24 10 false"}, bans); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			after, s := inUse(), e.Stats()
			t.Logf("%d addresses: %d windows; %d KiB in use a tenth into it, %d KiB at its end", flood, e.watched, before>>10, after>>10)
			if after > 2*before || e.load > opt.MaxKeys {
				t.Errorf("%d bytes are in use, and %d were a tenth into the flood; %d windows", after, before, e.watched)
			}
			if n := int(s.EvictedProven + s.EvictedSpoofable); n+e.watched < 2*flood {
				t.Errorf("%d attempts were forgotten and %d windows are left of %d attempts in two jails", n, e.watched, flood)
			}
		})
	}
}
