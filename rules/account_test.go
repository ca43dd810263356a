package rules

import "testing"

func TestNormalise(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"101", "101"},
		{"", ""},
		{"<sip:101@192.0.2.10>", "101"},
		{`"Bob" <sip:101@192.0.2.10>;tag=1`, "101"},
		{`"<sip:999@h>" <sip:101@h>`, "101"},
		{`"a\"<sip:999@h>" <sips:101@h:5061;transport=tls>`, "101"},
		{"sip:101@h", "101"},
		{"SIP:101;phone-context=x@h", "101"},
		{"tel:+4930123456", "+4930123456"},
		{"<sip:h>", "h"},
		{"alice@example.org", "alice@example.org"},
		{"mailto:x@y", "mailto:x@y"},
		{"a <b> c", "a <b> c"},
		{`"open`, `"open`},
		{`"open\`, `"open\`},
	} {
		if got := string(normalise([]byte(c.in))); got != c.want {
			t.Errorf("%q is %q, want %q", c.in, got, c.want)
		}
	}
}
