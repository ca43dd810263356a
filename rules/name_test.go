package rules

import (
	"regexp"
	"testing"
)

// A name is what this expression says.
func TestIsName(t *testing.T) {
	name := regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	check := func(s string) {
		if got, want := isName(s), name.MatchString(s); got != want {
			t.Errorf("isName(%q) is %t, want %t", s, got, want)
		}
	}
	check("")
	for b := range 256 {
		check(string([]byte{byte(b)}))
		check(string([]byte{'a', byte(b)}))
		check(string([]byte{byte(b), 'z', '_'}))
	}
}
