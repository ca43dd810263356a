package rules

import (
	"encoding/binary"
	"fmt"
	"regexp/syntax"
	"sync"
)

// half is one side of a form, or a piece of a side. Its automaton is made when a
// message first asks for it: most rules never read a line on most hosts.
type half struct {
	parts    []*syntax.Regexp // nil once it is made
	backward bool

	once sync.Once
	made *automaton
	err  error
}

// automaton returns the automaton of h, which is nil only if check returns an
// error.
func (h *half) automaton() *automaton {
	h.once.Do(func() {
		h.made, h.err = newAutomaton(h.parts, h.backward)
		h.parts = nil
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

// halves are the halves of some forms by what they are made of: the forms of a
// pack have many in common. The zero value has none.
type halves struct {
	mu    sync.Mutex
	known map[string]*half
}

// of returns the half of parts one after the other.
func (hs *halves) of(parts []*syntax.Regexp, backward bool) *half {
	spelled := fmt.Append(nil, backward)
	for _, p := range parts {
		spelled = appendSpelling(spelled, p)
	}
	hs.mu.Lock()
	defer hs.mu.Unlock()
	h := hs.known[string(spelled)]
	if h == nil {
		h = &half{parts: parts, backward: backward}
		if hs.known == nil {
			hs.known = make(map[string]*half)
		}
		hs.known[string(spelled)] = h
	}
	return h
}

// appendSpelling appends what no other simplified expression is spelled as, and in
// a fraction of the time of its String.
func appendSpelling(b []byte, re *syntax.Regexp) []byte {
	b = append(b, byte(re.Op), byte(re.Flags&syntax.FoldCase))
	b = binary.AppendUvarint(b, uint64(len(re.Rune)))
	for _, r := range re.Rune {
		b = binary.AppendUvarint(b, uint64(r))
	}
	b = binary.AppendUvarint(b, uint64(len(re.Sub)))
	for _, sub := range re.Sub {
		b = appendSpelling(b, sub)
	}
	return b
}
