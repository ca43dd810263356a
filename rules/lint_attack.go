package rules

import (
	"slices"
	"strings"
)

// attack asks what clients can do to a rule with what they write, and whether the
// author has a sample of it.
func (l *linter) attack(r *compiledRule, own []*shape) {
	shapes := slices.DeleteFunc(slices.Clone(own), func(s *shape) bool { return !s.charges(l.shapes) || !s.hostile() })
	if len(shapes) == 0 {
		return
	}
	a := newAttack(l.shapes, seed(r))
	var lines [fates]string // the shortest of each fate
	var at [fates]*shape
	var named string // who the shortest forged one names
	for _, s := range shapes {
		for range max(lintLines/len(shapes), 100) {
			a.line(s)
			fate := a.judge(l.set, r)
			if n := a.length(); at[fate] != nil && n >= len(lines[fate]) {
				continue
			}
			lines[fate], at[fate] = a.text(), s
			if fate == forged {
				named = a.named().String()
			}
		}
	}
	note := func(f fate, check, msg, remedy string) {
		l.rule(check, r, at[f].source, msg, remedy).Example = lines[f]
	}
	if at[forged] != nil {
		what := "the address"
		if !at[forged].addressed() {
			what = "what names the session"
		}
		note(forged, "forged", "a client can have "+named+" charged by what it writes",
			"let nothing but fixed text and narrow types stand between "+what+" and one end of the line, and give what only the daemon writes a type of its own")
		return
	}
	if !r.counts() && r.binds == nil {
		return
	}
	addressed := slices.ContainsFunc(shapes, (*shape).addressed) // else there is none to imitate
	imitated := slices.ContainsFunc(r.samples, func(s sample) bool { return s.imitates(own) })
	switch shown := slices.ContainsFunc(r.samples, func(s sample) bool { return s.Ambiguous }); {
	case at[ambiguous] != nil && !shown:
		note(ambiguous, "ambiguous", "a client can make the line ambiguous by what it writes, and no sample shows it",
			"let only one side of the address hold a client's text, or add a sample with ambiguous = true")
	case at[hidden] != nil && !imitated:
		note(hidden, "hidden", "a client can hide by what it writes, and no sample shows that this was thought of",
			"take a type that holds whatever the daemon prints, such as <text>; or add a sample in which the client's text imitates the line")
	case !imitated && addressed:
		l.rule("imitation", r, "", "no sample shows what the rule makes of a client's text that imitates the line",
			"add a sample in which it holds another address and what stands beside the true one")
	}
}

// imitates says that in the sample a client imitates the line: what it wrote holds
// an address or some literal text of the rule.
func (s *sample) imitates(own []*shape) bool {
	if s.Ambiguous {
		return true
	}
	var literals []string
	add := func(s *shape) {
		for _, p := range s.parts {
			if text := strings.TrimSpace(p.literal); len(text) >= 4 && !slices.Contains(literals, text) {
				literals = append(literals, text)
			}
		}
	}
	for _, shape := range own {
		add(shape)
		for _, f := range shape.fields {
			for _, s := range f.shapes {
				add(s)
			}
		}
	}
	if s.Match != nil && !*s.Match { // which part is the client's, no pattern tells
		return len(addresses(s.message())) > 1 || slices.ContainsFunc(literals, func(text string) bool { return strings.Count(s.message(), text) > 1 })
	}
	return slices.ContainsFunc(own, func(shape *shape) bool {
		return slices.ContainsFunc(shape.clientTexts(s), func(text string) bool {
			return len(addresses(text)) > 0 || slices.ContainsFunc(literals, func(l string) bool { return strings.Contains(text, l) })
		})
	})
}

// addresses returns what text of addresses there is in line.
func addresses(line string) []string {
	var out []string
	var p positions
	p.reset([]byte(line))
	for i := 0; ; i++ {
		t, ok := p.at(i, 0)
		if !ok {
			return out
		}
		if _, ok := t.addr(p.msg); ok {
			out = append(out, line[t.from:t.to])
		}
	}
}

// clientTexts returns what a client wrote in the sample, nil if that is not of this
// shape.
func (s *shape) clientTexts(of *sample) []string {
	var out []string
	add := func(s *shape, text string) {
		for i, text := range s.texts(text) {
			if s.parts[i].client {
				out = append(out, text)
			}
		}
	}
	add(s, of.message())
	for _, f := range s.fields {
		for _, s := range f.shapes {
			add(s, of.value(f.name))
		}
	}
	return out
}
