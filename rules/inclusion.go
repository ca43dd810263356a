package rules

import (
	"encoding/binary"
	"slices"
)

// What stands here reads automata slowly, by sets of nodes: a pack's author asks
// it what a pattern means, and no line of a log ever does.

// begin returns the nodes before the first byte.
func (n *nfa) begin() []int { return n.closure([]int{n.start}) }

// closure returns what nodes lead to without a byte, sorted.
func (n *nfa) closure(nodes []int) []int {
	seen := make(map[int]bool, len(nodes))
	var out []int
	for todo := slices.Clone(nodes); len(todo) > 0; {
		i := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if i < 0 || seen[i] {
			continue
		}
		seen[i] = true
		if n.nodes[i].bytes == nil {
			todo = append(todo, n.nodes[i].out[:]...)
		} else {
			out = append(out, i)
		}
	}
	slices.Sort(out)
	return out
}

// step returns the nodes behind those of set that consume b.
func (n *nfa) step(set []int, b byte) []int {
	var next []int
	for _, i := range set {
		if n.nodes[i].bytes.has(b) {
			next = append(next, n.nodes[i].out[0])
		}
	}
	return n.closure(next)
}

// accepts says that set, which is sorted, holds node 0.
func (n *nfa) accepts(set []int) bool { return len(set) > 0 && set[0] == 0 }

// matches says whether the whole text matches.
func (n *nfa) matches(text string) bool {
	set := n.begin()
	for i := range len(text) {
		set = n.step(set, text[i])
	}
	return n.accepts(set)
}

// maxPairs bounds what an inclusion may cost.
const maxPairs = 20_000

// within says that everything n matches is matched by other too. It says no
// where finding out would cost too much.
func (n *nfa) within(other *nfa) bool {
	type pair struct{ a, b []int }
	todo := []pair{{n.begin(), other.begin()}}
	seen := make(map[string]bool)
	bytes := representatives(n, other)
	for len(todo) > 0 {
		p := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if n.accepts(p.a) && !other.accepts(p.b) {
			return false
		}
		for _, b := range bytes {
			next := pair{a: n.step(p.a, b)}
			if len(next.a) == 0 {
				continue
			}
			if next.b = other.step(p.b, b); len(next.b) == 0 {
				return false // whatever n can read on from here
			}
			var key []byte
			for _, set := range [][]int{next.a, next.b} {
				for _, i := range set {
					key = binary.AppendUvarint(key, uint64(i)+1)
				}
				key = append(key, 0)
			}
			if seen[string(key)] {
				continue
			}
			if seen[string(key)] = true; len(seen) > maxPairs {
				return false
			}
			todo = append(todo, next)
		}
	}
	return true
}

// representatives returns one byte of each class that no node of the automata
// tells apart.
func representatives(automata ...*nfa) []byte {
	var sets []byteSet
	known := make(map[byteSet]bool)
	for _, n := range automata {
		for i := range n.nodes {
			if set := n.nodes[i].bytes; set != nil && !known[*set] {
				known[*set] = true
				sets = append(sets, *set)
			}
		}
	}
	seen := make(map[string]bool)
	key := make([]byte, len(sets))
	var out []byte
	for b := range 256 {
		for i := range sets {
			key[i] = 0
			if sets[i].has(byte(b)) {
				key[i] = 1
			}
		}
		if !seen[string(key)] {
			seen[string(key)] = true
			out = append(out, byte(b))
		}
	}
	return out
}
