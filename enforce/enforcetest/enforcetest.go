// Package enforcetest is the suite that every [enforce.Enforcer] passes.
//
// To add a firewall: implement the interface in a package below enforce, make
// a [Subject] of it in a test, and call [Run].
package enforcetest

import (
	"cmp"
	"net/netip"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"bailiff/decide"
	"bailiff/enforce"
)

// Subject is an enforcer on an empty firewall of its own, and the means to see
// and disturb that firewall without it.
type Subject struct {
	Enforcer enforce.Enforcer
	// Standing returns what the firewall refuses at this moment.
	Standing func(t *testing.T) []Ban
	// Flush is a foreign hand that empties the firewall; nil if there is none.
	Flush func(t *testing.T)
	// Knock lets one packet from the address arrive; nil if there are none.
	Knock func(t *testing.T, from netip.Addr)
}

// Ban is one thing that a firewall refuses.
type Ban struct {
	Prefix  string
	Ports   []decide.Port // in any order
	Verdict decide.Verdict
	Until   time.Time // zero: until lifted
}

// tolerance is how far the end of a ban may be from what was ordered: the
// second that firewalls count in, and what a slow machine adds.
const tolerance = 5 * time.Second

// Run runs the suite. make is called once for each test.
func Run(t *testing.T, make func(t *testing.T) Subject) {
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := &subject{Subject: make(t), t: t, now: time.Now()}
			s.sync()
			test.run(s)
		})
	}
}

// subject is a Subject under test.
type subject struct {
	Subject
	t   *testing.T
	now time.Time
}

// ban is a ban of an address or prefix that ends in that time from now.
func (s *subject) ban(prefix string, length time.Duration) decide.Decision {
	p, err := netip.ParsePrefix(prefix)
	if err != nil {
		addr := netip.MustParseAddr(prefix)
		p = netip.PrefixFrom(addr, addr.BitLen())
	}
	return decide.Decision{
		Action: decide.Ban, Prefix: p, At: s.now, Until: s.now.Add(length),
		Jail: "sshd", Rule: "sshd/password", Origin: "rules", Strike: 1,
	}
}

// lift is a lift of an address or prefix.
func (s *subject) lift(prefix string) decide.Decision {
	d := s.ban(prefix, 0)
	d.Action, d.Until = decide.Lift, time.Time{}
	return d
}

func (s *subject) apply(ds ...decide.Decision) {
	s.t.Helper()
	if err := s.Enforcer.Apply(s.t.Context(), ds); err != nil {
		s.t.Fatalf("Apply: %v", err)
	}
}

func (s *subject) sync(ds ...decide.Decision) {
	s.t.Helper()
	if err := s.Enforcer.Sync(s.t.Context(), ds); err != nil {
		s.t.Fatalf("Sync: %v", err)
	}
}

// want fails the test unless exactly the bans of these decisions stand.
func (s *subject) want(ds ...decide.Decision) {
	s.t.Helper()
	var want []Ban
	for _, d := range ds {
		want = append(want, Ban{Prefix: d.Prefix.Masked().String(), Ports: d.Ports, Verdict: d.Verdict, Until: d.Until})
	}
	got := s.Standing(s.t)
	sortBans(want)
	sortBans(got)
	near := gocmp.Comparer(func(a, b time.Time) bool {
		return a.IsZero() == b.IsZero() && a.Sub(b).Abs() < tolerance
	})
	if diff := gocmp.Diff(want, got, near); diff != "" {
		s.t.Fatalf("standing bans (-want +got):\n%s", diff)
	}
}

func sortBans(bans []Ban) {
	for i := range bans {
		bans[i].Ports = slices.SortedFunc(slices.Values(bans[i].Ports), func(a, b decide.Port) int {
			return cmp.Or(cmp.Compare(a.Proto, b.Proto), cmp.Compare(a.Port, b.Port))
		})
	}
	slices.SortFunc(bans, func(a, b Ban) int { return cmp.Compare(a.Prefix, b.Prefix) })
}

// refused fails the test unless the meter counted so many packets.
func (s *subject) refused(prefix string, want uint64) {
	s.t.Helper()
	got, err := s.Enforcer.(enforce.Meter).Refused(s.t.Context())
	if err != nil {
		s.t.Fatalf("Refused: %v", err)
	}
	traffic, ok := got[s.ban(prefix, 0).Prefix]
	if !ok || traffic.Packets != want || (want > 0 && traffic.Bytes == 0) {
		s.t.Fatalf("Refused(%s) = %+v, %v, want %d packets", prefix, traffic, ok, want)
	}
}
