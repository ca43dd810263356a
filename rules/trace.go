package rules

import (
	"net/netip"
	"slices"
	"strings"

	"bailiff/ingest"
)

// Tracer explains what a pack makes of lines. It is slow, and for one goroutine:
// what sessions it knows, it knows from the lines that it has explained.
type Tracer struct {
	pack  *Pack
	set   *Set
	rules []*tracedRule // in the order in which they are asked
}

// Trace is what a pack makes of an entry.
type Trace struct {
	Pack string
	// Match is the match, nil if there is none.
	Match *Match
	// Rules are those that read the line, or some of it, in the order in which
	// they are asked. If none did, they are the ones that look most like it.
	Rules []RuleTrace
	// Others are the other rules.
	Others []RuleTrace
}

// RuleTrace is what a rule makes of an entry.
type RuleTrace struct {
	Rule *Rule
	// Pattern is the one that reads the line or came furthest, as it is
	// written; empty if the rule asks for fields alone.
	Pattern string
	Fate    Fate
	// By is the rule that won instead, if the rule was beaten.
	By *Rule
	// Reads are the addresses that it reads, and where they stand.
	Reads []Span
	// Missing is the text that is looked for first and is not there, or several
	// with "or" between them of which none is.
	Missing string
	// Stops say where reading stopped: once, or behind each address that
	// stands where the pattern wants one.
	Stops []Stop

	score int      // how much literal text was read
	words []string // of the pattern
}

// Span is an address in a text: in the message, or in the named field.
type Span struct {
	Field, Text string // raw
	Start, End  int    // in bytes
	Addr        netip.Addr
}

// Fate is what became of an entry in a rule.
type Fate string

// The fates of an entry in a rule.
const (
	Won      Fate = "matches"   // it makes the match
	Beaten   Fate = "beaten"    // it reads the line, and a rule before it did so too
	Excepted Fate = "excepted"  // it reads the line, and unless holds
	Refused  Fate = "untrusted" // it reads the line, which comes from elsewhere
	Torn     Fate = "cut"       // the line may have lost its end
	Unread   Fate = "unread"    // a part of the pattern does not match
	Missing  Fate = "missing"   // a text that it looks for is not there
)

// Tracer returns what explains the lines that the pack reads.
func (p *Pack) Tracer() (*Tracer, error) {
	p, err := p.whole()
	if err != nil {
		return nil, err
	}
	t := &Tracer{pack: p}
	if t.set, err = Compile(p); err != nil {
		return nil, err
	}
	shapes := p.shapes()
	for _, ignore := range []bool{true, false} {
		for _, r := range p.rules {
			if (r.Event == Ignore) != ignore {
				continue
			}
			traced, err := newTracedRule(p, r, shapes)
			if err != nil {
				return nil, err
			}
			t.rules = append(t.rules, traced)
		}
	}
	return t, nil
}

// Explain says what the pack makes of e; false if it does not read lines of its
// identifier.
func (t *Tracer) Explain(e *ingest.Entry) (Trace, bool) {
	g := t.set.groups[string(e.Identifier)]
	if g == nil {
		return Trace{}, false
	}
	trace := Trace{Pack: t.pack.Name}
	if m := t.set.AppendMatches(nil, e); len(m) > 0 {
		trace.Match = &m[0]
	}
	looked := g.lookedFor(e)
	for _, r := range t.rules {
		if !slices.Contains(r.identifiers, string(e.Identifier)) {
			continue
		}
		rt := r.explain(e, looked)
		switch {
		case trace.Match != nil && rt.Rule == trace.Match.Rule:
			rt.Fate = Won
		case rt.Fate == Won:
			rt.Fate = Beaten
			if trace.Match != nil {
				rt.By = trace.Match.Rule
			}
		}
		if rt.Fate == Missing || rt.Fate == Unread && rt.score == 0 {
			trace.Others = append(trace.Others, rt)
		} else {
			trace.Rules = append(trace.Rules, rt)
		}
	}
	if len(trace.Rules) == 0 {
		trace.nearest(string(e.Message))
	}
	return trace, true
}

// Believes says whether the rule that matched would believe e if it came from the
// journal, where its unit and user are known.
func (t *Tracer) Believes(e *ingest.Entry, rule *Rule) bool {
	vouched := *e
	vouched.Vouched = true
	for _, r := range t.rules {
		if r.Rule == rule {
			var v verdict
			return v.believes(&form{rule: r.compiledRule}, &packForms{Pack: t.pack}, &vouched)
		}
	}
	return true
}

// Pack returns the pack that t explains.
func (t *Tracer) Pack() *Pack { return t.pack }

// maxNearest is how many rules are shown of which none read anything.
const maxNearest = 3

// nearest shows the rules whose words the message has.
func (t *Trace) nearest(msg string) {
	slices.SortStableFunc(t.Others, func(a, b RuleTrace) int { return b.likeness(msg) - a.likeness(msg) })
	n := 0
	for n < min(len(t.Others), maxNearest) && t.Others[n].likeness(msg) > 0 {
		n++
	}
	t.Rules, t.Others = t.Others[:n:n], t.Others[n:]
}

// likeness is how much of the pattern's words is in the message, less what is not.
func (r *RuleTrace) likeness(msg string) int {
	n := 0
	for _, word := range r.words {
		if strings.Contains(msg, word) {
			n += len(word)
		} else {
			n -= len(word)
		}
	}
	return n
}

// lookedFor returns for each form of the group what it looks for, "" if that was found
// or if there is none.
func (g *group) lookedFor(e *ingest.Entry) map[*form]string {
	g.making.Do(g.make)
	missing := make(map[*form]string)
	for i, texts := range windows(g.forms) {
		missing[g.forms[i]] = strings.Join(texts, " or ")
	}
	sc := g.search(e.Message)
	if sc == nil {
		return missing
	}
	for i := sc.next(0); i >= 0; i = sc.next(i + 1) {
		missing[g.forms[i]] = ""
	}
	clear(sc.candidates)
	g.scratch.Put(sc)
	return missing
}
