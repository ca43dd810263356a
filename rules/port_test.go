package rules

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A bare IPv6 address with a port is read by a pattern that has a colon behind the
// address, and by no other.
func TestPortBehindBareAddress(t *testing.T) {
	for _, c := range []struct {
		pattern, line string
		want          []string
	}{
		{"from <addr>:<port> x", "from 2001:db8::1:40022 x", []string{"2001:db8::1"}},
		{"from <addr>:<port> x", "from 2001:db8::1:22 x", []string{"2001:db8::1"}},
		{"from <addr>:<port> x", "from 2001:db8:1:2:3:4:5:6:40022 x", []string{"2001:db8:1:2:3:4:5:6"}},
		{"from <addr>:<port> x", "from [2001:db8::1]:22 x", []string{"2001:db8::1"}},
		{"from <addr>:<port> x", "from 2001:db8::1:400222 x", nil},
		{"from <addr>:<port> x", "from 2001:db8::1:bad x", nil},
		{"from <addr>:<port> x", "from 198.51.100.7:22 x", []string{"198.51.100.7"}},
		{"from <addr>: x", "from 2001:db8::1: x", []string{"2001:db8::1"}},
		{"from <addr> x", "from 2001:db8::1:22 x", []string{"2001:db8::1:22"}},
		{"from <addr><text>", "from 2001:db8::1:22 x", []string{"2001:db8::1:22"}},
		{"<text> <addr>:<port> <text>", "a 2001:db8::1:22 b 2001:db8::2:23 c", []string{"2001:db8::1", "2001:db8::2"}},
	} {
		t.Run(c.pattern+" of "+c.line, func(t *testing.T) {
			g := &grammar{}
			exprs, err := g.translate(c.pattern)
			if err != nil {
				t.Fatal(err)
			}
			f := &form{expr: exprs[0], halves: new(halves)}
			if err := f.check(); err != nil {
				t.Fatal(err)
			}
			var s scratch
			s.reset([]byte(c.line))
			var got []string
			for _, r := range f.readings(&s) {
				got = append(got, r.addr.String())
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
