package rules

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
)

// Finding is something that a pack may well mean, and that its author should
// still look at: it loads, and its samples hold.
type Finding struct {
	*Error
	// Check names what was looked for: forged, ambiguous, hidden, literal,
	// shadowed, sample, imitation, evidence or trust.
	Check string
	// Example is the line that shows it, raw; empty if none is needed.
	Example string
}

// lintLines is how many lines of an attack are made for each rule.
const lintLines = 2000

// Lint looks for what tests of single lines do not show: what clients could do to
// the pack, what its author has not shown by a sample, and what can never
// match. Findings come in the order of the file. It takes time, about 10 ms for
// a rule; the pack must be one that Check finds nothing wrong with.
func (p *Pack) Lint() ([]Finding, error) {
	p, err := p.whole()
	if err != nil {
		return nil, err
	}
	set, err := Compile(p)
	if err != nil {
		return nil, err
	}
	l := &linter{pack: p, set: set, shapes: p.shapes()}
	l.trust()
	l.evidence()
	for _, r := range p.rules {
		if strings.HasPrefix(r.from.file, embedded) && r.from.file != l.pack.origin.file {
			continue // of a shipped pack that this one extends, which the tests have looked at
		}
		own := slices.DeleteFunc(slices.Clone(l.shapes), func(s *shape) bool { return s.rule != r })
		reached := l.reached(r, own)
		l.samples(r, reached)
		l.literals(r, own)
		l.shadows(r, own, reached)
		l.attack(r, own)
	}
	slices.SortStableFunc(l.found, func(a, b Finding) int { return cmp.Compare(a.Line, b.Line) })
	return l.found, nil
}

type linter struct {
	pack   *Pack
	set    *Set
	shapes []*shape
	found  []Finding
}

// add notes a finding about the pack's own key at path.
func (l *linter) add(check, path, msg, remedy string) {
	l.found = append(l.found, Finding{Error: l.pack.fault(path, "", hinted{msg, remedy}), Check: check})
}

// rule notes a finding about the key of a rule, all of it if that is empty.
func (l *linter) rule(check string, r *compiledRule, key, msg, remedy string) *Finding {
	path := r.path
	if key != "" {
		path += "." + key
	}
	l.found = append(l.found, Finding{Error: r.from.fault(path, r.Name, hinted{msg, remedy}), Check: check})
	return &l.found[len(l.found)-1]
}

// trust asks whose lines in the journal are believed.
func (l *linter) trust() {
	homeless := slices.ContainsFunc(l.pack.rules, func(r *compiledRule) bool { return len(r.units) == 0 })
	if t := &l.pack.trust; len(t.units) > 0 || t.anyUnit || !homeless {
		return
	}
	if l.pack.head.Extends != "" { // which has no say in what the pack believes
		l.add("trust", "pack.extends", "a rule reads nothing from the journal, because neither it nor the pack that is extended believes a unit",
			"give each rule of this file a unit")
		return
	}
	l.add("trust", "pack.match", "the pack reads nothing from the journal, because no unit is believed",
		"name the daemon's unit in [pack.match], or say any_unit = true")
}

// evidence asks whether somebody has thought of packets with a forged sender.
func (l *linter) evidence() {
	if l.pack.head.Evidence != "" {
		return
	}
	for _, r := range l.pack.rules {
		if r.counts() && r.file.Evidence == "" {
			l.add("evidence", "pack.name", "neither the pack nor rule "+r.Name+" says what a line proves",
				`evidence = "proven" if the peer is known by TCP or by a challenge it answered, "spoofable" if one UDP packet is enough`)
			return
		}
	}
}

// counts says that matches of the rule decide something.
func (r *compiledRule) counts() bool { return r.Event != Ignore && r.Event != Info }

// samples asks for lines that show what the rule means.
func (l *linter) samples(r *compiledRule, reached map[string]bool) {
	if len(r.samples) == 0 {
		l.rule("sample", r, "", "the rule has no sample", "add a [[rule.sample]] with a line that the daemon printed")
		return
	}
	if !slices.ContainsFunc(r.samples, func(s sample) bool { return s.Match != nil && !*s.Match }) {
		l.rule("sample", r, "", "no sample shows a line that must not match", "add a line that looks like it, with match = false")
	}
	for key, sources := range map[string][]string{"pattern": r.file.Pattern, "regex": r.file.Regex} {
		for i := range sources {
			if at := sourceOf(key, i); !reached[at] {
				l.rule("sample", r, at, fmt.Sprintf("no sample is read by %s %d", key, i+1), "add a [[rule.sample]] with a line of this kind")
			}
		}
	}
}

// reached returns the keys of the rule's patterns that read a sample.
func (l *linter) reached(r *compiledRule, own []*shape) map[string]bool {
	out := make(map[string]bool)
	for i := range r.samples {
		s := &r.samples[i]
		if s.Match != nil && !*s.Match {
			continue
		}
		if j := slices.IndexFunc(own, func(sh *shape) bool { return sh.texts(s.message()) != nil }); j >= 0 {
			out[own[j].source] = true
		}
	}
	return out
}

// minLiteral is how many bytes of literal text tell a line from others.
const minLiteral = 3

// literals asks for text to look for before anything else.
func (l *linter) literals(r *compiledRule, own []*shape) {
	for _, s := range own {
		if len(r.conditions) == 0 && !slices.ContainsFunc(s.parts, func(p part) bool { return len(p.literal) >= minLiteral }) {
			l.rule("literal", r, s.source, "no text of this pattern tells its lines from others: it is tried on every line",
				"spell out what the daemon always prints")
			return
		}
	}
}

// seed makes the lines of a rule depend on its name alone, so that a change
// elsewhere in the pack finds nothing new in it by chance.
func seed(r *compiledRule) uint64 {
	h := fnv.New64a()
	h.Write([]byte(r.Name))
	return h.Sum64()
}
