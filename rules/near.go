package rules

import (
	"sync"

	"bailiff/ingest"
)

// NearMiss is the lines of one pack's daemon that held a text which one of its rules
// looks for, or whose fields are all as a rule says but for the address, or that are
// JSON which was cut or is broken; and that no rule read. A few are what the pack has no rule for;
// many, of a kind that was not there before, are a daemon that changed its words.
type NearMiss struct {
	Pack string
	// N counts them since Compile, and those of a set whose counts were inherited.
	N uint64
	// Line is one of them, of the later half; it is raw and capped like
	// Match.Line.
	Line string
}

// nearMisses counts the near misses of a set.
type nearMisses struct {
	mu    sync.Mutex
	packs []NearMiss // by index of the pack
}

// add counts e, and keeps its line if that doubles the count: a sample that stays
// fresh and costs next to nothing.
func (n *nearMisses) add(pack int, e *ingest.Entry) {
	n.mu.Lock()
	defer n.mu.Unlock()
	at := &n.packs[pack]
	if at.N++; at.N&(at.N-1) == 0 {
		at.Line = evidence(e.Message)
	}
}

// NearMisses returns the near misses so far, one NearMiss for each pack that has
// some. It may be called at any time.
func (s *Set) NearMisses() []NearMiss {
	s.near.mu.Lock()
	defer s.near.mu.Unlock()
	var out []NearMiss
	for _, n := range s.near.packs {
		if n.N > 0 {
			out = append(out, n)
		}
	}
	return out
}

// near says that a text of the pack's, whose forms begin at form i, was found, or a
// message that its rules would have read as JSON and that cannot be read.
func (p *packForms) near(forms []*form, i int, e *ingest.Entry, sc *scratch) bool {
	for i = sc.next(i); i >= 0 && i < p.behind; i = sc.next(i + 1) {
		f := forms[i] // without a literal it is a candidate always
		if len(f.holds) > 0 || len(f.rule.conditions) > 0 && sc.fields.broken(e) {
			return true
		}
	}
	return false
}
