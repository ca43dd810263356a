package rules

import (
	"regexp/syntax"
	"slices"
	"strings"
)

// shadows looks for patterns that can never win, because what is asked before
// reads all that they read. A pattern that reads a sample is none.
func (l *linter) shadows(r *compiledRule, own []*shape, reached map[string]bool) {
	for i := 0; i < len(own); {
		source := own[i].source
		var by *shape
		n, hidden := 0, 0
		for ; i < len(own) && own[i].source == source; i++ {
			if n++; reached[source] {
				continue
			}
			if other := l.shadow(own[i]); other != nil {
				by = other
				hidden++
			}
		}
		if hidden == 0 || hidden < n {
			continue
		}
		who := "rule " + by.rule.Name
		if by.rule == r {
			who = by.source + " of this rule"
		}
		l.rule("shadowed", r, source, "this pattern never wins: "+who+" reads all that it reads, and is asked first",
			"leave one of them out, or put the narrower one first")
	}
}

// shadow returns the first shape that is asked before s and reads all that s reads,
// nil if there is none.
func (l *linter) shadow(s *shape) *shape {
	before := true
	for _, other := range l.shapes {
		if other.rule == s.rule && other.source == s.source {
			before = false // what follows is asked later, unless it says ignore
			continue
		}
		ignores := other.rule.Event == Ignore && s.rule.Event != Ignore
		if (before && (other.rule.Event == Ignore || s.rule.Event != Ignore) || ignores) && other.shadows(s) {
			return other
		}
	}
	return nil
}

// shadows says that s reads all that t reads, wherever t is asked and whoever
// writes it.
func (s *shape) shadows(t *shape) bool {
	for _, id := range t.rule.identifiers {
		if !slices.Contains(s.rule.identifiers, id) {
			return false
		}
	}
	if len(s.rule.conditions) > 0 || len(s.rule.unless) > 0 || len(s.rule.units) > 0 || s.addr >= 0 && t.addr < 0 || s.rule.cut != t.rule.cut {
		return false
	}
	if a, b := s.literal(0), t.literal(0); !strings.HasPrefix(a, b) && !strings.HasPrefix(b, a) {
		return false
	}
	sb, sa := s.halves()
	tb, ta := t.halves()
	switch {
	case s.addr >= 0:
		return included(tb, sb) && included(ta, sa)
	case t.addr >= 0: // s reads the message as a whole
		return included(slices.Concat(tb, []*syntax.Regexp{anyAddress}, ta), sb)
	}
	return included(tb, sb)
}

var anyAddress, _ = parseExpression(addressText)

// included says that all texts of parts are texts of others.
func included(parts, others []*syntax.Regexp) bool {
	n, err := newNFA(parts, false)
	if err != nil {
		return false
	}
	m, err := newNFA(others, false)
	return err == nil && n.within(m)
}
