package rules

import (
	"encoding/json"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"bailiff/ingest"
)

// attack makes lines as a daemon would print them of a client that wants
// somebody else to be charged: every placeholder that the client may write holds
// imitations of this line and of the pack's others, in the name of a victim.
// Types do not restrain it unless they are guaranteed, because they restrain no
// client: a daemon prints a user name with blanks although the pattern says
// <word>.
//
// The same seed makes the same lines.
type attack struct {
	rng    *rand.Rand
	shapes []*shape // of the whole pack, and of its fields
	own    string   // what the client writes besides; may be empty

	// sessions tell the ones of one line from those of the next, keys what names
	// them: the attacker's and the victim's.
	sessions int
	keys     map[string][2]string
	binders  map[string][]*shape // of each kind of session

	raw     []byte // the line
	fields  attackFields
	scratch []byte
	entry   ingest.Entry
	matches []Match
}

// attackFields are the fields of a line.
type attackFields []attackField

type attackField struct {
	name  string
	value []byte
}

// Field returns the value of a field.
func (f attackFields) Field(name string) (value []byte, ok bool) {
	for i := range f {
		if f[i].name == name {
			return f[i].value, true
		}
	}
	return nil, false
}

// fate is what became of a line of an attack, the worst last.
type fate uint8

const (
	torn      fate = iota // nobody is named, and the line had lost its end
	hidden                // nobody is named
	charged               // the attacker is named, and nobody else
	ambiguous             // several are named, so that nobody is charged
	forged                // somebody else is named
	fates                 // how many there are
)

// attackers are addresses of the client, and victims those it speaks for.
var (
	attackers = []netip.Addr{netip.MustParseAddr("198.51.100.66"), netip.MustParseAddr("2001:db8:66::66")}
	victims   = []string{"192.0.2.77", "192.0.2.77", "2001:db8:77::77", "[2001:db8:77::77]", "::ffff:192.0.2.77"}
)

func newAttack(shapes []*shape, seed uint64) *attack {
	a := &attack{binders: make(map[string][]*shape), keys: make(map[string][2]string), rng: rand.New(rand.NewPCG(seed, 0x6261696c696666))}
	for _, s := range shapes {
		if s.binds() {
			a.binders[s.rule.binds.space()] = append(a.binders[s.rule.binds.space()], s)
		}
		for _, f := range s.fields {
			a.shapes = append(a.shapes, f.shapes...)
		}
		a.shapes = append(a.shapes, s)
	}
	a.shapes = slices.DeleteFunc(a.shapes, func(s *shape) bool { return len(s.parts) == 0 })
	return a
}

// attackSize is about how long a line may become before its last piece.
const attackSize = 1500

// honest makes a line of a client that means no harm.
func (a *attack) honest(s *shape) {
	a.make(s, func(b []byte, s *shape, i int) []byte { return a.piece(b, s, i, "") })
}

// line makes a line of a hostile client.
func (a *attack) line(s *shape) {
	if s.rule.cut > 0 && s.addr >= 0 && a.rng.IntN(16) == 0 {
		a.cutOff(s)
		return
	}
	a.make(s, func(b []byte, s *shape, i int) []byte {
		if s.parts[i].client && len(b) < attackSize && a.rng.IntN(5) > 0 {
			return a.hostile(b, s, i)
		}
		return a.piece(b, s, i, "")
	})
	if cut := s.rule.cut; cut > 0 && len(a.raw) > cut {
		a.raw = a.raw[:cut]
	}
}

// make makes a line of pieces, and its fields.
func (a *attack) make(s *shape, piece func(b []byte, s *shape, i int) []byte) {
	a.raw = a.raw[:0]
	for i := range s.parts {
		a.raw = piece(a.raw, s, i)
	}
	a.fields = a.fields[:0]
	for _, f := range s.fields {
		if len(f.shapes) == 0 {
			continue
		}
		t, value := f.shapes[a.rng.IntN(len(f.shapes))], []byte{}
		for i := range t.parts {
			value = piece(value, t, i)
		}
		a.fields = append(a.fields, attackField{f.name, value})
	}
	if len(s.parts) == 0 && a.rng.IntN(2) == 0 {
		a.document()
	}
}

// document has the line be a JSON object of the fields.
func (a *attack) document() {
	object := make(map[string]any)
	for _, f := range a.fields {
		at, name := object, f.name
		if journalField.MatchString(name) {
			return
		}
		for prefix, rest, deeper := strings.Cut(name, "."); deeper; prefix, rest, deeper = strings.Cut(name, ".") {
			below, ok := at[prefix].(map[string]any)
			if !ok {
				below = make(map[string]any)
				at[prefix] = below
			}
			at, name = below, rest
		}
		at[name] = string(f.value)
	}
	text, err := json.Marshal(object)
	if err != nil {
		return // strings in maps never fail
	}
	a.raw, a.fields = append(a.raw, text...), a.fields[:0]
}

