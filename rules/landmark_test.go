package rules

import (
	"fmt"
	"strings"
	"testing"
)

// TestLandmark: in a long message a form reads by its landmark what it reads in any, wherever
// what is between the address and the landmark ends, and however often each stands there.
func TestLandmark(t *testing.T) {
	for _, c := range []struct{ pattern, fill, line string }{
		{"gone <text> <addr> port <port>: Change of <text>", "x 192.0.2.77 port 22: Change of x ", "gone %s 198.51.100.7 port 57403: Change of name"},
		{"gone <text> <addr> port <port>: Change of <text>", "x 192.0.2.7%s port 2: Chance of ", "gone %s 198.51.100.7 port 1: Change of name"},
		{"gone <text> <addr> port <port>: <text>", "x 192.0.2.77 port 22: 192.0.2.77 port 5 ", "gone %s 198.51.100.7 port 4: 198.51.100.7 port 3: x"},
		{"<text> <addr> port <port>, Change of <text>", ", Change of , Change of ", "x 2001:db8::1 port 44, Change of x %s"},
		{"<text> <addr> port <port>, Change of <text>", "192.0.2.1 port 2, Change 2001:db8::2 port 22222, Change of ", "x %s 192.0.2.1 port 123, Change of x"},
	} {
		exprs, err := new(grammar).translate(c.pattern)
		if err != nil {
			t.Fatal(err)
		}
		f := &form{expr: exprs[0], halves: new(halves), names: []string{}}
		f.ready()
		if len(f.mark.text) <= len(f.right) && !strings.Contains(c.pattern, "<port>: <text>") {
			t.Errorf("%s: the landmark is %q", c.pattern, f.mark.text)
		}
		for n := range fewMarks + 4 {
			fill := strings.Repeat(c.fill, n)
			if strings.Contains(c.fill, "%s") {
				fill = ""
				for i := range n {
					fill += fmt.Sprintf(c.fill, fmt.Sprint(i%7))
				}
			}
			msg := fmt.Sprintf(c.line, fill)
			checkPattern(t, exprs[0], msg)
			if len(referenceReadings(exprs[0], msg)) == 0 {
				t.Fatalf("%s on %q reads nothing", c.pattern, msg)
			}
		}
	}
}
