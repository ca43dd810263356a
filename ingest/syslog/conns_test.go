package syslog

import (
	"net/netip"
	"testing"
	"time"
)

// TestConns plays who gets in and who has to go.
func TestConns(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	type arrival struct {
		sender string
		after  time.Duration
		ok     bool
		ended  string // the name of the connection that must go: sender and number
	}
	for _, tc := range []struct {
		name           string
		max, perSender int
		arrivals       []arrival
	}{
		{"a sender at its limit", 10, 2, []arrival{
			{"a", 0, true, ""},
			{"a", 0, true, ""},
			{"a", time.Second, false, ""},
			{"b", 0, true, ""},
			// The first has been silent for long by now.
			{"a", idleAfter, true, "a0"},
		}},
		{"a sender that has most gives up its idlest", 4, 4, []arrival{
			{"a", 0, true, ""},
			{"a", time.Second, true, ""},
			{"a", time.Second, true, ""},
			{"b", 0, true, ""},
			{"c", 0, true, "a0"},
			{"d", 0, true, "a1"},
			// Everybody has one.
			{"e", time.Second, false, ""},
			{"e", 2 * idleAfter, true, "?"},
		}},
		{"a sender takes no place from one that has as many", 4, 4, []arrival{
			{"a", 0, true, ""}, {"a", 0, true, ""}, {"b", 0, true, ""}, {"b", 0, true, ""}, {"a", time.Second, false, ""}, {"b", 0, false, ""},
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			clock := now
			table := newConns(&Options{MaxConns: tc.max, MaxConnsPerSender: tc.perSender})
			of := map[string]int{}
			names := map[string]*conn{}
			for i, a := range tc.arrivals {
				clock = clock.Add(a.after)
				c := &conn{sender: a.sender, now: func() time.Time { return clock }}
				closed, ok := table.add(t.Context(), c)
				if ok != a.ok || (closed == 1) != (a.ended != "") {
					t.Fatalf("arrival %d of %s: let in %v and %d closed, want %v and %q", i, a.sender, ok, closed, a.ok, a.ended)
				}
				if ok {
					names[a.sender+string(rune('0'+of[a.sender]))] = c
					of[a.sender]++
				}
				for name, c := range names {
					if ended := c.ctx.Err() != nil; ended != (name == a.ended) && a.ended != "?" {
						t.Errorf("arrival %d of %s: %s told to end: %v", i, a.sender, name, ended)
					}
					if c.ctx.Err() != nil {
						table.remove(c)
						delete(names, name)
					}
				}
			}
			for _, c := range names {
				table.remove(c)
			}
			if len(table.open)+len(table.of)+table.ending > 0 {
				t.Errorf("left behind: %d open, %v, %d ending", len(table.open), table.of, table.ending)
			}
		})
	}
}

// TestConnsEndingAreBounded holds that connections which are slow to end do not add up.
func TestConnsEndingAreBounded(t *testing.T) {
	clock := time.Unix(1_800_000_000, 0)
	table := newConns(&Options{MaxConns: 4, MaxConnsPerSender: 4})
	for range 100 {
		for range 4 {
			clock = clock.Add(2 * idleAfter)
			table.add(t.Context(), &conn{sender: "a", now: func() time.Time { return clock }})
		}
	}
	if len(table.open) > 8 {
		t.Errorf("%d connections are open, and %d of them about to end", len(table.open), table.ending)
	}
}

func TestSenderOfConns(t *testing.T) {
	named := &Options{AllowFrom: []netip.Prefix{netip.MustParsePrefix("::/0")}, ClientCA: "x"}
	anybody := &Options{ClientCA: "x"}
	for _, tc := range []struct {
		opts       *Options
		addr, want string
	}{
		{named, "2001:db8::1", "2001:db8::1"},
		{anybody, "2001:db8::1", "2001:db8::/64"},
		{anybody, "192.0.2.1", "192.0.2.1"},
	} {
		if got := tc.opts.sender(netip.MustParseAddr(tc.addr)); got != tc.want {
			t.Errorf("%s is of %s, want %s", tc.addr, got, tc.want)
		}
	}
}
