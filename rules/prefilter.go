package rules

import (
	"bytes"
	"encoding/binary"
	"iter"
	"math"
	"math/bits"
	"slices"
	"strings"
)

// window is the longest text that a prefilter looks for.
const window = 8

// gram is how many bytes of a message it looks at in one place.
const gram = 4

// How many hashes there are for each gram, and the fewest and the most bits of one.
const (
	spread               = 16
	fewestBits, mostBits = 8, 18
)

// prefilter finds in one pass which forms a message may match: those of which it holds
// a text that all their messages hold.
//
// It looks into every stride-th place of the message only. The grams at the first
// stride offsets of each text are known, and where the text stands, one of them
// stands in such a place.
type prefilter struct {
	stride int
	shift  int      // of a hash: what it keeps is its high bits
	known  []uint64 // a bit for each hash: whether a gram has it; small, and so always at hand
	slots  []uint32 // by hash of a gram, the first of its clues
	clues  []clue   // clue 0 is none
	short  []clue   // of texts shorter than a gram
	always []uint32 // forms that hold no text
}

// clue is a gram of a text.
type clue struct {
	text   []byte
	value  uint64   // of the text, in the order of memory, and of what is not beyond its end
	mask   uint64   // the bytes of value that are the text
	offset int      // of the gram within it
	forms  []uint32 // that hold the text
	next   uint32   // of the same hash
}

// newPrefilter makes the prefilter of forms, which it calls by their index.
func newPrefilter(forms []*form) *prefilter {
	p := &prefilter{stride: window - gram + 1, clues: make([]clue, 1)}
	holders := make(map[string][]uint32)
	for i, texts := range windows(forms) {
		if len(texts) == 0 {
			p.always = append(p.always, uint32(i))
		}
		for _, text := range texts {
			holders[text] = append(holders[text], uint32(i))
			if len(text) >= gram {
				p.stride = min(p.stride, len(text)-gram+1)
			}
		}
	}
	for text, forms := range holders {
		c := clue{text: []byte(text), forms: forms}
		for i := range text {
			c.value |= uint64(text[i]) << (8 * i)
			c.mask |= 0xff << (8 * i)
		}
		if len(text) < gram {
			p.short = append(p.short, c)
			continue
		}
		for c.offset = range p.stride {
			p.clues = append(p.clues, c)
		}
	}
	n := min(max(bits.Len(uint(spread*len(p.clues))), fewestBits), mostBits)
	p.shift, p.known, p.slots = 32-n, make([]uint64, 1<<n/64), make([]uint32, 1<<n)
	for i := range p.clues[1:] {
		c := &p.clues[i+1]
		h := hash(gramAt(c.text, c.offset), p.shift)
		c.next, p.slots[h] = p.slots[h], uint32(i+1)
		p.known[h/64] |= 1 << (h % 64)
	}
	return p
}

// gramAt returns the gram at i.
func gramAt(b []byte, i int) uint32 { return binary.LittleEndian.Uint32(b[i:]) }

// hash returns the high bits of a gram times a number that spreads it well (Knuth,
// section 6.4).
func hash(gram uint32, shift int) uint32 { return gram * 2654435769 >> (shift & 31) }

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
	known, shift, stride := p.known, p.shift, p.stride
	for ; i <= len(msg)-gram; i += stride {
		if h := hash(gramAt(msg, i), shift); known[h/64]>>(h%64)&1 != 0 {
			return i, p.slots[h]
		}
	}
	return i, 0
}

