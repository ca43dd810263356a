package rules

import (
	"net/netip"
	"regexp/syntax"
	"strconv"
	"strings"
)

// Stop is where reading a text for a pattern came to an end.
type Stop struct {
	// Field is the name of the field that was read, "" for the message; Text is
	// its value, raw.
	Field, Text string
	// At is the offset in Text, in bytes.
	At int
	// Wanted is what should have stood there: a quoted text, a placeholder, "an
	// address", "the end" or "the field". Anywhere says that it could have stood
	// further on.
	Wanted   string
	Anywhere bool
	// Of is the quoted text of which Wanted is the rest, empty if that is all of
	// it.
	Of string
	// Addr is the address behind which that is, invalid if none was reached.
	Addr netip.Addr
}

// WantsField is what a rule wants that asks for a field which is not there.
const WantsField = "the field"

// reader reads texts for a sequence of parts and remembers how far it came.
type reader struct {
	parts []part // what nfa is made of, one for one
	nfa   *nfa
	// score of a node is how much literal text precedes it, and rest what is
	// left of the literal that it is in.
	score []int
	rest  []string
	last  string // what is wanted behind the last part
}

// newReader makes a reader of parts, each of which is spelled by one of res. It
// returns nil if they are no pattern.
func newReader(parts []part, res []*syntax.Regexp, last string) *reader {
	n, err := newNFA(res, false)
	if err != nil {
		return nil // Parse has said so
	}
	r := &reader{parts: parts, nfa: n, score: make([]int, len(n.nodes)), rest: make([]string, len(n.nodes)), last: last}
	before := make([]int, len(parts)+1)
	for i, p := range parts {
		before[i+1] = before[i] + len(p.literal)
	}
	// The nodes of a literal follow one another, the last first.
	inside := make([]int, len(parts))
	for i := range n.nodes {
		part := n.nodes[i].part
		if r.score[i] = before[part]; i == 0 || parts[part].literal == "" {
			continue
		}
		inside[part]++
		literal := parts[part].literal
		r.score[i] += len(literal) - inside[part]
		r.rest[i] = literal[max(0, len(literal)-inside[part]):]
	}
	return r
}

// progress is how far a reader came.
type progress struct {
	matches bool
	score   int
	stop    Stop
}

// read reads text, and says where it stopped if it does not match as a whole: where
// the furthest part begins that was reached, or fails.
func (r *reader) read(text []byte) progress {
	set := r.nfa.begin()
	best, at, places := -1, 0, 0
	note := func(set []int, pos int) {
		for _, i := range set { // node 0 is the furthest
			switch {
			case best < 0 || r.further(i, best):
				best, at, places = i, pos, 1
			case i == best:
				places++
				if r.inside(i) {
					at = pos // the last of several
				}
			}
		}
	}
	note(set, 0)
	for pos := range text {
		if set = r.nfa.step(set, text[pos]); len(set) == 0 {
			break
		}
		note(set, pos+1)
	}
	out := progress{
		matches: r.nfa.accepts(set), score: r.score[best],
		stop: Stop{At: at, Wanted: r.wanted(best), Anywhere: places > 1 && !r.inside(best)},
	}
	if best > 0 && r.inside(best) {
		out.stop.Of = quoted(r.parts[r.nfa.nodes[best].part].literal)
	}
	return out
}

// further says that node i stands behind node j in the pattern.
func (r *reader) further(i, j int) bool {
	if a, b := r.nfa.nodes[i].part, r.nfa.nodes[j].part; a != b {
		return a > b
	}
	return r.score[i] > r.score[j]
}

// inside says that some of the literal that node i is of was read already, or that
// all was read.
func (r *reader) inside(i int) bool {
	return i == 0 || r.rest[i] != "" && len(r.rest[i]) < len(r.parts[r.nfa.nodes[i].part].literal)
}

// quoted spells a text so that it is easy to read and safe to print.
func quoted(s string) string {
	if strings.Contains(s, `"`) && strconv.CanBackquote(s) {
		return "`" + s + "`"
	}
	return strconv.Quote(s)
}

// wanted says what node i wants.
func (r *reader) wanted(i int) string {
	switch n := &r.nfa.nodes[i]; {
	case i == 0:
		return r.last
	case r.rest[i] != "":
		return quoted(r.rest[i])
	default:
		return r.parts[n.part].label
	}
}
