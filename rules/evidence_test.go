package rules_test

import (
	"fmt"
	"testing"

	"bailiff/rules"
)

// The class of a match is its rule's, or else the pack's, and an open path
// makes it spoofable.
func TestEvidence(t *testing.T) {
	for _, c := range []struct {
		name, pack, rule string
		open             bool
		want             rules.Evidence
	}{
		{"nothing said", "", "", false, rules.Spoofable},
		{"the pack's", "proven", "", false, rules.Proven},
		{"the rule's", "spoofable", "proven", false, rules.Proven},
		{"the rule's is weaker", "proven", "spoofable", false, rules.Spoofable},
		{"an open path", "proven", "proven", true, rules.Spoofable},
	} {
		t.Run(c.name, func(t *testing.T) {
			line := func(class string) string {
				if class == "" {
					return ""
				}
				return fmt.Sprintf("evidence = %q", class)
			}
			p, err := rules.Parse("door.toml", fmt.Appendf(nil, `
[pack]
name = "door"
version = 3
needs = "knock"
%s
match.identifier = ["doord"]
[[rule]]
name = "knock"
event = "failure"
%s
pattern = "knock of <addr>"
`, line(c.pack), line(c.rule)))
			if err != nil {
				t.Fatal(err)
			}
			if p.Version != 3 || p.Needs != "knock" {
				t.Errorf("version %d, needs %q", p.Version, p.Needs)
			}
			m := rules.Match{Rule: p.Rules[0], Spoofable: c.open}
			if got := m.Evidence(); got != c.want {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}