// cutOff makes a line that the daemon cuts just behind an imitation, or a little
// before or behind that place.
func (a *attack) cutOff(s *shape) {
	at := a.clientPart(s)
	if at < 0 {
		a.honest(s)
		return
	}
	a.raw, a.fields = a.raw[:0], a.fields[:0]
	for i := range at {
		a.raw = a.piece(a.raw, s, i, "")
	}
	imitation := a.scratch[:0]
	for i := at + 1; i < len(s.parts); i++ {
		imitation = a.piece(imitation, s, i, a.victim())
	}
	a.scratch = imitation
	vanish := a.pick(vanishing)
	times := a.rng.IntN(3)
	room := s.rule.cut - len(a.raw) - len(imitation) - times*len(vanish) + a.rng.IntN(5) - 2
	for range room {
		a.raw = append(a.raw, 'x')
	}
	a.raw = append(a.raw, imitation...)
	for range times {
		a.raw = append(a.raw, vanish...)
	}
	for i := at + 1; i < len(s.parts); i++ {
		a.raw = a.piece(a.raw, s, i, "")
	}
	a.raw = a.raw[:min(len(a.raw), s.rule.cut)]
}

// vanishing are texts that are taken out of a message before it is read.
var vanishing = []string{"", " ", "#033[1m", "\x1b[m"}

// clientPart returns one of the parts that a client writes, -1 if there is none.
func (a *attack) clientPart(s *shape) int {
	at := -1
	for i, n := 0, 0; i < len(s.parts); i++ {
		if s.parts[i].client {
			if n++; a.rng.IntN(n) == 0 {
				at = i
			}
		}
	}
	return at
}

// piece appends a part as an honest daemon writes it for an honest client. The
// address is victim, or one of the attacker's if that is empty.
func (a *attack) piece(b []byte, s *shape, i int, victim string) []byte {
	p := &s.parts[i]
	switch {
	case p.literal != "":
		return append(b, p.literal...)
	case p.key != "":
		return append(b, a.key(p, victim != "")...)
	case !p.isAddr:
		if len(p.values) == 0 {
			return b
		}
		return append(b, a.pick(p.values)...)
	case victim != "":
		return append(b, victim...)
	}
	addr := attackers[0]
	if a.rng.IntN(8) == 0 {
		addr = attackers[1]
	}
	before, behind := s.literal(i-1), s.literal(i+1)
	if addr.Is6() && strings.HasPrefix(behind, ":") && !strings.HasSuffix(before, "[") {
		return append(addr.AppendTo(append(b, '[')), ']')
	}
	return addr.AppendTo(b)
}

// literal returns the text of part i, "" if there is none.
func (s *shape) literal(i int) string {
	if i < 0 || i >= len(s.parts) {
		return ""
	}
	return s.parts[i].literal
}

func (a *attack) pick(texts []string) string { return texts[a.rng.IntN(len(texts))] }

func (a *attack) victim() string { return a.pick(victims) }

// hostile appends what a hostile client writes in the place of part at.
func (a *attack) hostile(line []byte, s *shape, at int) []byte {
	b := a.scratch[:0]
	if a.rng.IntN(3) > 0 {
		b = append(b, a.pick(plain)...)
	}
	for range 1 + a.rng.IntN(3) {
		switch n := a.rng.IntN(1000); {
		case n < 450: // what follows in this line
			b = a.fragment(b, s, at+1, at+2+a.rng.IntN(len(s.parts)-at))
		case n < 550: // what precedes
			b = a.fragment(b, s, a.rng.IntN(at+1), at)
		case n < 700: // some of any line
			if t := a.any(); len(t.parts) > 0 {
				i := a.rng.IntN(len(t.parts))
				b = a.fragment(b, t, i, i+1+a.rng.IntN(len(t.parts)-i))
			}
		case n < 750: // all of any line
			t := a.any()
			b = a.fragment(b, t, 0, len(t.parts))
		case n < 800:
			b = append(b, a.victim()...)
		case n < 900 && a.own != "":
			b = append(b, a.own...)
		case n < 998:
			b = append(b, a.pick(noise)...)
		default:
			b = append(b, strings.Repeat(a.pick(noise)+"x", ingest.MaxMessage)[:ingest.MaxMessage]...)
		}
	}
	p := &s.parts[at]
	if p.guaranteed != nil || a.rng.IntN(6) == 0 { // nothing but what the author allows
		n := 0
		for _, c := range b {
			if p.admits.has(c) {
				b[n] = c
				n++
			}
		}
		b = b[:n]
	}
	a.scratch = b
	if p.guaranteed != nil && !p.guaranteed.MatchString(latin1(string(b))) {
		return a.piece(line, s, at, "")
	}
	return append(line, b...)
}

