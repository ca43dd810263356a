package rules

import (
	"fmt"
	"math/bits"
	"net/netip"
	"slices"
	"strconv"
	"sync"

	"bailiff/ingest"
)

// MaxCandidates is how many addresses of an ambiguous line are named.
const MaxCandidates = 8

// Set matches entries against any number of packs. It is immutable but for its
// counters, and any number of goroutines may use it at once.
type Set struct {
	groups   map[string]*group // by identifier
	names    directory         // of them
	refused  refusals
	near     nearMisses
	sessions *sessions
	textless bool // see OmitText
}

// group is all that may match the entries of one identifier. What reads them is made
// when the first comes.
type group struct {
	packs []packForms

	making sync.Once
	forms  []*form // of all packs one after the other, ignore rules first in each
	*prefilter
	// fielded are the forms that hold no text and whose rules have conditions
	// on fields.
	fielded []uint32
	scratch sync.Pool
}

// packForms is the forms of one pack within a group.
type packForms struct {
	*Pack
	set    *Set
	index  int             // in it
	rules  []*compiledRule // in the order in which they are tried
	behind int             // the first form that is not its own
}

// Compile makes a set of packs. It is an error if two have the same name.
func Compile(packs ...*Pack) (*Set, error) {
	s := &Set{groups: make(map[string]*group), sessions: newSessions(maxSessions)}
	for i, p := range packs {
		if j := slices.IndexFunc(packs[:i], func(q *Pack) bool { return q.Name == p.Name }); j >= 0 {
			return nil, &Error{
				File: p.File, Line: p.lines.of("pack.name"),
				Msg:    fmt.Sprintf("pack %s is also in %s", p.Name, packs[j].File),
				Remedy: "give one of them another name",
			}
		}
		s.refused.packs = append(s.refused.packs, Refusal{Pack: p.Name})
		s.near.packs = append(s.near.packs, NearMiss{Pack: p.Name})
		if len(p.strange) > 0 {
			s.sessions.known(p.Name)
		}
		s.add(i, p)
	}
	var distinct []*group
	for id, g := range s.groups {
		if i := slices.IndexFunc(distinct, g.same); i >= 0 {
			s.groups[id] = distinct[i]
		} else {
			distinct = append(distinct, g)
		}
	}
	s.names = newDirectory(s.groups)
	return s, nil
}

// OmitText has the matches of s carry neither Host nor Account nor Line, for whom they
// mean nothing: to find and copy them takes a good part of the time of a line that
// matches. It must be called before s is used.
func (s *Set) OmitText() { s.textless = true }

// add puts the rules of a pack into the groups of their identifiers.
func (s *Set) add(index int, p *Pack) {
	for _, ignore := range []bool{true, false} {
		for _, r := range p.rules {
			if (r.Event == Ignore) != ignore {
				continue
			}
			for _, id := range r.identifiers {
				g := s.groups[id]
				if g == nil {
					g = &group{}
					s.groups[id] = g
				}
				if n := len(g.packs); n == 0 || g.packs[n-1].index != index {
					g.packs = append(g.packs, packForms{Pack: p, set: s, index: index})
				}
				own := &g.packs[len(g.packs)-1]
				own.rules = append(own.rules, r)
			}
		}
	}
}

// same says that g and h have the same rules, as the names of one daemon have.
func (g *group) same(h *group) bool {
	return slices.EqualFunc(g.packs, h.packs, func(a, b packForms) bool { return a.index == b.index && slices.Equal(a.rules, b.rules) })
}

// make makes the forms and what finds those that a message may match.
func (g *group) make() {
	for i := range g.packs {
		p := &g.packs[i]
		for _, r := range p.rules {
			g.forms = append(g.forms, r.forms...)
		}
		p.behind = len(g.forms)
	}
	for _, f := range g.forms {
		f.ready()
	}
	g.prefilter = newPrefilter(g.forms)
	g.split()
	g.scratch.New = func() any { return &scratch{candidates: make([]uint64, (len(g.forms)+63)/64)} }
}

// AppendMatches appends the matches of e to dst, at most one of each pack, and
// returns dst. An entry that matches nothing costs no memory. Matches own
// theirs.
func (s *Set) AppendMatches(dst []Match, e *ingest.Entry) []Match {
	dst, _ = s.Judge(dst, e)
	return dst
}

