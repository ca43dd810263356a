package rules

import (
	"bytes"
	"encoding/binary"
	"math"
)

// window is the longest text that a prefilter looks for.
const window = 8

// gram is how many bytes of a message it looks at in one place.
const gram = 4

// slotBits is the length of the hash of a gram.
const slotBits = 12

// prefilter finds in one pass which forms a message may match: those of which it holds
// a text that all their messages hold.
//
// It looks into every stride-th place of the message only. The grams at the first
// stride offsets of each text are known, and where the text stands, one of them
// stands in such a place.
type prefilter struct {
	stride int
	slots  [1 << slotBits]uint32 // by hash of a gram, the first of its clues
	clues  []clue                // clue 0 is none
	short  []clue                // of texts shorter than a gram
	always []uint32              // forms that hold no text
}

// clue is a gram of a text.
type clue struct {
	text   []byte
	offset int      // of the gram within it
	forms  []uint32 // that hold the text
	next   uint32   // of the same hash
}

// newPrefilter makes the prefilter of forms, which it calls by their index.
func newPrefilter(forms []*form) *prefilter {
	p := &prefilter{stride: window - gram + 1, clues: make([]clue, 1)}
	holders := make(map[string][]uint32)
	for i, text := range windows(forms) {
		if text == "" {
			p.always = append(p.always, uint32(i))
			continue
		}
		holders[text] = append(holders[text], uint32(i))
		if len(text) >= gram {
			p.stride = min(p.stride, len(text)-gram+1)
		}
	}
	for text, forms := range holders {
		c := clue{text: []byte(text), forms: forms}
		if len(text) < gram {
			p.short = append(p.short, c)
			continue
		}
		for c.offset = range p.stride {
			slot := &p.slots[hash(gramAt(c.text, c.offset))]
			c.next, *slot = *slot, uint32(len(p.clues))
			p.clues = append(p.clues, c)
		}
	}
	return p
}

// gramAt returns the gram at i.
func gramAt(b []byte, i int) uint32 { return binary.LittleEndian.Uint32(b[i:]) }

// hash returns the high bits of a gram times a number that spreads it well (Knuth,
// section 6.4).
func hash(gram uint32) uint32 { return gram * 2654435769 >> (32 - slotBits) }

// search returns the forms that msg may match, nil if there are none.
func (g *group) search(msg []byte) *scratch {
	var sc *scratch
	if len(g.always) > 0 {
		sc = g.mark(sc, g.always)
	}
	for i := range g.short {
		if c := &g.short[i]; bytes.Contains(msg, c.text) {
			sc = g.mark(sc, c.forms)
		}
	}
	for i, k := g.next(msg, 0); k != 0; i, k = g.next(msg, i+g.stride) {
		for ; k != 0; k = g.clues[k].next {
			if c := &g.clues[k]; c.stands(msg, i) {
				sc = g.mark(sc, c.forms)
			}
		}
	}
	return sc
}

// next returns the first place from i on, and the first clue, where a gram has the hash
// of a known one; clue 0 if there is none. Inlined, this loop would keep less of what
// it needs in registers.
//
//go:noinline
func (p *prefilter) next(msg []byte, i int) (place int, k uint32) {
	for stride := p.stride; i <= len(msg)-gram; i += stride {
		if k = p.slots[hash(gramAt(msg, i))]; k != 0 {
			break
		}
	}
	return i, k
}

// stands says that the text of c stands in msg with its gram at i.
func (c *clue) stands(msg []byte, i int) bool {
	begin := i - c.offset
	end := begin + len(c.text)
	return begin >= 0 && end <= len(msg) && bytes.Equal(msg[begin:end], c.text)
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

// rare is how many bits of surprise are enough: beyond it, what counts is how
// many other forms hold a text, because most lines of a daemon under attack match
// one of them.
const rare = 24

// windows chooses for each form the text to look for: of all texts of window
// bytes within its literals the one that the fewest other forms hold and
// that ordinary text holds least often; "" if it has no literal. A shorter text is a
// last resort: because of one of them more places are looked into for all.
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
			score := min(bits, rare) + bits/100 - 4*math.Log2(float64(holders[text])) - 8*float64(window-len(text))
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
