package rules

import "math/bits"

// directory finds the group of an identifier: a map, for one question a line. A hash of
// four bytes tells the few dozen names of daemons apart as well as one of them all.
type directory struct {
	shift uint8
	slots [][]listed // by hash
}

type listed struct {
	identifier string
	group      *group
}

func newDirectory(groups map[string]*group) directory {
	width := bits.Len(uint(4 * len(groups)))
	d := directory{shift: uint8(32 - width), slots: make([][]listed, 1<<width)}
	for id, g := range groups {
		slot := &d.slots[d.hash([]byte(id))]
		*slot = append(*slot, listed{id, g})
	}
	return d
}

// find returns the group of the identifier, nil if it has none.
func (d *directory) find(identifier []byte) *group {
	for _, l := range d.slots[d.hash(identifier)] {
		if l.identifier == string(identifier) {
			return l.group
		}
	}
	return nil
}

// hash looks at the length of the name, its ends and its middle.
func (d *directory) hash(name []byte) uint32 {
	n := len(name)
	if n == 0 {
		return 0
	}
	const golden = 2654435769 // 2³² divided by the golden ratio: Knuth's multiplicative hash
	return (uint32(name[0]) | uint32(name[n/2])<<8 | uint32(name[n-1])<<16 | uint32(n)<<24) * golden >> d.shift
}
