package enforcetest

import (
	"fmt"
	"net/netip"
	"time"

	"bailiff/decide"
	"bailiff/enforce"
)

// tests are the suite. Each begins on a firewall that Sync found empty.
var tests = []struct {
	name string
	run  func(s *subject)
}{
	{"a ban stands until its end", func(s *subject) {
		d := s.ban("192.0.2.7", time.Hour)
		s.apply(d)
		s.want(d)
	}},
	{"a ban without end stands until lifted", func(s *subject) {
		d := s.ban("192.0.2.7", 0)
		d.Until = time.Time{}
		s.apply(d)
		s.want(d)
		s.apply(s.lift("192.0.2.7"))
		s.want()
	}},
	{"a ban of centuries stands", func(s *subject) {
		d := s.ban("192.0.2.7", 200*365*24*time.Hour)
		s.apply(d)
		s.want(d)
	}},
	{"a later end lengthens", func(s *subject) {
		s.apply(s.ban("192.0.2.7", time.Minute))
		d := s.ban("192.0.2.7", time.Hour)
		s.apply(d)
		s.want(d)
	}},
	{"an earlier end shortens", func(s *subject) {
		s.apply(s.ban("192.0.2.7", time.Hour))
		d := s.ban("192.0.2.7", time.Minute)
		s.apply(d)
		s.want(d)
	}},
	{"an end replaces none, and none replaces an end", func(s *subject) {
		d := s.ban("192.0.2.7", time.Hour)
		forever := d
		forever.Until = time.Time{}
		s.apply(forever)
		s.apply(d)
		s.want(d)
		s.apply(forever)
		s.want(forever)
	}},
	{"the last word of one call holds", func(s *subject) {
		d := s.ban("192.0.2.7", time.Minute)
		s.apply(s.ban("192.0.2.7", time.Hour), s.lift("192.0.2.7"), d,
			s.ban("192.0.2.8", time.Hour), s.lift("192.0.2.8"))
		s.want(d)
	}},
	{"lifting what is not there is fine", func(s *subject) {
		d := s.ban("192.0.2.7", time.Hour)
		s.apply(d, s.lift("192.0.2.8"), s.lift("2001:db8::1"), s.lift("198.51.100.0/24"), s.lift("2001:db8::/48"))
		s.apply(s.lift("192.0.2.8"))
		s.want(d)
	}},
	{"what orders nothing is passed over", func(s *subject) {
		simulated, spent := s.ban("192.0.2.7", time.Hour), s.ban("192.0.2.8", time.Hour)
		simulated.Simulated, spent.Spent = true, true
		alarm := s.ban("192.0.2.9", time.Hour)
		alarm.Action = decide.Alarm
		over := s.ban("192.0.2.10", -time.Second)
		s.apply(simulated, spent, alarm, over)
		s.want()
		s.sync(simulated, spent, over)
		s.want()
	}},
	{"a simulated lift lifts nothing", func(s *subject) {
		d := s.ban("192.0.2.7", time.Hour)
		l := s.lift("192.0.2.7")
		l.Simulated = true
		s.apply(d, l)
		s.want(d)
	}},
	{"prefixes of all lengths overlap and end on their own", func(s *subject) {
		ds := []decide.Decision{
			s.ban("192.0.2.7", time.Hour), s.ban("192.0.2.0/24", 2*time.Hour), s.ban("192.0.0.0/16", 3*time.Hour),
			s.ban("2001:db8:1:2::7", time.Hour), s.ban("2001:db8:1:2::/64", 2*time.Hour),
			s.ban("2001:db8:1::/48", 3*time.Hour), s.ban("2001:db8::/33", 4*time.Hour),
		}
		s.apply(ds...)
		s.want(ds...)
		s.apply(s.lift("192.0.2.0/24"), s.lift("2001:db8:1:2::/64"))
		s.want(ds[0], ds[2], ds[3], ds[5], ds[6])
	}},
	{"host bits of a prefix do not matter", func(s *subject) {
		s.apply(s.ban("192.0.2.7/24", time.Hour))
		s.want(s.ban("192.0.2.0/24", time.Hour))
		s.apply(s.lift("192.0.2.99/24"))
		s.want()
	}},
	{"ports limit a ban", func(s *subject) {
		ports := []decide.Port{{Proto: "tcp", Port: 22}, {Proto: "udp", Port: 5060}}
		var ds []decide.Decision
		for _, prefix := range []string{"192.0.2.7", "2001:db8::7", "2001:db8:1::/64", "198.51.100.0/24"} {
			d := s.ban(prefix, time.Hour)
			d.Ports = ports
			ds = append(ds, d)
		}
		s.apply(ds...)
		s.want(ds...)
		s.apply(s.lift("192.0.2.7"), s.lift("2001:db8:1::/64"))
		s.want(ds[1], ds[3])
	}},
	{"a ban of a prefix replaces the one before, whatever its ports and verdict", func(s *subject) {
		all, some, other, reject := s.ban("192.0.2.7", time.Hour), s.ban("192.0.2.7", time.Hour),
			s.ban("192.0.2.7", time.Hour), s.ban("192.0.2.7", time.Hour)
		some.Ports = []decide.Port{{Proto: "tcp", Port: 22}, {Proto: "tcp", Port: 80}}
		other.Ports = []decide.Port{{Proto: "tcp", Port: 22}}
		reject.Verdict = decide.Reject
		for _, d := range []decide.Decision{all, some, other, reject, all, reject, some} {
			s.apply(d)
			s.want(d)
		}
		s.sync(other)
		s.want(other)
		s.apply(all)
		s.want(all)
	}},
	{"sync makes it exactly so", func(s *subject) {
		ports := s.ban("203.0.113.9", time.Hour)
		ports.Ports = []decide.Port{{Proto: "tcp", Port: 22}}
		s.apply(s.ban("192.0.2.7", time.Hour), s.ban("192.0.2.8", time.Hour), s.ban("2001:db8:1::/64", time.Hour),
			s.ban("198.51.100.0/24", time.Hour), ports)
		ds := []decide.Decision{
			s.ban("192.0.2.7", 3*time.Hour), s.ban("192.0.2.8", time.Minute),
			s.ban("2001:db8::9", time.Hour), s.ban("198.51.0.0/16", time.Hour),
		}
		s.sync(ds...)
		s.want(ds...)
		s.sync(ds...)
		s.want(ds...)
		s.sync()
		s.want()
	}},
	{"sync replaces ports and verdict", func(s *subject) {
		some, reject := s.ban("192.0.2.7", time.Hour), s.ban("192.0.2.7", time.Hour)
		some.Ports = []decide.Port{{Proto: "udp", Port: 5060}}
		reject.Verdict = decide.Reject
		for _, d := range []decide.Decision{some, s.ban("192.0.2.7", time.Hour), reject, some} {
			s.sync(d)
			s.want(d)
		}
	}},
	{"two thousand decisions in one call", func(s *subject) {
		var ds []decide.Decision
		for i := range 1000 {
			ds = append(ds, s.ban(fmt.Sprintf("198.18.%d.%d", i/250, i%250), time.Hour),
				s.ban(fmt.Sprintf("2001:db8:%x::/64", i), time.Hour))
		}
		s.apply(ds...)
		s.want(ds...)
		lifts := make([]decide.Decision, 0, len(ds))
		for _, d := range ds[10:] {
			lifts = append(lifts, s.lift(d.Prefix.String()))
		}
		s.apply(lifts...)
		s.want(ds[:10]...)
	}},
	{"close leaves the bans", func(s *subject) {
		d := s.ban("192.0.2.7", time.Hour)
		s.apply(d)
		if err := s.Enforcer.Close(); err != nil {
			s.t.Fatalf("Close: %v", err)
		}
		s.want(d)
	}},
	{"sync brings all back after a foreign flush", func(s *subject) {
		if s.Flush == nil {
			s.t.Skip("no foreign hand reaches it")
		}
		ports := s.ban("203.0.113.9", time.Hour)
		ports.Ports = []decide.Port{{Proto: "tcp", Port: 22}}
		ds := []decide.Decision{
			s.ban("192.0.2.7", time.Hour), s.ban("2001:db8:1::/64", time.Hour),
			s.ban("198.51.100.0/24", time.Hour), ports,
		}
		s.apply(ds...)
		s.Flush(s.t)
		s.want()
		s.sync(ds...)
		s.want(ds...)
		s.Flush(s.t)
		if err := s.Enforcer.Apply(s.t.Context(), ds[:1]); err == nil {
			s.t.Fatal("Apply on a flushed firewall: no error")
		}
		s.sync(ds...)
		s.want(ds...)
	}},
	{"what is refused is counted, and a refresh goes on counting", func(s *subject) {
		if _, ok := s.Enforcer.(enforce.Meter); !ok || s.Knock == nil {
			s.t.Skip("it does not count")
		}
		for _, prefix := range []string{"192.0.2.7/32", "2001:db8::7/128", "198.51.100.0/24", "2001:db8:1::/64"} {
			addr := netip.MustParsePrefix(prefix).Addr()
			d := s.ban(prefix, time.Hour)
			s.apply(d)
			s.refused(prefix, 0)
			s.Knock(s.t, addr)
			s.refused(prefix, 1)
			s.apply(s.ban(prefix, 2*time.Hour))
			s.refused(prefix, 1)
			s.Knock(s.t, addr)
			s.refused(prefix, 2)
			s.sync(s.ban(prefix, 2*time.Hour), s.ban("203.0.113.200", time.Hour))
			s.refused(prefix, 2)
			s.sync(s.ban(prefix, 4*time.Hour))
			s.refused(prefix, 2)
			s.apply(s.lift(prefix), s.ban(prefix, time.Hour))
		}
	}},
}
