package rules

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
)

// shape is one way in which a daemon writes a line of a rule: the pieces of a
// pattern with its definitions written out. Automata know no placeholders any
// more; who makes lines or explains them needs these.
type shape struct {
	rule   *compiledRule
	source string // the key of the rule that it is of: "pattern[0]"
	// pattern is what is written there.
	pattern string
	parts   []part
	addr    int // the part that is the address, -1 if there is none
	// fields are those of the rule's conditions, each in one of some shapes.
	fields []fieldShapes

	whole *regexp.Regexp // made by texts when it is first asked for
}

// fieldShapes are the ways in which a field is written.
type fieldShapes struct {
	name   string
	shapes []*shape
}

// part is literal text, the address or another placeholder.
type part struct {
	literal string
	isAddr  bool
	label   string // as the pattern has it, <user:text>, or the expression
	expr    string // of what may stand there, if it is neither
	// client says that a client may have written it.
	client bool
	// key is the name of what names a session; no client chooses it in a line of
	// its own.
	key string
	// guaranteed is what the daemon lets the client write, nil if anything.
	guaranteed *regexp.Regexp

	admits byteSet  // the bytes that may stand in it
	values []string // what may well stand there
	usual  bool     // they are those of a builtin type
}

// shapes returns the shapes of all rules, in the order of the pack.
func (p *Pack) shapes() []*shape {
	var out []*shape
	usual := make(map[string][]string)
	bases := make(map[string]*Pack)
	for _, r := range p.rules {
		file, g := p.written(r, bases)
		if file == nil {
			continue
		}
		var fields []fieldShapes
		for _, name := range slices.Sorted(maps.Keys(file.Field)) {
			f := fieldShapes{name: name}
			for _, pattern := range file.Field[name].oneOrMore {
				f.shapes = append(f.shapes, g.shapes(r, file.Account, "field."+name, pattern)...)
			}
			for _, s := range f.shapes {
				s.learn(usual, func(s *sample) string { return s.value(name) })
			}
			fields = append(fields, f)
		}
		begin := len(out)
		for i, pattern := range file.Pattern {
			out = append(out, g.shapes(r, file.Account, sourceOf("pattern", i), pattern)...)
		}
		for i, expr := range file.Regex {
			if s := regexShape(r, file.Account, sourceOf("regex", i), expr); s != nil {
				out = append(out, s)
			}
		}
		if begin == len(out) { // conditions alone
			out = append(out, &shape{rule: r, source: "field", addr: -1})
		}
		for _, s := range out[begin:] {
			s.fields = fields
			s.learn(usual, (*sample).message)
		}
	}
	for _, s := range out {
		for i := range s.parts {
			if p := &s.parts[i]; !p.client && !p.usual && usual[p.expr] != nil {
				p.values = usual[p.expr]
			}
		}
	}
	return out
}

// written returns a rule as it is written, and what its patterns mean. A rule of a
// shipped pack that this one extends does not know; its pack is read again, into
// bases.
func (p *Pack) written(r *compiledRule, bases map[string]*Pack) (*ruleFile, *grammar) {
	if r.file != nil {
		return r.file, p.grammar
	}
	base := bases[r.from.file]
	if base == nil {
		var err error
		if base, err = (&Pack{File: r.from.file, origin: r.from}).whole(); err != nil {
			return nil, nil // the tests would have said so
		}
		bases[r.from.file] = base
	}
	for _, other := range base.rules {
		if other.Name == r.Name {
			return other.file, base.grammar
		}
	}
	return nil, nil
}

// shapes returns the shapes of a pattern.
func (g *grammar) shapes(r *compiledRule, account, source, pattern string) []*shape {
	var out []*shape
	for _, pieces := range g.written(pattern) {
		s := &shape{rule: r, source: source, pattern: pattern, addr: -1}
		for _, piece := range pieces {
			s.add(g.part(piece, account).named(r, piece.name))
		}
		out = append(out, s)
	}
	return out
}

// regexShape returns the shape of an expression.
func regexShape(r *compiledRule, account, source, expr string) *shape {
	re, err := parseExpression(latin1(expr))
	if err != nil {
		return nil // Parse has said so
	}
	s := &shape{rule: r, source: source, pattern: expr, addr: -1}
	for _, sub := range trimAnchors(sequence(re)) {
		s.add(regexPart(sub, account).named(r, sub.Name))
	}
	return s
}

// sourceOf names one of several values of a key.
func sourceOf(key string, i int) string { return fmt.Sprintf("%s[%d]", key, i) }

func (s *shape) add(p part) {
	if n := len(s.parts); p.literal != "" && n > 0 && s.parts[n-1].literal != "" {
		s.parts[n-1].literal += p.literal
		return
	}
	if p.isAddr {
		s.addr = len(s.parts)
	}
	s.parts = append(s.parts, p)
}

// learn takes from the samples what a daemon writes by itself in the place of an
// expression. Text returns what is to be of this shape.
func (s *shape) learn(usual map[string][]string, text func(*sample) string) {
	for i := range s.rule.samples {
		for j, value := range s.texts(text(&s.rule.samples[i])) {
			if p := &s.parts[j]; p.expr != "" && !p.client && !p.usual && len(usual[p.expr]) < maxUsual {
				usual[p.expr] = append(usual[p.expr], value)
			}
		}
	}
}

// maxUsual bounds the values of an expression that are learned.
const maxUsual = 16

// addressed says that the address stands in the line or in one of its fields.
func (s *shape) addressed() bool {
	return s.addr >= 0 || s.inFields((*shape).addressed)
}

