package rules

import "testing"

// What names a session is taken only if there is one way to read it.
func TestOnlyReading(t *testing.T) {
	for _, c := range []struct {
		pattern, msg, want string
	}{
		{"conn=<k:int> failed", "conn=12 failed", "12"},
		{"<text> conn=<k:int> failed", "x conn=1 conn=12 failed", "12"},
		{"<text>conn <k:int> <text>", "x conn 12 failed", "12"},
		{"<text>conn <k:int> <text>", "x conn 1 conn 12 failed", ""}, // two beginnings
		{"conn <k:int><text>", "conn 12 failed", ""},                 // two ends
		{"conn <k:word> <text>", "conn a b", "a"},
		{"conn <k:word>", "conn ", ""},
		{"<addr> conn <k:int>.", "192.0.2.1 conn 12.", "12"},
		{"<text><addr> conn <k:int><text>.", "192.0.2.1 conn 12.", ""},
	} {
		exprs, err := (&grammar{}).translate(c.pattern)
		if err != nil {
			t.Fatal(err)
		}
		f := &form{expr: exprs[0], names: []string{"k"}, halves: new(halves)}
		if err := f.check(); err != nil {
			t.Fatal(err)
		}
		at := token{start: len(c.msg), end: len(c.msg)}
		if f.after != nil {
			var s scratch
			s.reset([]byte(c.msg))
			at = f.readings(&s)[0].token
		}
		got, ok := f.captures[0].only([]byte(c.msg), at)
		if ok != (c.want != "") || ok && string(got) != c.want {
			t.Errorf("%s reads %q (%t) in %q, want %q", c.pattern, got, ok, c.msg, c.want)
		}
	}
}