// Outcome is what a set made of an entry.
type Outcome uint8

// The outcomes; of several packs the greatest holds.
const (
	// Unknown is a line that no pack looks for.
	Unknown Outcome = iota
	// Held is a match that waits for a line which tells its address.
	Held
	// Near is a line that holds a text which a pack looks for and that none of
	// its rules read; Untrusted one that a rule reads and whose writer its pack
	// does not believe.
	Near
	Untrusted
	// Matched is a line of at least one match.
	Matched
)

// Judge is AppendMatches, and says what became of an entry without a match.
func (s *Set) Judge(dst []Match, e *ingest.Entry) ([]Match, Outcome) {
	outcome, before := Unknown, len(dst)
	g := s.names.find(e.Identifier)
	if g == nil {
		return dst, outcome
	}
	g.making.Do(g.make)
	sc := g.search(e.Message)
	if len(g.fielded) > 0 && structured(e) {
		sc = g.mark(sc, g.fielded)
	}
	if sc == nil {
		return dst, outcome
	}
	sc.reset(e.Message)
	sc.fields.reset()
	for begin, i := 0, 0; i < len(g.packs); i++ {
		p := &g.packs[i]
		switch v := p.judge(g.forms, begin, e, sc); {
		case v.form != nil && v.form.rule.linked():
			dst = p.appendLinked(dst, &v, e, sc)
			outcome = max(outcome, Held)
		case v.form != nil:
			dst = append(dst, v.match(e, &sc.fields))
		case v.refused:
			s.refused.add(p.index, e)
			outcome = max(outcome, Untrusted)
		case v.excepted:
		case (v.near || p.near(g.forms, begin, e, sc)) && p.trust.believes(e):
			s.near.add(p.index, e)
			outcome = max(outcome, Near)
		}
		begin = p.behind
	}
	clear(sc.candidates)
	g.scratch.Put(sc)
	if len(dst) > before {
		outcome = Matched
	}
	return dst, outcome
}

// next returns the first candidate from form i on, or -1.
func (s *scratch) next(i int) int {
	for word := i / 64; word < len(s.candidates); word++ {
		if w := s.candidates[word] >> (i % 64); w != 0 {
			return i + bits.TrailingZeros64(w)
		}
		i = (word + 1) * 64
	}
	return -1
}

// verdict is what a pack makes of an entry.
type verdict struct {
	form   *form     // the first that reads; nil if none does
	places []place   // where it reads what
	addrs  []reading // what addresses are read, at most MaxCandidates
	// asked and trusted say what the pack believes; refused that a form reads the
	// message, and its rule does not believe where it comes from.
	asked, trusted, refused bool
	// excepted says that a form reads the message, and its rule is not about what
	// it reads there.
	excepted bool
	// near says that all conditions of a rule hold but that with the address.
	near bool
	// textless is that of the set.
	textless bool
}

// place is a text that a form reads: the message or a field. At is where its address
// stands, or its end if it has none.
type place struct {
	form *form
	text []byte
	at   token
}

// valueOf returns what the capture i of a rule stands for in the texts that it reads;
// false if there is none.
func valueOf(places []place, i int) ([]byte, bool) {
	if i < 0 {
		return nil, false
	}
	for _, p := range places {
		if c := p.form.captures[i]; c != nil {
			value := c.find(p.text, p.at)
			return value, value != nil
		}
	}
	return nil, false
}

// judge reads e with the candidates of one pack, which begin at form i. The first
// that reads makes the match, unless it is excepted; the addresses are those that
// any of them reads.
func (p *packForms) judge(forms []*form, i int, e *ingest.Entry, sc *scratch) (v verdict) {
	v.addrs, v.textless = sc.addrs[:0], p.set.textless
	for i = sc.next(i); i >= 0 && i < p.behind; i = sc.next(i + 1) {
		f := forms[i]
		if v.form != nil && v.form.rule.Event == Ignore && f.rule.Event != Ignore {
			break
		}
		whole := token{start: len(e.Message), end: len(e.Message)} // all of it is before
		var found []reading
		switch {
		case len(f.rule.conditions) > 0:
			v.structured(f, p, e, sc)
			continue
		case f.after == nil && v.form != nil, f.rule.cuts(e) && len(e.Message) < f.enough:
			continue
		case f.after == nil && !f.before.matches(e.Message):
			continue
		case f.after != nil:
			if found = f.readings(sc); len(found) == 0 {
				continue
			}
		}
		sc.places = append(sc.places[:0], place{f, e.Message, whole})
		v.take(f, p, e, sc, 0, found)
	}
	return v
}

