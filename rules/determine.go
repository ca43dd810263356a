package rules

import (
	"encoding/binary"
	"errors"
	"regexp/syntax"
	"slices"
)

// maxStates bounds the memory of one half of one pattern.
const maxStates = 4096

var errTooComplex = errors.New("there are too many ways to read it")

// newAutomaton makes the automaton of parts one after the other.
func newAutomaton(parts []*syntax.Regexp, backward bool) (*automaton, error) {
	n, err := newNFA(parts, backward)
	if err != nil {
		return nil, err
	}
	d := determiner{nfa: n, index: make(map[string]uint16)}
	d.classify()
	d.state(nil)
	d.state([]int{n.start})
	skip := n.loop >= 0 && n.reach < unbounded
	loop := uint16(dead)
	if skip {
		loop = d.state([]int{n.loop})
	}
	for i := 0; i < len(d.sets); i++ {
		if len(d.sets) > maxStates {
			return nil, errTooComplex
		}
		for _, members := range d.members {
			d.rows = append(d.rows, d.state(d.step(d.sets[i], members[0])))
		}
	}
	a := d.pack(loop)
	a.backward, a.reach = backward, n.reach
	if backward {
		for i := range a.states {
			a.states[i].literal = reversed(a.states[i].literal)
		}
	}
	return a, nil
}

// determiner makes an nfa deterministic: a state is the set of nodes that the
// text read so far can lead to.
type determiner struct {
	*nfa
	index   map[string]uint16 // set → state
	sets    [][]int
	rows    []uint16
	class   [256]uint8
	members [][]byte // class → its bytes
}

// classify groups the bytes that no node tells apart.
func (d *determiner) classify() {
	classes := 1
	for _, n := range d.nodes {
		if n.bytes == nil {
			continue
		}
		split := make(map[uint8]uint8) // class → the part of it within the set
		var in, out [256]bool
		for b := range 256 {
			if n.bytes.has(byte(b)) {
				in[d.class[b]] = true
			} else {
				out[d.class[b]] = true
			}
		}
		for b := range 256 {
			c := d.class[b]
			if !in[c] || !out[c] || !n.bytes.has(byte(b)) {
				continue
			}
			if _, ok := split[c]; !ok {
				split[c] = uint8(classes)
				classes++
			}
			d.class[b] = split[c]
		}
	}
	d.members = make([][]byte, classes)
	for b := range 256 {
		c := d.class[b]
		d.members[c] = append(d.members[c], byte(b))
	}
}

// step returns the nodes behind those of set that consume b.
func (d *determiner) step(set []int, b byte) []int {
	var next []int
	for _, i := range set {
		if n := &d.nodes[i]; n.bytes.has(b) {
			next = append(next, n.out[0])
		}
	}
	return next
}

// state returns the state of the nodes that entries lead to without a byte.
func (d *determiner) state(entries []int) uint16 {
	set := d.follow(entries)
	var key []byte
	for _, i := range set {
		key = binary.AppendUvarint(key, uint64(i))
	}
	s, ok := d.index[string(key)]
	if !ok {
		s = uint16(len(d.sets))
		d.index[string(key)] = s
		d.sets = append(d.sets, set)
	}
	return s
}

// follow passes all splits. Of the nodes it reaches it leaves out those that
// stand before a part that matches any text and is reached too: whatever can be
// read on from there can be read on from that part. That keeps states few.
func (d *determiner) follow(entries []int) []int {
	seen := make(map[int]bool)
	var set []int
	for todo := slices.Clone(entries); len(todo) > 0; {
		i := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if i < 0 || seen[i] {
			continue
		}
		seen[i] = true
		if n := &d.nodes[i]; n.bytes == nil {
			todo = append(todo, n.out[:]...)
		} else {
			set = append(set, i)
		}
	}
	last := -1
	for _, i := range set {
		if d.nodes[i].any {
			last = max(last, d.nodes[i].part)
		}
	}
	set = slices.DeleteFunc(set, func(i int) bool { return d.nodes[i].part < last })
	slices.Sort(set)
	return set
}

// pack drops the rows of states behind which only one text can follow, and the
// states that only stood within such a text.
func (d *determiner) pack(loop uint16) *automaton {
	a := &automaton{class: d.class}
	width := len(d.members)
	number := map[uint16]uint16{dead: dead, start: start}
	order := []uint16{dead, start}
	renumber := func(s uint16) uint16 {
		n, ok := number[s]
		if !ok {
			n = uint16(len(order))
			number[s] = n
			order = append(order, s)
		}
		return n
	}
	a.loop = renumber(loop)
	for i := 0; i < len(order); i++ {
		s := state{accept: slices.Contains(d.sets[order[i]], 0), skip: d.skips(order[i])}
		if literal, next := d.literal(order[i]); literal != "" {
			s.literal, s.next = literal, renumber(next)
		} else {
			s.row = len(a.rows)
			for _, next := range d.rows[int(order[i])*width:][:width] {
				a.rows = append(a.rows, renumber(next))
			}
		}
		a.states = append(a.states, s)
	}
	return a
}

// skips says that the state is in the last part that matches any text.
func (d *determiner) skips(s uint16) bool {
	return d.reach < unbounded && slices.ContainsFunc(d.sets[s], func(i int) bool {
		return d.nodes[i].any && d.nodes[i].part == d.nodes[d.loop].part
	})
}

// literal returns the one text that can follow s up to the next state that
// accepts, skips or has a choice.
func (d *determiner) literal(s uint16) (text string, next uint16) {
	var b []byte
	for {
		c, to, ok := d.only(s)
		if !ok {
			return string(b), s
		}
		b = append(b, c)
		if s = to; slices.Contains(d.sets[s], 0) || d.skips(s) {
			return string(b), s
		}
	}
}

// only returns the byte that alone does not lead from s to death.
func (d *determiner) only(s uint16) (b byte, to uint16, ok bool) {
	for c, members := range d.members {
		next := d.rows[int(s)*len(d.members)+c]
		if next == dead {
			continue
		}
		if ok || len(members) > 1 {
			return 0, 0, false
		}
		b, to, ok = members[0], next, true
	}
	return b, to, ok
}

func reversed(s string) string {
	b := []byte(s)
	slices.Reverse(b)
	return string(b)
}
