package admin

import (
	"errors"
	"net/http"
	"net/netip"
	"testing"
)

func TestParsePrefix(t *testing.T) {
	good := []struct{ in, want string }{
		{"203.0.113.9", "203.0.113.9/32"},
		{"203.0.113.0/24", "203.0.113.0/24"},
		{"2001:db8::9", "2001:db8::9/128"},
		{"2001:DB8::/32", "2001:db8::/32"},
		{"::ffff:203.0.113.9", "203.0.113.9/32"},
		{"::ffff:203.0.113.0/120", "203.0.113.0/24"},
		{"0.0.0.0/0", "0.0.0.0/0"},
	}
	for _, tt := range good {
		got, err := ParsePrefix(tt.in)
		if err != nil || got.String() != tt.want {
			t.Errorf("ParsePrefix(%q) = %v, %v; want %s", tt.in, got, err, tt.want)
		}
	}

	const shapes = "write an address (203.0.113.9, 2001:db8::9) or a prefix (203.0.113.0/24)"
	bad := []struct{ in, err, hint string }{
		{"", `"" is no address`, shapes},
		{"evil.example", `"evil.example" is no address`, shapes},
		{"203.0.113.256", `"203.0.113.256" is no address`, shapes},
		{"203.0.113.9/33", `"203.0.113.9/33" is no prefix`, shapes},
		{"192.0.2.1/24", `"192.0.2.1/24" has bits set behind its length`, "the network is 192.0.2.0/24, the host 192.0.2.1"},
		{"2001:db8::1/64", `"2001:db8::1/64" has bits set behind its length`, "the network is 2001:db8::/64, the host 2001:db8::1"},
		{"::ffff:192.0.2.1/120", `"::ffff:192.0.2.1/120" has bits set behind its length`, "the network is 192.0.2.0/24, the host 192.0.2.1"},
		{"::ffff:0.0.0.0/90", `"::ffff:0.0.0.0/90" is no prefix of IPv4 addresses`, shapes},
		{"fe80::1%eth0", `"fe80::1%eth0" has a zone`, "leave the zone out: fe80::1"},
	}
	for _, tt := range bad {
		_, err := ParsePrefix(tt.in)
		e := &Error{}
		ok := errors.As(err, &e)
		if !ok {
			t.Errorf("ParsePrefix(%q): error %v", tt.in, err)
			continue
		}
		if e.Message != tt.err || e.Advice != tt.hint || e.Status != http.StatusBadRequest {
			t.Errorf("ParsePrefix(%q):\n got %d %s; hint: %s\nwant %s; hint: %s", tt.in, e.Status, e.Message, e.Advice, tt.err, tt.hint)
		}
	}
}

func TestCheckWidth(t *testing.T) {
	for in, ok := range map[string]bool{
		"10.0.0.0/16": true, "10.0.0.0/15": false, "203.0.113.9/32": true,
		"2001:db8::/32": true, "2001:d00::/24": false, "::/0": false,
	} {
		if err := CheckWidth(netip.MustParsePrefix(in)); (err == nil) != ok {
			t.Errorf("CheckWidth(%s) = %v", in, err)
		}
	}
}