// any returns one of the pack's shapes, or of the fields of one that asks for nothing
// else.
func (a *attack) any() *shape {
	s := a.shapes[a.rng.IntN(len(a.shapes))]
	if len(s.parts) == 0 && len(s.fields) > 0 {
		if f := s.fields[a.rng.IntN(len(s.fields))]; len(f.shapes) > 0 {
			return f.shapes[a.rng.IntN(len(f.shapes))]
		}
	}
	return s
}

// fragment appends the parts from i to j of a line that speaks for a victim, or
// the beginning of that.
func (a *attack) fragment(b []byte, s *shape, i, j int) []byte {
	begin := len(b)
	victim := a.victim()
	for ; i < min(j, len(s.parts)); i++ {
		b = a.piece(b, s, i, victim)
		if s.parts[i].client && a.rng.IntN(8) == 0 {
			b = append(b, a.pick(noise)...)
		}
	}
	if n := len(b) - begin; n > 0 && a.rng.IntN(8) == 0 {
		b = b[:begin+a.rng.IntN(n)]
	}
	return b
}

// noise is what has confused readers of logs, or might.
var noise = []string{
	"'", `"`, "`", `\`, `\"`, `\'`, `""`, "''", ")", "]", ">", "}", "(", "[", "<", "{", ",", ";", "=", "|", ":", ": ", "/", "@", "&", "%s", "%", "$(x)", "-", ".",
	" ", "    ", "\t", "\u00a0", "::", "1:2:3:4:5:6:", "2001:db8::", "::ffff:", "0x", "1.", ".1", "%eth0", ":22",
	"\x1b[1m", "\x1b[", "\x1b", "m", "#033[1m", "#033[", "#033", "[1m", "#015#012", `\r\n`, `\n`, "\r\n", "\n", "\x00", "#000",
	"\xff", "\xc3\x28", "\xe2\x80", "\u202e", "\u200f", "\u200b", "e\u0301", "\ufeff", "é", "１９２．０．２．７７", "٣", "💣",
	"message repeated 5 times: [ ", "]", "[2026-11-23 01:39:42] ", "2026-11-23 01:39:42.691 ", " [preauth]", "192.0.2.77.", "x192.0.2.77", "192.0.2.77x",
}

// judge reads the line with the identifier of its rule as an entry of a source
// would have it, and says what comes of it.
func (a *attack) judge(set *Set, r *compiledRule) fate {
	if r.uses != nil {
		a.introduce(set, r)
	}
	a.read(set, r, attackerProcess)
	worst := hidden
	if r.cuts(&a.entry) {
		worst = torn
	}
	for i := range a.matches {
		switch m := &a.matches[i]; {
		case m.Addr == attackers[0], m.Addr == attackers[1]:
			worst = max(worst, charged)
		case m.Addr.IsValid():
			return forged
		case m.Ambiguous():
			worst = max(worst, ambiguous)
		}
	}
	return worst
}

// read has the set read the line as the one of a process.
func (a *attack) read(set *Set, r *compiledRule, process string) {
	a.entry = ingest.Entry{
		Source: "attack", UID: -1, PID: -1, Identifier: append(a.entry.Identifier[:0], r.identifiers[0]...),
		Host: strconv.AppendInt(a.entry.Host[:0], int64(a.sessions), 10), ProcID: append(a.entry.ProcID[:0], process...),
	}
	a.entry.SetMessage(a.raw)
	if len(a.fields) > 0 {
		a.entry.Fields = a.fields
	}
	a.matches = set.AppendMatches(a.matches[:0], &a.entry)
}

// named is who is named in place of the attacker.
func (a *attack) named() netip.Addr {
	for i := range a.matches {
		if addr := a.matches[i].Addr; addr.IsValid() && addr != attackers[0] && addr != attackers[1] {
			return addr
		}
	}
	return netip.Addr{}
}

// text is the line as it was read, with its fields.
func (a *attack) text() string {
	text := string(a.entry.Message)
	for _, f := range a.fields {
		text = strings.TrimSpace(text + " " + f.name + "=" + string(f.value))
	}
	return text
}

// length is that of text, more or less.
func (a *attack) length() int {
	n := len(a.entry.Message)
	for _, f := range a.fields {
		n += len(f.name) + len(f.value) + len("=")
	}
	return n
}