// stands says that the text of c stands in msg with its gram at i.
func (c *clue) stands(msg []byte, i int) bool {
	begin := i - c.offset
	if begin < 0 {
		return false
	}
	if begin+window <= len(msg) {
		return binary.LittleEndian.Uint64(msg[begin:])&c.mask == c.value
	}
	return bytes.HasPrefix(msg[begin:], c.text)
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

// common is how many are left of a text that everybody logs.
const common = 8

// windows chooses for each form the texts to look for, none if it holds none for sure:
// of what it holds those that the fewest other forms hold and that ordinary text
// holds least often.
func windows(forms []*form) [][]string {
	holders := make(map[string]int)
	for _, f := range forms {
		seen := make(map[string]bool)
		for _, c := range f.holds {
			for _, text := range c {
				for w := range extracts(text) {
					if !seen[w] {
						seen[w] = true
						holders[w]++
					}
				}
			}
		}
	}
	chosen := make([][]string, len(forms))
	for i, f := range forms {
		most := math.Inf(-1)
		for _, c := range f.holds {
			if texts, score := c.windows(holders); score > most {
				chosen[i], most = texts, score
			}
		}
	}
	return chosen
}

// windows returns what to look for to find one of the texts: an extract that all have in
// common, or one of each. The score is how good it is.
func (c choice) windows(holders map[string]int) (texts []string, score float64) {
	score = math.Inf(1)
	for _, text := range c {
		best, most := "", math.Inf(-1)
		for w := range extracts(text) {
			if s := worth(w, holders[w]); s > most {
				best, most = w, s
			}
		}
		if !slices.Contains(texts, best) {
			texts = append(texts, best)
		}
		score = min(score, most)
	}
	score -= math.Log2(float64(len(texts)))
	for w := range extracts(c[0]) {
		without := func(text string) bool { return !strings.Contains(text, w) }
		if s := worth(w, holders[w]); s > score && !slices.ContainsFunc(c, without) {
			texts, score = []string{w}, s
		}
	}
	return texts, score
}

// extracts are all that may be looked for to find a text: what is as long as the window,
// or the text itself if it is shorter.
func extracts(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		n := min(window, len(text))
		for i := 0; i+n <= len(text) && yield(text[i:i+n]); i++ {
		}
	}
}

// worth is how good a text is to look for if so many forms hold it. A short one is a last
// resort: because of it more places are looked into for all.
func worth(text string, holders int) float64 {
	surprise := rarity(text)
	return min(surprise, rare) + surprise/100 - 4*math.Log2(float64(holders)) - 3*float64(window-len(text))
}

// everyday is what the daemons that packs are for write while nobody attacks.
const everyday = `pam_unix(sshd:session): session opened for user (uid=0) by (uid=0) ` +
	`pam_unix(sshd:session): session closed for user ` +
	`Accepted publickey for from port ssh2: Connection closed by Received disconnect from : disconnected by user ` +
	` - - [00/Jan/2000:00:00:00 +0000] "GET / HTTP/1.0" 200 "-" "Mozilla/5.0 "POST / HTTP/1.1" 200 HTTP/2.0" 200 ` +
	`connect from disconnect from Login: user=<>, method=PLAIN, rip=, lip=, TLS, session=<> `

// rarity is how many bits of surprise a text is in a log, roughly.
func rarity(text string) float64 {
	if strings.Contains(everyday, text) {
		return common
	}
	surprise := 0.0
	for i := range len(text) {
		switch b := text[i]; {
		case b == ' ':
			surprise += 2.7
		case 'a' <= b && b <= 'z':
			surprise += letterBits[b-'a']
		case '0' <= b && b <= '9', b == '.', b == ':':
			surprise += 4.5
		case strings.IndexByte(`"'()[]/=_-,`, b) >= 0:
			surprise += 5
		default:
			surprise += 7
		}
	}
	return surprise
}

// letterBits is -log2 of the share of each small letter in English text.
var letterBits = [26]float64{
	3.9, 6.3, 5.5, 4.9, 3.3, 5.8, 6.0, 4.7, 4.1, 9.0, 7.1, 5.0, 5.7, 4.1, 4.0, 5.9, 10, 4.3, 4.2, 3.7, 5.3, 6.8, 6.2, 9.0, 6.1, 10,
}
