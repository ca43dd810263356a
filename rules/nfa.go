package rules

import (
	"fmt"
	"regexp/syntax"
	"slices"
)

// byteSet is a set of bytes.
type byteSet [4]uint64

func (s *byteSet) add(b byte)      { s[b>>6] |= 1 << (b & 63) }
func (s *byteSet) has(b byte) bool { return s[b>>6]&(1<<(b&63)) != 0 }

// nfa is a nondeterministic automaton over bytes for a sequence of parts, each
// an expression. Node 0 accepts.
type nfa struct {
	nodes []node
	start int
	// loop is the split before the last part that matches any text, -1 if
	// there is no such part; reach is the most bytes that can follow it.
	loop, reach int
}

// node consumes a byte of its set, or goes on both ways without one.
type node struct {
	bytes *byteSet // nil: a split
	out   [2]int   // -1: none
	part  int      // which part it belongs to, in the order of reading
	any   bool     // the loop of a part that matches any text
}

// unbounded is the length of what has no longest match.
const unbounded = 1 << 29

// newNFA makes the automaton of parts one after the other; backward, it reads
// the same texts from their end.
func newNFA(parts []*syntax.Regexp, backward bool) (*nfa, error) {
	if backward {
		parts = slices.Clone(parts)
		slices.Reverse(parts)
	}
	b := builder{backward: backward}
	b.nodes = []node{{bytes: new(byteSet), out: [2]int{-1, -1}, part: len(parts)}}
	n := &nfa{loop: -1, reach: unbounded}
	reach := 0
	for i, part := range slices.Backward(parts) {
		b.part, b.any = i, isText(part)
		next, err := b.add(part.Simplify(), n.start)
		if err != nil {
			return nil, err
		}
		if b.any && n.loop < 0 {
			n.loop, n.reach = next, reach
		}
		reach = min(reach+longest(part), unbounded)
		n.start = next
	}
	n.nodes = b.nodes
	return n, nil
}

// builder makes nodes from the last to the first, each knowing what follows it.
type builder struct {
	nodes    []node
	part     int
	any      bool
	backward bool
}

func (b *builder) node(set *byteSet, out ...int) int {
	n := node{bytes: set, out: [2]int{-1, -1}, part: b.part, any: b.any}
	copy(n.out[:], out)
	b.nodes = append(b.nodes, n)
	return len(b.nodes) - 1
}

// add makes the nodes of re in front of next and returns the first of them.
func (b *builder) add(re *syntax.Regexp, next int) (int, error) {
	switch re.Op {
	case syntax.OpEmptyMatch:
		return next, nil
	case syntax.OpNoMatch:
		return b.node(new(byteSet), next), nil
	case syntax.OpLiteral:
		for i := range re.Rune {
			r := re.Rune[i]
			if !b.backward {
				r = re.Rune[len(re.Rune)-1-i]
			}
			next = b.node(runeSet(r, re.Flags&syntax.FoldCase != 0), next)
		}
		return next, nil
	case syntax.OpCharClass:
		return b.node(classSet(re.Rune), next), nil
	case syntax.OpAnyChar:
		return b.node(classSet([]rune{0, 255}), next), nil
	case syntax.OpAnyCharNotNL:
		return b.node(classSet([]rune{0, '\n' - 1, '\n' + 1, 255}), next), nil
	case syntax.OpCapture:
		return b.add(re.Sub[0], next)
	case syntax.OpConcat:
		for i := range re.Sub {
			sub := re.Sub[i]
			if !b.backward {
				sub = re.Sub[len(re.Sub)-1-i]
			}
			var err error
			if next, err = b.add(sub, next); err != nil {
				return 0, err
			}
		}
		return next, nil
	case syntax.OpAlternate:
		entry := -1
		for _, sub := range re.Sub {
			e, err := b.add(sub, next)
			if err != nil {
				return 0, err
			}
			if entry < 0 {
				entry = e
			} else {
				entry = b.node(nil, entry, e)
			}
		}
		return entry, nil
	case syntax.OpStar, syntax.OpPlus:
		loop := b.node(nil)
		body, err := b.add(re.Sub[0], loop)
		if err != nil {
			return 0, err
		}
		b.nodes[loop].out = [2]int{body, next}
		if re.Op == syntax.OpPlus {
			return body, nil
		}
		return loop, nil
	case syntax.OpQuest:
		body, err := b.add(re.Sub[0], next)
		if err != nil {
			return 0, err
		}
		return b.node(nil, body, next), nil
	default:
		return 0, fmt.Errorf("%s has no meaning here: an expression is held against the whole message", re)
	}
}

// runeSet is the bytes that one character of a literal stands for.
func runeSet(r rune, fold bool) *byteSet {
	s := new(byteSet)
	if r <= 255 {
		s.add(byte(r))
	}
	if fold && ('a' <= r|0x20 && r|0x20 <= 'z') {
		s.add(byte(r ^ 0x20))
	}
	return s
}

// classSet is the bytes within pairs of bounds.
func classSet(bounds []rune) *byteSet {
	s := new(byteSet)
	for i := 0; i < len(bounds); i += 2 {
		for r := bounds[i]; r <= min(bounds[i+1], 255); r++ {
			s.add(byte(r))
		}
	}
	return s
}

// isText says that re matches every text.
func isText(re *syntax.Regexp) bool {
	for re.Op == syntax.OpCapture {
		re = re.Sub[0]
	}
	return re.Op == syntax.OpStar && re.Sub[0].Op == syntax.OpAnyChar
}

// longest returns how many bytes parts match at most, one after the other.
func longest(parts ...*syntax.Regexp) int {
	n := 0
	for _, re := range parts {
		switch re.Op {
		case syntax.OpLiteral:
			n += len(re.Rune)
		case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
			n++
		case syntax.OpStar, syntax.OpPlus:
			n = unbounded
		case syntax.OpRepeat:
			if most := longest(re.Sub...); re.Max < 0 || most > unbounded/max(1, re.Max) {
				n = unbounded
			} else {
				n += re.Max * most
			}
		case syntax.OpAlternate:
			most := 0
			for _, sub := range re.Sub {
				most = max(most, longest(sub))
			}
			n += most
		default:
			n += longest(re.Sub...)
		}
		n = min(n, unbounded)
	}
	return n
}

// shortest returns how many bytes re matches at least.
func shortest(re *syntax.Regexp) int {
	switch re.Op {
	case syntax.OpLiteral:
		return len(re.Rune)
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return 1
	case syntax.OpStar, syntax.OpQuest:
		return 0
	case syntax.OpRepeat:
		return min(re.Min*shortest(re.Sub[0]), unbounded)
	case syntax.OpAlternate:
		least := unbounded
		for _, sub := range re.Sub {
			least = min(least, shortest(sub))
		}
		return least
	default:
		n := 0
		for _, sub := range re.Sub {
			n = min(n+shortest(sub), unbounded)
		}
		return n
	}
}
