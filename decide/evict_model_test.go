package decide

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"bailiff/rules"
)

// lineup is what the order of eviction is about, said in the simplest way.
type lineup struct {
	maxRetry int
	here     map[netip.Addr]*suspected
	strikes  map[netip.Addr]bool
	quiet    map[netip.Prefix]int // when the crowd of a net changed last
	clock    int
}

type suspected struct {
	addr              netip.Addr
	proven, spoofable int
	known             bool // to have strikes
	moved             int  // when it was heard of, or came to another class
}

// net is the /24 or /48 that the address is in.
func (s *suspected) net() netip.Prefix {
	bits := 48
	if s.addr.Is4() {
		bits = 24
	}
	return netip.PrefixFrom(s.addr, bits).Masked()
}

// class orders them: nothing held, a single spoofable attempt, few, more, and last
// those with strikes or half of the attempts.
func (l *lineup) class(s *suspected) int {
	n := s.proven + s.spoofable
	switch {
	case n == 0:
		return 0
	case s.known:
		return 1000
	case s.proven == 0 && n == 1:
		return 1
	case 2*n >= l.maxRetry:
		return 1000
	}
	return 1 + n
}

// first is who goes first.
func (l *lineup) first() *suspected {
	crowd := map[netip.Prefix]int{}
	for _, s := range l.here {
		if l.class(s) == 1 {
			crowd[s.net()]++
		}
	}
	return slices.MinFunc(slices.Collect(maps.Values(l.here)), func(a, b *suspected) int {
		order := cmp.Compare(l.class(a), l.class(b))
		if order == 0 && l.class(a) == 1 {
			order = cmp.Or(cmp.Compare(crowd[b.net()], crowd[a.net()]), cmp.Compare(l.quiet[a.net()], l.quiet[b.net()]))
		}
		return cmp.Or(order, cmp.Compare(a.moved, b.moved))
	})
}

// change does something to one, and notes what that moves.
func (l *lineup) change(s *suspected, heard bool, do func()) {
	before := l.class(s)
	do()
	after := l.class(s)
	l.clock++
	if heard || before != after {
		s.moved = l.clock
		if before == 1 || after == 1 {
			l.quiet[s.net()] = l.clock
		}
	}
}

// evict takes out the first that has no strikes.
func (l *lineup) evict() (gone netip.Addr, spared int) {
	for s := l.first(); ; s = l.first() {
		if spared == sparedAtOnce || !l.strikes[s.addr] || l.class(s) == 0 || l.class(s) == 1000 {
			l.change(s, true, func() { delete(l.here, s.addr) })
			return s.addr, spared
		}
		l.change(s, true, func() { s.known = true })
		spared++
	}
}

// TestEvictionAgreesWithModel sends attempts of few neighbourhoods at a jail that has room
// for few addresses: each time the one makes room that the model names.
func TestEvictionAgreesWithModel(t *testing.T) {
	histories := 3_000
	if testing.Short() {
		histories = 300
	}
	evicted, spared, crowded := 0, 0, 0
	for seed := range uint64(histories) {
		r := rand.New(rand.NewPCG(seed, 13))
		j := DefaultJail("j", "p")
		j.MaxRetry, j.Spoofable = 12, SpoofableAlarm
		opt := DefaultOptions()
		opt.Jails, opt.MaxKeys, opt.KnownFor = []Jail{j}, 4+r.IntN(12), 0
		l := &lineup{maxRetry: j.MaxRetry, here: map[netip.Addr]*suspected{}, strikes: map[netip.Addr]bool{}, quiet: map[netip.Prefix]int{}}
		past, banned := &record{}, map[netip.Addr]bool{}
		var addrs []netip.Addr
		for n := range 16 {
			for _, a := range []netip.Addr{netip.AddrFrom4([4]byte{198, 51, byte(100 + n%3), byte(1 + n)}), netip.MustParseAddr(fmt.Sprintf("2001:db8:%x:%x::1", n%3, n))} {
				addrs = append(addrs, a)
				if l.strikes[a] = r.IntN(8) == 0; l.strikes[a] {
					past.strikes = append(past.strikes, Strike{Prefix: site(a), Jail: "j", At: seconds(-500), Until: seconds(-400)})
				}
			}
		}
		e, err := New(opt, past)
		if err != nil {
			t.Fatal(err)
		}
		for step := range 200 {
			addr := addrs[r.IntN(len(addrs))]
			m := rules.Match{Rule: modelRules[4*r.IntN(2)], Event: rules.Failure, Account: "alice", Count: 1, Addr: addr, Time: seconds(step), Received: seconds(step), Source: "journald"}
			if r.IntN(12) == 0 {
				m.Event = rules.Success
			}
			var want netip.Addr
			if m.Event == rules.Failure && l.here[addr] == nil {
				if len(l.here) == opt.MaxKeys {
					if l.class(l.first()) == 1 {
						crowded++
					}
					n := 0
					want, n = l.evict()
					spared += n
					evicted++
				}
				l.here[addr] = &suspected{addr: addr}
			}
			e.Observe(&m, seconds(step))
			for a := range l.here {
				if e.dockets[0].watches[key{prefix: site(a)}] == nil {
					t.Fatalf("seed %d, step %d: %v made room, want %v", seed, step, a, want)
				}
			}
			if len(e.dockets[0].watches) != len(l.here) {
				t.Fatalf("seed %d, step %d: %d are watched, want %d; %v had to make room", seed, step, len(e.dockets[0].watches), len(l.here), want)
			}
			s := l.here[addr]
			if s == nil {
				continue
			}
			l.change(s, m.Event == rules.Failure, func() {
				count := &s.spoofable
				if m.Rule.Evidence == rules.Proven {
					count = &s.proven
				}
				switch {
				case m.Event == rules.Success:
					*count = 0
				case !banned[addr]:
					*count++
				}
				if s.proven >= j.MaxRetry {
					banned[addr] = true
					s.proven, s.spoofable = 0, 0
				}
				if s.proven+s.spoofable >= j.MaxRetry {
					s.spoofable = 0 // an alarm has answered them
				}
			})
		}
		if n := int(e.stats.Evicted); n == 0 || len(e.crowds.by) > opt.MaxKeys {
			t.Fatalf("seed %d: %d evicted, %d crowds", seed, n, len(e.crowds.by))
		}
	}
	if evicted < histories || spared < histories/10 || crowded < histories {
		t.Errorf("%d evicted, %d spared, %d in a crowd: the histories are too tame", evicted, spared, crowded)
	}
}