// hostile says that a client may have written some of it.
func (s *shape) hostile() bool {
	return slices.ContainsFunc(s.parts, func(p part) bool { return p.client }) || s.inFields((*shape).hostile)
}

func (s *shape) inFields(is func(*shape) bool) bool {
	return slices.ContainsFunc(s.fields, func(f fieldShapes) bool { return slices.ContainsFunc(f.shapes, is) })
}

// halves returns what precedes the address and what follows it.
func (s *shape) halves() (before, after []*syntax.Regexp) {
	half := &before
	for _, p := range s.parts {
		expr := p.expr
		if p.literal != "" {
			expr = regexp.QuoteMeta(latin1(p.literal))
		}
		if p.isAddr {
			half = &after
		} else if re, err := parseExpression(expr); err == nil {
			*half = append(*half, re)
		}
	}
	return before, after
}

// written returns the pieces of a pattern with its definitions written out, at
// most maxAlternatives times.
func (g *grammar) written(pattern string) [][]piece {
	parts, err := pieces(pattern)
	if err != nil {
		return nil // Parse has said so
	}
	out := [][]piece{nil}
	for _, p := range parts {
		alternatives := [][]piece{{p}}
		if defined := g.define[p.kind]; p.kind != "" && defined != nil {
			alternatives = nil
			for _, d := range defined {
				alternatives = append(alternatives, g.written(d)...)
			}
		}
		var longer [][]piece
		for _, head := range out {
			for _, a := range alternatives {
				longer = append(longer, slices.Concat(head, a))
			}
		}
		out = longer[:min(len(longer), maxAlternatives)]
	}
	return out
}

// part makes a part of a piece.
func (g *grammar) part(p piece, account string) part {
	switch {
	case p.kind == "":
		return part{literal: p.literal}
	case p.kind == "addr":
		return part{isAddr: true}
	}
	expr, _ := g.lookup(p.kind)
	re, err := parseExpression(expr)
	if err != nil {
		return part{} // Parse has said so
	}
	isAccount := account != "" && p.name == account
	if values, ok := daemons[p.kind]; ok && g.types[p.kind] == "" {
		return part{label: p.label(), expr: expr, client: isAccount, admits: admits(re), values: values, usual: true}
	}
	out := valuePart(re, expr, isAccount || builtin[p.kind] != "")
	if slices.Contains(g.guaranteed, p.kind) {
		out.guaranteed = regexp.MustCompile(`^(?s:` + expr + `)$`)
	}
	out.label = p.label()
	return out
}

// label spells a placeholder.
func (p *piece) label() string {
	if p.name == "" {
		return "<" + p.kind + ">"
	}
	return "<" + p.name + ":" + p.kind + ">"
}

// regexPart makes a part of a piece of an expression.
func regexPart(re *syntax.Regexp, account string) part {
	if text := literalText(re); text != "" {
		return part{literal: text}
	}
	name := ""
	if re.Op == syntax.OpCapture {
		name, re = re.Name, re.Sub[0]
	}
	if name == "addr" {
		return part{isAddr: true}
	}
	return valuePart(re, re.String(), account != "" && name == account)
}

// valuePart makes a part of what re matches. A client is taken to write it if
// that can be text of any length; names without blanks and punctuation are the
// daemon's own.
func valuePart(re *syntax.Regexp, expr string, client bool) part {
	p := part{label: expr, expr: expr, admits: admits(re)}
	p.client = client || longest(re) == unbounded && p.admits.has('z') && p.admits.beyond(nameBytes)
	n, err := newNFA([]*syntax.Regexp{re}, false)
	if err != nil {
		return p
	}
	for _, text := range plain {
		if n.matches(text) {
			p.values = append(p.values, text)
		}
	}
	rng := rand.New(rand.NewPCG(1, uint64(len(expr))))
	for range 4 {
		p.values = append(p.values, string(appendText(nil, re, rng)))
	}
	return p
}

// addressText is what may stand in the place of an address, and more.
const addressText = `\[?[0-9A-Fa-f:.]+(?:%[\w.-]+)?\]?`

// texts returns what stands in the place of each part, nil if the line is not of
// this shape.
func (s *shape) texts(line string) []string {
	if s.whole == nil {
		var b strings.Builder
		b.WriteString(`^(?s:`)
		for i, p := range s.parts {
			expr := p.expr
			switch {
			case p.literal != "":
				expr = regexp.QuoteMeta(latin1(p.literal))
			case p.isAddr:
				expr = addressText
			}
			fmt.Fprintf(&b, "(?P<part%d>%s)", i, expr)
		}
		b.WriteString(`)$`)
		var err error
		if s.whole, err = regexp.Compile(b.String()); err != nil {
			return nil // newForm has parsed it
		}
	}
	m := s.whole.FindStringSubmatch(latin1(line))
	if m == nil {
		return nil
	}
	out := make([]string, len(s.parts))
	for i := range out { // an expression may have groups of its own
		out[i] = bytesOf(m[s.whole.SubexpIndex(fmt.Sprintf("part%d", i))])
	}
	return out
}

// bytesOf is the inverse of latin1.
func bytesOf(s string) string {
	var b []byte
	for _, r := range s {
		b = append(b, byte(r))
	}
	return string(b)
}

// sequence returns the parts that an expression is a sequence of, groups as a
// whole.
func sequence(re *syntax.Regexp) []*syntax.Regexp {
	switch {
	case re.Op == syntax.OpConcat:
		var out []*syntax.Regexp
		for _, sub := range re.Sub {
			out = append(out, sequence(sub)...)
		}
		return out
	case re.Op == syntax.OpCapture && re.Name == "":
		return sequence(re.Sub[0])
	}
	return []*syntax.Regexp{re}
}
