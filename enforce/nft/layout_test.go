package nft

import (
	"net/netip"
	"testing"
	"time"

	"bailiff/decide"
)

func TestSetNames(t *testing.T) {
	for name, want := range map[string]shape{
		"banned4":         {bits: 32},
		"banned6":         {v6: true, bits: 128},
		"banned6_64":      {v6: true, bits: 64},
		"net4_24":         {bits: 24},
		"net6_48":         {v6: true, bits: 48},
		"net4_0":          {bits: 0},
		"ports4":          {bits: 32, ports: true},
		"ports6":          {v6: true, bits: 128, ports: true},
		"ports6_64":       {v6: true, bits: 64, ports: true},
		"ports4_24":       {bits: 24, ports: true},
		"banned4_reject":  {bits: 32, verdict: decide.Reject},
		"net6_48_reject":  {v6: true, bits: 48, verdict: decide.Reject},
		"ports4_reject":   {bits: 32, ports: true, verdict: decide.Reject},
		"ports6_9_reject": {v6: true, bits: 9, ports: true, verdict: decide.Reject},
	} {
		if got := want.name(); got != name {
			t.Errorf("%+v is named %s, want %s", want, got, name)
		}
		if got, ok := parseShape(name); !ok || got != want {
			t.Errorf("parseShape(%s) = %+v, %v, want %+v", name, got, ok, want)
		}
	}
	for _, name := range []string{
		"", "4", "banned", "banned4_32", "banned4_24", "banned6_128", "net4", "net4_33", "net4_-1", "net4_024", "net4_",
		"net6_64", "net6_129", "ports4_32", "banned4_drop", "_reject", "mine", "banned5", "net4_24_24",
	} {
		if got, ok := parseShape(name); ok {
			t.Errorf("parseShape(%q) = %+v, want none", name, got)
		}
	}
}

func TestKeysAreReadBack(t *testing.T) {
	for _, ports := range []bool{false, true} {
		for _, prefix := range []string{"192.0.2.7/32", "198.51.100.0/24", "2001:db8::7/128", "2001:db8:1::/64"} {
			want := target{prefix: netip.MustParsePrefix(prefix)}
			s := plainShape(want.prefix)
			if ports {
				s.ports, want.proto, want.port = true, 17, 5060
			}
			if got, ok := s.target(want.key(s)); !ok || got != want {
				t.Errorf("%s: %v, %v, want %v", s.name(), got, ok, want)
			}
		}
	}
	if got, ok := (shape{bits: 24}).target([]byte{192, 0, 2, 7}); ok {
		t.Errorf("host bits in a network: %v", got)
	}
	if got, ok := (shape{bits: 32}).target([]byte{192, 0, 2}); ok {
		t.Errorf("a short key: %v", got)
	}
}

func TestCanonical(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.7/24":           "192.0.2.0/24",
		"::ffff:192.0.2.7/128":   "192.0.2.7/32",
		"::ffff:192.0.2.7/120":   "192.0.2.0/24",
		"2001:db8:1:2:3::4/64":   "2001:db8:1:2::/64",
		"::ffff:192.0.2.7/95":    "::fffe:0:0/95",
		"64:ff9b::192.0.2.7/128": "64:ff9b::c000:207/128",
	} {
		if got := canonical(netip.MustParsePrefix(in)).String(); got != want {
			t.Errorf("canonical(%s) = %s, want %s", in, got, want)
		}
	}
}

func TestOptions(t *testing.T) {
	if err := DefaultOptions().Validate(); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(*Options){
		"no table":            func(o *Options) { o.Table = "" },
		"a table to quote":    func(o *Options) { o.Table = `x"; flush ruleset` },
		"no batch":            func(o *Options) { o.BatchSize = 0 },
		"a batch too large":   func(o *Options) { o.BatchSize = 1e6 },
		"too little patience": func(o *Options) { o.Patience = 0 },
	} {
		o := DefaultOptions()
		spoil(&o)
		if o.Validate() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestWhatEndedIsForgotten(t *testing.T) {
	f := &Firewall{scoped: make(map[netip.Prefix]ban)}
	now := time.Now()
	for i := range 100_000 {
		prefix := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 32)
		b := ban{shape: shape{bits: 32, verdict: decide.Reject}, until: now.Add(-time.Second)}
		if i%1000 == 0 {
			b.until = now.Add(time.Hour)
		}
		f.remember(change{prefix: prefix, ban: &b})
	}
	standing := 0
	for _, b := range f.scoped {
		if b.until.After(now) {
			standing++
		}
	}
	if standing != 100 || len(f.scoped) > 1024 {
		t.Errorf("%d standing bans of %d are remembered, want 100 of at most 1024", standing, len(f.scoped))
	}
}
