package rules

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What is left out of a shipped pack when it is loaded are its samples and comments, and
// nothing else.
func TestEmbeddedIsTheWhole(t *testing.T) {
	packs, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	type rule struct {
		Rule                Rule
		Identifiers, Texts  []string
		Fields              []string
		Cut, Samples, Forms int
	}
	list := func(p *Pack) (out []rule) {
		for _, r := range p.rules {
			made := rule{Rule: *r.Rule, Identifiers: r.identifiers, Cut: r.cut, Samples: len(r.samples), Forms: len(r.forms)}
			for _, f := range r.forms {
				f.ready()
				for _, c := range f.holds {
					made.Texts = append(made.Texts, c...)
				}
			}
			for _, c := range r.conditions {
				made.Fields = append(made.Fields, c.name)
			}
			out = append(out, made)
		}
		return out
	}
	for _, p := range packs {
		whole, err := p.whole()
		if err != nil {
			t.Fatal(err)
		}
		want := list(whole)
		for i := range want {
			if want[i].Samples == 0 {
				t.Errorf("%s has no sample", want[i].Rule.Name)
			}
			want[i].Samples = 0
		}
		if diff := cmp.Diff(want, list(p)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", p.Name, diff)
		}
		if diff := cmp.Diff(whole.head, p.head); diff != "" {
			t.Errorf("%s (-want +got)\n%s", p.Name, diff)
		}
	}
}
