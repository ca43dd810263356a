package decide

import (
	"testing"

	"bailiff/rules"
)

// Every shipped rule that counts on spoofable evidence is of a service whose ports
// are known, or it would ban nobody.
func TestServicesHavePorts(t *testing.T) {
	library, err := rules.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	counted := 0
	for _, p := range library.Packs {
		for _, r := range p.Rules {
			if r.Evidence != rules.Spoofable || r.Event != rules.Failure && r.Event != rules.Challenge {
				continue
			}
			counted++
			if _, unknown := ports(&Jail{}, []string{r.Service}); unknown != "" {
				t.Errorf("%s: the ports of %q are not known", r, r.Service)
			}
		}
	}
	if counted < 10 {
		t.Errorf("looked at %d rules", counted)
	}
}
