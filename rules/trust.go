package rules

import (
	"fmt"
	"path"
	"slices"
	"sync"

	"bailiff/ingest"
)

// trust says which journal entries a pack believes: those of its daemon's units
// and users. Whoever may write to the journal chooses an entry's text and
// identifier, and never its unit and user.
type trust struct {
	units   []string // globs
	uids    []int    // empty: any
	anyUnit bool
}

// believes says whether e comes from the pack's daemon, as far as its source
// can tell: other sources are held to who may send to them.
func (t *trust) believes(e *ingest.Entry) bool {
	if !e.Vouched {
		return true
	}
	if len(t.uids) > 0 && !slices.Contains(t.uids, e.UID) {
		return false
	}
	return t.anyUnit || isOneOf(e.Unit, t.units)
}

// believes says whether the rule of a form that reads e believes where e comes
// from.
func (v *verdict) believes(f *form, p *packForms, e *ingest.Entry) bool {
	var ok bool
	if units := f.rule.units; len(units) > 0 {
		own := trust{units: units, uids: p.trust.uids}
		ok = own.believes(e)
	} else {
		if !v.asked {
			v.asked, v.trusted = true, p.trust.believes(e)
		}
		ok = v.trusted
	}
	v.refused = v.refused || !ok
	return ok
}

// isOneOf says that a glob matches the unit.
func isOneOf(unit []byte, globs []string) bool {
	return slices.ContainsFunc(globs, func(glob string) bool {
		ok, _ := path.Match(glob, string(unit)) // checked by Parse
		return ok
	})
}

// checkUnits tells bad of what is no glob.
func checkUnits(units []string, bad func(error)) {
	for _, unit := range units {
		if _, err := path.Match(unit, ""); err != nil || unit == "" {
			bad(fmt.Errorf("unit %q is no glob", unit))
		}
	}
}

// Refusal is the matches that one pack has refused because their entries came
// from elsewhere than its daemon.
type Refusal struct {
	Pack string
	// N counts them since Compile, and those of a set whose counts were inherited.
	N uint64
	// Unit, UID and Line are of the latest; Line is raw and capped like
	// Match.Line.
	Unit string
	UID  int
	Line string
}

// refusals counts the refusals of a set.
type refusals struct {
	mu    sync.Mutex
	packs []Refusal // by index of the pack
}

func (r *refusals) add(pack int, e *ingest.Entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := &r.packs[pack]
	at.N++
	at.Unit, at.UID, at.Line = string(e.Unit), e.UID, evidence(e.Message)
}

// Refused returns what the set has refused so far, one Refusal for each pack
// that refused something. It may be called at any time.
func (s *Set) Refused() []Refusal {
	s.refused.mu.Lock()
	defer s.refused.mu.Unlock()
	var out []Refusal
	for _, r := range s.refused.packs {
		if r.N > 0 {
			out = append(out, r)
		}
	}
	return out
}
