package rules_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bailiff/rules"
)

// Whatever format Asterisk 20 writes, the same clients have made the same number of
// attempts, and nothing is proven of one whom others named.
func TestAsterisk20Attempts(t *testing.T) {
	const dir = "testdata/asterisk-20/"
	after := func(sep string) func(string) string {
		return func(line string) string {
			_, message, _ := strings.Cut(line, sep)
			return message
		}
	}
	for _, f := range []struct {
		pack, file string
		message    func(string) string
		hostile    int
	}{
		{"asterisk", "syslog.lines", after("]: "), 10},
		{"asterisk", "file.log", after("] "), 10},
		{"asterisk", "plain.log", after("] "), 10},
		{"asterisk-json", "json.log", func(line string) string { return line }, 9},
	} {
		t.Run(f.file, func(t *testing.T) {
			set := compile(t, embedded(t, f.pack)...)
			sums := map[string]tally{}
			for _, line := range lines(t, dir+f.file) {
				for _, m := range read(set, "asterisk", f.message(line)) {
					if m.Event != rules.Failure || m.Ambiguous() {
						continue
					}
					if m.Addr.String() == victim && m.Evidence() == rules.Proven {
						t.Errorf("%s is proven of one who did nothing: %s", m.Rule, line)
					}
					if sums[m.Addr.String()] == nil {
						sums[m.Addr.String()] = tally{}
					}
					sums[m.Addr.String()].add(m)
				}
			}
			got := map[string]int{}
			for addr, sum := range sums {
				got[addr] = sum.attempts()
			}
			want := map[string]int{
				"198.51.100.7": 2, "198.51.100.8": 1, "198.51.100.21": 2, "198.51.100.30": 4,
				"198.51.100.40": 1, "198.51.100.41": 1, "2001:db8:1::bad": 1, "198.51.100.42": 2,
				"198.51.100.44": 1, "198.51.100.45": 2,
				// Ten readable notices; one whose Call-ID is not UTF-8 is no JSON.
				"198.51.100.66": f.hostile,
				// What chan_sip says of an address is a claim.
				victim: 4,
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
