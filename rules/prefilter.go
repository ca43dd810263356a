package rules

import (
	"math"
	"slices"
)

// window is the longest text a prefilter looks for. Longer ones make the table
// bigger and the search no more exact.
const window = 8

// prefilter finds in one pass which forms a message may match: an Aho-Corasick
// automaton over one text of each form that all its messages hold.
type prefilter struct {
	next   []uint32 // state*width + class → state*width
	class  [256]uint8
	width  uint32
	first  uint32     // states from here on have found something
	found  [][]uint32 // (state-first)/width → forms
	always []uint32   // forms that hold no text
}

// newPrefilter makes the prefilter of forms, which it calls by their index.
func newPrefilter(forms []*form) *prefilter {
	p := &prefilter{}
	t := trie{nodes: []trieNode{{}}}
	for i, text := range windows(forms) {
		if text == "" {
			p.always = append(p.always, uint32(i))
		} else {
			t.add(text, uint32(i))
		}
	}
	t.link()
	p.width = 1
	for i := range t.nodes {
		for b := range t.nodes[i].next {
			if p.class[b] == 0 {
				p.class[b] = uint8(p.width)
				p.width++
			}
		}
	}
	// States that found something come last, so that one comparison tells.
	order := make([]int, len(t.nodes))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return min(len(t.nodes[a].found), 1) - min(len(t.nodes[b].found), 1)
	})
	number := make([]uint32, len(order))
	for i, node := range order {
		number[node] = uint32(i) * p.width
	}
	p.next = make([]uint32, len(order)*int(p.width))
	p.first = uint32(len(p.next))
	for i, node := range order {
		if found := t.nodes[node].found; len(found) > 0 {
			p.first = min(p.first, uint32(i)*p.width)
			p.found = append(p.found, found)
		}
		for b := range 256 {
			if c := p.class[b]; c != 0 {
				p.next[i*int(p.width)+int(c)] = number[t.step(node, byte(b))]
			}
		}
	}
	return p
}

// search returns the forms that msg may match, nil if there are none. It reads
// four pieces of msg in step, because each look into the table waits for the one
// before it; the pieces overlap by more than a text that straddles two.
func (g *group) search(msg []byte) *scratch {
	var sc *scratch
	if len(g.always) > 0 {
		sc = g.mark(sc, g.always)
	}
	next, class, first := g.next, &g.class, g.first
	var s, t, u, v uint32
	if len(msg) < 4*window {
		for _, b := range msg {
			if s = next[s+uint32(class[b])]; s >= first {
				sc = g.note(sc, s)
			}
		}
		return sc
	}
	n := (len(msg) + 4*(window-1)) / 4
	gap := (len(msg) - n) / 3
	a, b, c, d := msg[:n], msg[gap:][:n], msg[2*gap:][:n], msg[len(msg)-n:]
	for i := range a {
		s = next[s+uint32(class[a[i]])]
		t = next[t+uint32(class[b[i]])]
		u = next[u+uint32(class[c[i]])]
		v = next[v+uint32(class[d[i]])]
		if max(s, t, u, v) >= first {
			sc = g.note(sc, s, t, u, v)
		}
	}
	return sc
}

// note marks what was found in states.
func (g *group) note(sc *scratch, states ...uint32) *scratch {
	for _, s := range states {
		if s >= g.first {
			sc = g.mark(sc, g.found[(s-g.first)/g.width])
		}
	}
	return sc
}

// mark notes forms in sc, which is taken from the pool if it is nil.
func (g *group) mark(sc *scratch, forms []uint32) *scratch {
	if sc == nil {
		sc = g.scratch.Get().(*scratch)
	}
	for _, form := range forms {
		sc.candidates[form/64] |= 1 << (form % 64)
	}
	return sc
}

// trie is the texts to look for.
type trie struct{ nodes []trieNode }

type trieNode struct {
	next  map[byte]int
	fail  int // the node of the longest end of this node's text
	found []uint32
}

func (t *trie) add(text string, form uint32) {
	at := 0
	for i := range len(text) {
		next, ok := t.nodes[at].next[text[i]]
		if !ok {
			next = len(t.nodes)
			t.nodes = append(t.nodes, trieNode{})
			if t.nodes[at].next == nil {
				t.nodes[at].next = make(map[byte]int)
			}
			t.nodes[at].next[text[i]] = next
		}
		at = next
	}
	t.nodes[at].found = append(t.nodes[at].found, form)
}

// link sets the fail nodes, shorter texts before longer ones.
func (t *trie) link() {
	for queue := []int{0}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		for b, child := range t.nodes[at].next {
			if at != 0 {
				t.nodes[child].fail = t.step(t.nodes[at].fail, b)
			}
			fail := t.nodes[child].fail
			t.nodes[child].found = append(t.nodes[child].found, t.nodes[fail].found...)
			queue = append(queue, child)
		}
	}
}

// step returns the node behind node and byte b.
func (t *trie) step(node int, b byte) int {
	for {
		if next, ok := t.nodes[node].next[b]; ok {
			return next
		}
		if node == 0 {
			return 0
		}
		node = t.nodes[node].fail
	}
}

// rare is how many bits of surprise are enough: beyond it, what counts is how
// many other forms hold a text, because most lines of a daemon under attack match
// one of them.
const rare = 24

// windows chooses for each form the text to look for: of all texts of window
// bytes within its literals the one that the fewest other forms hold and
// that ordinary text holds least often; "" if it has no literal.
func windows(forms []*form) []string {
	holders := make(map[string]int)
	texts := make([][]string, len(forms))
	for i, f := range forms {
		seen := make(map[string]bool)
		for _, literal := range f.literals {
			n := min(window, len(literal))
			for j := 0; j+n <= len(literal); j++ {
				if text := literal[j : j+n]; !seen[text] {
					seen[text] = true
					texts[i] = append(texts[i], text)
					holders[text]++
				}
			}
		}
	}
	chosen := make([]string, len(forms))
	for i := range forms {
		best := math.Inf(-1)
		for _, text := range texts[i] {
			bits := rarity(text)
			score := min(bits, rare) + bits/100 - 4*math.Log2(float64(holders[text]))
			if score > best {
				best, chosen[i] = score, text
			}
		}
	}
	return chosen
}

// rarity is how many bits of surprise a text is in a log, roughly.
func rarity(text string) float64 {
	bits := 0.0
	for i := range len(text) {
		switch b := text[i]; {
		case b == ' ':
			bits += 2.7
		case 'a' <= b && b <= 'z':
			bits += letterBits[b-'a']
		case '0' <= b && b <= '9', b == '.', b == ':':
			bits += 4.5
		default:
			bits += 7
		}
	}
	return bits
}

// letterBits is -log2 of the share of each small letter in English text.
var letterBits = [26]float64{
	3.9, 6.3, 5.5, 4.9, 3.3, 5.8, 6.0, 4.7, 4.1, 9.0, 7.1, 5.0, 5.7, 4.1, 4.0, 5.9, 10, 4.3, 4.2, 3.7, 5.3, 6.8, 6.2, 9.0, 6.1, 10,
}
