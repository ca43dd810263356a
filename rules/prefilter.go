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

// crowd is how many texts with the same gram in the same place are told apart by a table,
// and not one by one.
const crowd = 3

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
	texts  crowds
	short  []short  // of texts shorter than a gram
	always []uint32 // forms that hold no text
}

// word is a text as it stands in memory, in the order of its bytes.
type word struct {
	value uint64
	mask  uint64 // the bytes of value that are the text; the others are 0
}

// clue is a gram of a text, or of a crowd of texts that differ elsewhere.
type clue struct {
	word           // of a crowd, of any one
	forms []uint32 // that hold the text
	next  uint32   // of the same hash
	// offset is that of the gram within the text, and size that of the text.
	offset, size uint8
	crowd        bool
}

// short is a text that has no gram.
type short struct {
	text  []byte
	forms []uint32
}

// crowds are the texts of all crowds, by hash and then one after the other.
type crowds struct {
	shift int
	texts []holding
}

// holding is the forms that hold a text; nil if there is no text.
type holding struct {
	word
	forms []uint32
}

// newPrefilter makes the prefilter of forms, which it calls by their index.
func newPrefilter(forms []*form) *prefilter {
	p := &prefilter{stride: window - gram + 1, clues: make([]clue, 1)}
	of := make(map[string][]uint32) // the forms that hold a text
	for i, texts := range windows(forms) {
		if len(texts) == 0 {
			p.always = append(p.always, uint32(i))
		}
		for _, text := range texts {
			of[text] = append(of[text], uint32(i))
			if len(text) >= gram {
				p.stride = min(p.stride, len(text)-gram+1)
			}
		}
	}
	for text, forms := range of {
		if len(text) < gram {
			p.short = append(p.short, short{[]byte(text), forms})
			delete(of, text)
		}
	}
	n := min(max(bits.Len(uint(spread*p.stride*len(of))), fewestBits), mostBits)
	p.shift, p.known, p.slots = 32-n, make([]uint64, 1<<n/64), make([]uint32, 1<<n)
	p.add(of)
	return p
}

// add adds the clues of texts that have a gram.
func (p *prefilter) add(of map[string][]uint32) {
	// Where texts have the same hash of a gram, and which are as long, they are alike.
	type kind struct {
		hash         uint32
		offset, size uint8
	}
	alike := make(map[kind][]string)
	for text := range of {
		for i := range p.stride {
			k := kind{hash(gramAt([]byte(text), i), p.shift), uint8(i), uint8(len(text))}
			alike[k] = append(alike[k], text)
		}
	}
	crowded := make(map[string]bool)
	for k, texts := range alike {
		c := clue{offset: k.offset, size: k.size, crowd: len(texts) >= crowd}
		if c.crowd {
			for _, text := range texts {
				crowded[text] = true
			}
			texts = texts[:1]
		}
		for _, text := range texts {
			c.word, c.forms = wordOf(text), of[text]
			c.next, p.slots[k.hash] = p.slots[k.hash], uint32(len(p.clues))
			p.clues = append(p.clues, c)
		}
		p.known[k.hash/64] |= 1 << (k.hash % 64)
	}
	p.texts = newCrowds(crowded, of)
}

// wordOf returns the word of a text that is no longer than the window.
func wordOf(text string) (w word) {
	for i := range len(text) {
		w.value |= uint64(text[i]) << (8 * i)
		w.mask |= 0xff << (8 * i)
	}
	return w
}

// newCrowds makes the table of texts, which is at most half full.
func newCrowds(texts map[string]bool, of map[string][]uint32) (c crowds) {
	if len(texts) == 0 {
		return c
	}
	n := bits.Len(uint(2 * len(texts)))
	c.shift, c.texts = 64-n, make([]holding, 1<<n)
	for text := range texts {
		w := wordOf(text)
		i := c.hash(w)
		for c.texts[i].forms != nil {
			i = (i + 1) % len(c.texts)
		}
		c.texts[i] = holding{w, of[text]}
	}
	return c
}

