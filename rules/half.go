package rules

import (
	"encoding/binary"
	"regexp/syntax"
	"sync"
)

// half is one side of a form, or a piece of a side. Its automaton is made when a
// message first asks for it: most rules never read a line on most hosts.
type half struct {
	parts    string // as appendPart spells them; parsed, they are many times as long
	backward bool

	once sync.Once
	made *automaton
	err  error
}

// automaton returns the automaton of h, which is nil only if check returns an
// error.
func (h *half) automaton() *automaton {
	h.once.Do(func() {
		var parts []*syntax.Regexp
		for in := []byte(h.parts); len(in) > 0; {
			part, n := parsePart(in)
			parts, in = append(parts, part), in[n:]
		}
		h.made, h.err = newAutomaton(parts, h.backward)
	})
	return h.made
}

func (h *half) walk(text []byte) walk    { return h.automaton().walk(text) }
func (h *half) matches(text []byte) bool { return h.automaton().matches(text) }
func (h *half) first(text []byte) int    { return h.automaton().first(text) }
func (h *half) all(text []byte) []bool   { return h.automaton().all(text) }

// check says why h has no automaton, if it has none.
func (h *half) check() error {
	if h == nil {
		return nil
	}
	h.automaton()
	return h.err
}

// halves are the halves of some forms: the forms of a pack have many in common. The
// zero value has none.
type halves struct {
	mu    sync.Mutex
	known map[halfKey]*half
}

type halfKey struct {
	parts    string
	backward bool
}

// of returns the half of parts one after the other.
func (hs *halves) of(parts []*syntax.Regexp, backward bool) *half {
	var spelled []byte
	for _, p := range parts {
		spelled = appendPart(spelled, p)
	}
	key := halfKey{string(spelled), backward}
	hs.mu.Lock()
	defer hs.mu.Unlock()
	h := hs.known[key]
	if h == nil {
		h = &half{parts: key.parts, backward: backward}
		if hs.known == nil {
			hs.known = make(map[halfKey]*half)
		}
		hs.known[key] = h
	}
	return h
}

// appendPart appends all that an automaton is made of. It does so in a fraction of
// the time of re.String.
func appendPart(b []byte, re *syntax.Regexp) []byte {
	b = append(b, byte(re.Op), byte(re.Flags&syntax.FoldCase))
	for _, n := range []int{re.Min, re.Max, len(re.Rune), len(re.Sub)} {
		b = binary.AppendVarint(b, int64(n))
	}
	for _, r := range re.Rune {
		b = binary.AppendVarint(b, int64(r))
	}
	for _, sub := range re.Sub {
		b = appendPart(b, sub)
	}
	return b
}

// parsePart returns what appendPart has appended, and its length.
func parsePart(b []byte) (re *syntax.Regexp, n int) {
	re = &syntax.Regexp{Op: syntax.Op(b[0]), Flags: syntax.Flags(b[1])}
	n = 2
	next := func() int {
		v, size := binary.Varint(b[n:])
		n += size
		return int(v)
	}
	re.Min, re.Max = next(), next()
	re.Rune, re.Sub = make([]rune, next()), make([]*syntax.Regexp, next())
	for i := range re.Rune {
		re.Rune[i] = rune(next())
	}
	for i := range re.Sub {
		sub, size := parsePart(b[n:])
		re.Sub[i] = sub
		n += size
	}
	return re, n
}
