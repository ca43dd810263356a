package rules

import (
	"slices"
	"strings"

	"bailiff/ingest"
)

// tracedRule is a rule, what it says by itself, and how its patterns are read.
type tracedRule struct {
	*compiledRule
	solo   *Set
	shapes []*tracedShape
}

type tracedShape struct {
	*shape
	before, behind *reader // behind is nil if there is no address
	fields         map[string][]*tracedShape
}

func newTracedRule(p *Pack, r *compiledRule, shapes []*shape) (*tracedRule, error) {
	alone := *p
	alone.rules = []*compiledRule{r}
	solo, err := Compile(&alone)
	if err != nil {
		return nil, err
	}
	t := &tracedRule{compiledRule: r, solo: solo}
	for _, s := range shapes {
		if s.rule == r {
			t.shapes = append(t.shapes, newTracedShape(s))
		}
	}
	return t, nil
}

func newTracedShape(s *shape) *tracedShape {
	t := &tracedShape{shape: s, fields: make(map[string][]*tracedShape)}
	before, behind := s.halves()
	if s.addr < 0 {
		t.before = newReader(s.parts, before, "the end")
	} else {
		t.before = newReader(s.parts[:s.addr], before, "an address")
		t.behind = newReader(s.parts[s.addr+1:], behind, "the end")
	}
	for _, f := range s.fields {
		for _, s := range f.shapes {
			t.fields[f.name] = append(t.fields[f.name], newTracedShape(s))
		}
	}
	return t
}

// explain says what the rule makes of e, as if it were the only one. Missing are
// the texts that were looked for in vain.
func (t *tracedRule) explain(e *ingest.Entry, missing map[*form]string) RuleTrace {
	out := RuleTrace{Rule: t.Rule, Fate: Unread}
	v := t.judge(e)
	span := t.addressed(e)
	for _, r := range v.addrs {
		span.Start, span.End, span.Addr = r.start, r.end, r.addr
		out.Reads = append(out.Reads, span)
	}
	readable := t.furthest(e, &out)
	switch {
	case v.form != nil:
		out.Fate = Won
	case v.excepted:
		out.Fate = Excepted
	case v.refused:
		out.Fate = Refused
	case readable && t.cuts(e):
		out.Fate = Torn
	case !slices.ContainsFunc(t.forms, func(f *form) bool { return missing[f] == "" }):
		out.Fate, out.Missing = Missing, missing[t.forms[0]]
	}
	if out.Fate != Unread && out.Fate != Missing {
		out.Stops = nil
	}
	return out
}

// addressed is the text that the address stands in.
func (t *tracedRule) addressed(e *ingest.Entry) Span {
	var fs fields
	fs.reset()
	for _, c := range t.conditions {
		if c.addressed() {
			return Span{Field: c.name, Text: string(fs.field(c, e))}
		}
	}
	return Span{Text: string(e.Message)}
}

// judge returns the verdict of the rule alone.
func (t *tracedRule) judge(e *ingest.Entry) verdict {
	g := t.solo.groups[string(e.Identifier)]
	g.making.Do(g.make)
	sc := g.search(e.Message)
	if len(g.fielded) > 0 && structured(e) {
		sc = g.mark(sc, g.fielded)
	}
	if sc == nil {
		return verdict{}
	}
	sc.reset(e.Message)
	sc.fields.reset()
	return g.packs[0].judge(g.forms, 0, e, sc)
}

// furthest leaves in out the pattern that came furthest, and where it stopped. It
// says whether that reads all of e.
func (t *tracedRule) furthest(e *ingest.Entry, out *RuleTrace) (readable bool) {
	best := -1
	for _, s := range t.shapes {
		a := attempt{matches: true}
		if len(s.parts) > 0 {
			a = s.attempt(e.Message)
		}
		a.add(t.conditions, s, e)
		if a.matches && !readable || readable == a.matches && a.score > best {
			best, readable = a.score, a.matches
			out.Pattern, out.Stops, out.score, out.words = s.pattern, a.stops, a.score, s.words()
		}
	}
	return readable
}

// attempt is what reading some text came to.
type attempt struct {
	matches bool
	score   int // how much literal text was found
	stops   []Stop
}

// maxTokens is how many addresses of a text are tried, from the last.
const maxTokens = 16

// attempt reads text, which is a message or a field.
func (t *tracedShape) attempt(text []byte) attempt {
	if t.behind == nil {
		p := t.before.read(text)
		return attempt{p.matches, p.score, []Stop{p.stop.in(text, 0)}}
	}
	var out attempt
	for _, token := range t.tokens(text) {
		addr, ok := token.addr(text)
		if !ok {
			continue
		}
		before := t.before.read(text[:token.start])
		if !before.matches {
			continue
		}
		behind := t.behind.read(text[token.end:])
		stop := behind.stop.in(text, token.end)
		stop.Addr = addr
		out.matches = out.matches || behind.matches
		out.score = max(out.score, t.before.most()+behind.score)
		out.stops = append(out.stops, stop)
	}
	if len(out.stops) == 0 {
		p := t.before.read(text)
		out.score, out.stops = p.score, []Stop{p.stop.in(text, 0)}
	}
	slices.Reverse(out.stops)
	return out
}

// tokens are the positions in text that are tried, the last first.
func (t *tracedShape) tokens(text []byte) (out []token) {
	var p positions
	p.reset(text)
	for i := range maxTokens {
		found, ok := p.at(i, 0)
		if !ok {
			break
		}
		out = append(out, found)
		if parts := t.behind.parts; len(parts) == 0 || !strings.HasPrefix(parts[0].literal, ":") {
			continue
		}
		if found, ok = found.withoutPort(text); ok {
			out = append(out, found)
		}
	}
	return out
}

// most is the score of a text that matches.
func (r *reader) most() int { return r.score[0] }

// words returns the words of the literal text.
func (s *shape) words() []string {
	var out []string
	for _, p := range s.parts {
		for word := range strings.FieldsSeq(p.literal) {
			if len(word) >= minLiteral {
				out = append(out, word)
			}
		}
	}
	return out
}

// in is the stop in the whole of a text, of which what begins at offset was read.
func (s Stop) in(text []byte, offset int) Stop {
	s.Text, s.At = string(text), s.At+offset
	return s
}

// add reads the fields that the rule asks for.
func (a *attempt) add(conditions []*condition, s *tracedShape, e *ingest.Entry) {
	if a.matches {
		a.stops = nil
	}
	var fs fields
	fs.reset()
	for _, c := range conditions {
		value := fs.field(c, e)
		best := attempt{stops: []Stop{{Wanted: WantsField}}}
		for i, shape := range s.fields[c.name] {
			if value == nil {
				break
			}
			if one := shape.attempt(value); i == 0 || one.matches && !best.matches || one.matches == best.matches && one.score > best.score {
				best = one
			}
		}
		a.score += best.score
		if best.matches {
			a.score++ // a field that holds is more than one that does not
			continue
		}
		a.matches = false
		for _, stop := range best.stops {
			stop.Field = c.name
			a.stops = append(a.stops, stop)
		}
	}
}