// hash returns where to look for w first.
func (c *crowds) hash(w word) int { return int(w.value * 0x9e3779b97f4a7c15 >> (c.shift & 63)) }

// forms returns the forms that hold w, nil if it is no text of a crowd.
func (c *crowds) forms(w word) []uint32 {
	for i := c.hash(w); ; i = (i + 1) & (len(c.texts) - 1) {
		if t := &c.texts[i]; t.forms == nil || t.word == w {
			return t.forms
		}
	}
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
		for k != 0 {
			c := &g.clues[k]
			k = c.next
			begin := i - int(c.offset)
			if begin < 0 || begin+int(c.size) > len(msg) {
				continue
			}
			switch v := wordAt(msg, begin) & c.mask; {
			case c.crowd:
				if forms := g.texts.forms(word{v, c.mask}); forms != nil {
					sc = g.mark(sc, forms)
				}
			case v == c.value:
				sc = g.mark(sc, c.forms)
			}
		}
	}
	return sc
}

// wordAt returns the value of what stands at i, with 0 behind the end of msg.
func wordAt(msg []byte, i int) uint64 {
	if n := len(msg) - window; i <= n {
		return binary.LittleEndian.Uint64(msg[i:])
	} else if n >= 0 {
		return binary.LittleEndian.Uint64(msg[n:]) >> (8 * (i - n))
	}
	return wordOf(string(msg[i:])).value
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

// popularity is how many forms hold each extract of their texts, and how many each gram.
type popularity struct {
	texts map[string]int
	grams map[string]int
}

// windows chooses for each form the texts to look for, none if it holds none for sure:
// of what it holds those that the fewest other forms hold and that ordinary text
// holds least often.
func windows(forms []*form) [][]string {
	holders := popularity{make(map[string]int), make(map[string]int)}
	for _, f := range forms {
		holders.count(f)
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

// count counts what f holds, each once.
func (p *popularity) count(f *form) {
	once := func(in map[string]int, n int) {
		seen := make(map[string]bool)
		for _, c := range f.holds {
			for _, text := range c {
				for e := range extracts(text, n) {
					if !seen[e] {
						seen[e] = true
						in[e]++
					}
				}
			}
		}
	}
	once(p.texts, window)
	once(p.grams, gram)
}

// windows returns what to look for to find one of the texts: an extract that all have in
// common, or one of each. The score is how good it is.
func (c choice) windows(holders popularity) (texts []string, score float64) {
	score = math.Inf(1)
	for _, text := range c {
		best, most := "", math.Inf(-1)
		for w := range extracts(text, window) {
			if s := holders.worth(w); s > most {
				best, most = w, s
			}
		}
		if !slices.Contains(texts, best) {
			texts = append(texts, best)
		}
		score = min(score, most)
	}
	score -= math.Log2(float64(len(texts)))
	for w := range extracts(c[0], window) {
		without := func(text string) bool { return !strings.Contains(text, w) }
		if s := holders.worth(w); s > score && !slices.ContainsFunc(c, without) {
			texts, score = []string{w}, s
		}
	}
	return texts, score
}

// extracts are all texts of n bytes that a text holds, or the text itself if it is shorter.
func extracts(text string, n int) iter.Seq[string] {
	n = min(n, len(text))
	return func(yield func(string) bool) {
		for i := 0; i+n <= len(text) && yield(text[i:i+n]); i++ {
		}
	}
}

// worth is how good a text is to look for. A short one is a last resort: because of it
// more places are looked into for all. A gram that ordinary text holds, or that messages
// of other forms do, costs a look at what stands around it.
func (p *popularity) worth(text string) float64 {
	surprise := rarity(text)
	looks, n := 0.0, 0.0
	for g := range extracts(text, gram) {
		looks += math.Log2(float64(p.grams[g])) / 4
		if strings.Contains(everyday, g) {
			looks += common
		}
		n++
	}
	return min(surprise, rare) + surprise/100 - 4*math.Log2(float64(p.texts[text])) - 3*float64(window-len(text)) - looks/n
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
