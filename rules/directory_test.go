package rules

import (
	"fmt"
	"testing"
)

// TestDirectory: the directory has what the map has, with names that its hash cannot tell
// apart, and nothing else.
func TestDirectory(t *testing.T) {
	for _, count := range []int{0, 1, 2, 70, 1000} {
		groups := map[string]*group{}
		for n := range count {
			groups[fmt.Sprintf("s%04dh", n*10)] = &group{} // the digits of the middle and the rest alike
		}
		if count > 1 {
			groups[""], groups["\xff"] = &group{}, &group{}
		}
		d := newDirectory(groups)
		for id, g := range groups {
			if d.find([]byte(id)) != g {
				t.Errorf("of %d: %q is not found", count, id)
			}
			for _, other := range []string{id + "x", "x" + id, id[:len(id)/2]} {
				if got := d.find([]byte(other)); got != groups[other] {
					t.Errorf("of %d: %q finds another's", count, other)
				}
			}
		}
		if d.find(nil) != groups[""] || d.find([]byte("sshd")) != nil {
			t.Errorf("of %d: a name that is not there", count)
		}
	}
}