// take notes what f reads in e: the values in sc.places, and the address, unless it
// has none, in one of them.
func (v *verdict) take(f *form, p *packForms, e *ingest.Entry, sc *scratch, addressed int, found []reading) {
	if !v.believes(f, p, e) {
		return
	}
	if v.form == nil && p.applies(v, f, e, sc, addressed, found) {
		v.form = f
		sc.kept = append(sc.kept[:0], sc.places...)
		v.places = sc.kept
	}
	// What an excepted rule reads counts all the same: an exception that a client
	// can bring about must not leave one reading of two.
	for _, r := range found {
		v.add(r)
	}
}

// applies says whether f reads something that its rule does not except, and leaves
// in sc.places the first such reading.
func (p *packForms) applies(v *verdict, f *form, e *ingest.Entry, sc *scratch, addressed int, found []reading) bool {
	if len(f.rule.unless) == 0 && len(found) == 0 {
		return true
	}
	for _, r := range found {
		sc.places[addressed].at = r.token
		if !f.rule.excepts(sc.places, r.addr) {
			return true
		}
	}
	if len(found) == 0 {
		addrs := p.known(f.rule, e, sc)
		if len(addrs) == 0 {
			addrs = []netip.Addr{{}}
		}
		if slices.ContainsFunc(addrs, func(a netip.Addr) bool { return !f.rule.excepts(sc.places, a) }) {
			return true
		}
	}
	v.excepted = true
	return false
}

// cuts says that the message may have lost its end. Blanks at the end of what is
// left and colours count: the daemon cut while they were there.
func (r *compiledRule) cuts(e *ingest.Entry) bool {
	return e.Truncated || r.cut > 0 && max(len(e.Message), e.Length) >= r.cut
}

// add notes the address of r unless it is known.
func (v *verdict) add(r reading) {
	for i := range v.addrs {
		if v.addrs[i].addr == r.addr {
			v.addrs[i].start = min(v.addrs[i].start, r.start)
			return
		}
	}
	if len(v.addrs) < MaxCandidates {
		v.addrs = append(v.addrs, r)
	}
}

// match makes the match of a verdict.
func (v *verdict) match(e *ingest.Entry, f *fields) Match {
	r := v.form.rule
	m := Match{
		Rule: r.Rule, Event: r.Event, Count: max(1, e.Repeat),
		Time: e.Time, Received: e.Received, Source: e.Source, Origin: e.Origin, Spoofable: e.Spoofable, Trust: e.Trust,
	}
	if m.Origin == "" && e.Peer.IsValid() {
		m.Origin = e.Peer.Addr().String()
	}
	switch {
	case len(v.addrs) == 1:
		m.Addr = v.addrs[0].addr
	case len(v.addrs) > 1:
		slices.SortFunc(v.addrs, func(a, b reading) int { return a.start - b.start })
		m.Candidates = make([]netip.Addr, len(v.addrs))
		for i, r := range v.addrs {
			m.Candidates[i] = r.addr
		}
	}
	if v.textless {
		return m
	}
	account, _ := valueOf(v.places, r.account)
	m.Account = string(normalise(account))
	m.Host, m.Line = string(e.Host), f.evidence(e, v.form.rule)
	if told, ok := valueOf(v.places, r.count); ok {
		n, err := strconv.Atoi(string(told))
		if err != nil {
			n = MaxCount // more digits than a number has
		}
		m.Count *= min(max(n, 1), MaxCount)
	}
	return m
}

// MaxCount is how many lines one line stands for at most, by its own words.
const MaxCount = 1000

// evidence is what is kept of a message.
func evidence(msg []byte) string { return string(msg[:min(len(msg), MaxEvidence)]) }
