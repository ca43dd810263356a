package rules

import (
	"encoding/binary"
	"regexp/syntax"
	"slices"
)

// maxStates bounds the memory of one half of one pattern.
const maxStates = 4096

// first is the state before the first byte while states are found; the state
// of no node is dead.
const first = 1

var errTooComplex = hinted{"there are too many ways to read it", "take narrower types than text"}

// newAutomaton makes the automaton of parts one after the other.
func newAutomaton(parts []*syntax.Regexp, backward bool) (*automaton, error) {
	n, err := newNFA(parts, backward)
	if err != nil {
		return nil, err
	}
	d := determiner{nfa: n, index: make(map[string]uint16), seen: make([]int, len(n.nodes))}
	d.classify()
	d.state()
	d.todo = append(d.todo, n.start)
	d.state()
	loop := uint16(dead)
	if n.loop >= 0 && n.reach < unbounded {
		d.todo = append(d.todo, n.loop)
		loop = d.state()
	}
	for i := 0; i < len(d.sets); i++ {
		if len(d.sets) > maxStates {
			return nil, errTooComplex
		}
		for _, members := range d.members {
			d.rows = append(d.rows, d.step(d.sets[i], members[0]))
		}
	}
	return d.pack(loop, backward), nil
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

	todo, set []int // of the state that is being made
	key       []byte
	seen      []int // node → the last round that reached it
	round     int
}

// classify groups the bytes that no node tells apart.
func (d *determiner) classify() {
	classes := 1
	known := make(map[byteSet]bool)
	for _, n := range d.nodes {
		if n.bytes == nil || known[*n.bytes] {
			continue
		}
		known[*n.bytes] = true
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

// step returns the state behind those nodes of set that consume b.
func (d *determiner) step(set []int, b byte) uint16 {
	d.todo = d.todo[:0]
	for _, i := range set {
		if n := &d.nodes[i]; n.bytes.has(b) {
			d.todo = append(d.todo, n.out[0])
		}
	}
	if len(d.todo) == 0 {
		return dead
	}
	return d.state()
}

// state returns the state of the nodes that those in todo lead to without a
// byte.
func (d *determiner) state() uint16 {
	d.follow()
	d.key = d.key[:0]
	for _, i := range d.set {
		d.key = binary.AppendUvarint(d.key, uint64(i))
	}
	s, ok := d.index[string(d.key)]
	if !ok {
		s = uint16(len(d.sets))
		d.index[string(d.key)] = s
		d.sets = append(d.sets, slices.Clone(d.set))
	}
	return s
}

// follow passes all splits and leaves what it reaches in set, but for the nodes
// that stand before a part that matches any text and is reached too: whatever can
// be read on from there can be read on from that part. That keeps states few.
func (d *determiner) follow() {
	d.round++
	set := d.set[:0]
	for len(d.todo) > 0 {
		i := d.todo[len(d.todo)-1]
		d.todo = d.todo[:len(d.todo)-1]
		if i < 0 || d.seen[i] == d.round {
			continue
		}
		d.seen[i] = d.round
		if n := &d.nodes[i]; n.bytes == nil {
			d.todo = append(d.todo, n.out[:]...)
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
	d.set = slices.DeleteFunc(set, func(i int) bool { return d.nodes[i].part < last })
	slices.Sort(d.set)
}

// pack numbers the states as an automaton does. It drops the rows of those
// behind which only one text can follow, and the states within such a text.
func (d *determiner) pack(loop uint16, backward bool) *automaton {
	a := &automaton{backward: backward, reach: d.reach}
	var kinds [4][]uint16 // with a literal, that can skip, that accept, others
	literals := make(map[uint16]literal)
	seen := map[uint16]bool{dead: true}
	for todo := []uint16{first, loop}; len(todo) > 0; {
		s := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if seen[s] {
			continue
		}
		seen[s] = true
		kind := 3
		if l := d.literal(s); l.text != "" {
			kind, literals[s] = 0, l
			todo = append(todo, l.next)
		} else {
			todo = append(todo, d.row(s)...)
			if d.skips(s) {
				kind = 1
			} else if d.accepts(s) {
				kind = 2
			}
		}
		kinds[kind] = append(kinds[kind], s)
	}
	order := slices.Concat([]uint16{dead}, kinds[0], kinds[1], kinds[2], kinds[3])
	number := make([]uint16, len(d.sets))
	for i, s := range order {
		number[s] = uint16(i)
		a.accept = append(a.accept, d.accepts(s))
	}
	for _, s := range kinds[0] {
		l := literals[s]
		if backward {
			l.text = reversed(l.text)
		}
		a.literals = append(a.literals, literal{l.text, number[l.next]})
	}
	rowed := order[1+len(kinds[0]):]
	classes, columns := d.merge(rowed)
	for b, c := range d.class {
		a.class[b] = classes[c]
	}
	a.width = len(columns)
	a.rows = make([]uint16, 0, len(rowed)*a.width)
	for _, s := range rowed {
		for _, c := range columns {
			a.rows = append(a.rows, number[d.row(s)[c]])
		}
	}
	a.start, a.loop = number[first], number[loop]
	a.rowed = uint16(1 + len(kinds[0]))
	a.skips = a.rowed + uint16(len(kinds[1]))
	a.plain = a.skips + uint16(len(kinds[2]))
	return a
}

// merge makes one class of those that no state of rowed tells apart: most letters
// stand in literals only. It returns the new class of each, and one of the old for
// each new one.
func (d *determiner) merge(rowed []uint16) (classes []uint8, columns []int) {
	known := make(map[string]uint8)
	var column []byte
	for c := range d.members {
		column = column[:0]
		for _, s := range rowed {
			column = binary.NativeEndian.AppendUint16(column, d.row(s)[c])
		}
		class, ok := known[string(column)]
		if !ok {
			class = uint8(len(columns))
			known[string(column)] = class
			columns = append(columns, c)
		}
		classes = append(classes, class)
	}
	return classes, columns
}

// row returns the states behind s, one for each class.
func (d *determiner) row(s uint16) []uint16 {
	return d.rows[int(s)*len(d.members):][:len(d.members)]
}

// accepts says that what leads to s matches: its set, which is sorted, holds node
// 0.
func (d *determiner) accepts(s uint16) bool { return len(d.sets[s]) > 0 && d.sets[s][0] == 0 }

// skips says that the state is in the last part that matches any text.
func (d *determiner) skips(s uint16) bool {
	return d.reach < unbounded && slices.ContainsFunc(d.sets[s], func(i int) bool {
		return d.nodes[i].any && d.nodes[i].part == d.nodes[d.loop].part
	})
}

// literal returns the one text that can follow s up to the next state that
// accepts, skips or has a choice.
func (d *determiner) literal(s uint16) literal {
	var b []byte
	for {
		c, to, ok := d.only(s)
		if !ok || len(b) > len(d.sets) { // a loop that never ends matches nothing
			return literal{string(b), s}
		}
		b = append(b, c)
		if s = to; d.accepts(s) || d.skips(s) {
			return literal{string(b), s}
		}
	}
}

// only returns the byte that alone does not lead from s to death.
func (d *determiner) only(s uint16) (b byte, to uint16, ok bool) {
	for c, next := range d.row(s) {
		if next == dead {
			continue
		}
		if ok || len(d.members[c]) > 1 {
			return 0, 0, false
		}
		b, to, ok = d.members[c][0], next, true
	}
	return b, to, ok
}

func reversed(s string) string {
	b := []byte(s)
	slices.Reverse(b)
	return string(b)
}
