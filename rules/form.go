package rules

import (
	"fmt"
	"regexp/syntax"
	"slices"
)

// form is one way to read a message: what stands before the address and what
// stands behind it.
type form struct {
	rule *compiledRule
	// before reads what precedes the address, or the whole message if the
	// form has none; after, from the end, what follows it, nil if there is no
	// address.
	before, after *automaton
	// within is the most bytes that can precede the address.
	within  int
	account *account
	// literals are texts that every message of the form holds.
	literals []string
}

// newForm makes the form of one expression in which the group addr marks the
// address, and the group account, if that is not empty, the account.
func newForm(expr, accountGroup string) (*form, error) {
	re, err := parseExpression(expr)
	if err != nil {
		return nil, err
	}
	parts := trimAnchors(flatten(re, accountGroup, nil))
	for _, p := range parts {
		if err := checkGroups(p, accountGroup); err != nil {
			return nil, err
		}
	}
	isAddr := func(p *syntax.Regexp) bool { return p.Op == syntax.OpCapture && p.Name == "addr" }
	f := &form{}
	before, after := parts, []*syntax.Regexp(nil)
	at := slices.IndexFunc(parts, isAddr)
	if at >= 0 {
		before, after = parts[:at], parts[at+1:]
		if slices.ContainsFunc(after, isAddr) {
			return nil, hinted{"two addresses are one too many", "take <ip> for an address that is not the peer's"}
		}
		if f.after, err = newAutomaton(after, true); err != nil {
			return nil, err
		}
		f.literals = literals(after)
	}
	if f.before, err = newAutomaton(before, false); err != nil {
		return nil, err
	}
	f.literals = append(f.literals, literals(before)...)
	for _, p := range before {
		f.within = min(f.within+longest(p), unbounded)
	}
	if accountGroup != "" {
		if f.account, err = newAccount(before, after, accountGroup); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// flatten appends the parts that re is a sequence of. Groups are parts if their
// names matter, and otherwise what they hold.
func flatten(re *syntax.Regexp, accountGroup string, dst []*syntax.Regexp) []*syntax.Regexp {
	switch {
	case re.Op == syntax.OpConcat:
		for _, sub := range re.Sub {
			dst = flatten(sub, accountGroup, dst)
		}
		return dst
	case re.Op == syntax.OpCapture && re.Name != "addr" && (re.Name == "" || re.Name != accountGroup):
		return flatten(re.Sub[0], accountGroup, dst)
	case re.Op == syntax.OpEmptyMatch:
		return dst
	}
	return append(dst, re)
}

// trimAnchors leaves out ^ at the start and $ at the end, which say nothing: a
// form is held against the whole message.
func trimAnchors(parts []*syntax.Regexp) []*syntax.Regexp {
	if len(parts) > 0 && parts[0].Op == syntax.OpBeginText {
		parts = parts[1:]
	}
	if n := len(parts); n > 0 && parts[n-1].Op == syntax.OpEndText {
		parts = parts[:n-1]
	}
	return parts
}

// checkGroups refuses groups that matter anywhere but in the sequence of parts.
func checkGroups(part *syntax.Regexp, accountGroup string) error {
	for _, sub := range part.Sub {
		if sub.Op == syntax.OpCapture && (sub.Name == "addr" || accountGroup != "" && sub.Name == accountGroup) {
			return hinted{
				fmt.Sprintf("group %s stands within another group, an alternative or a repetition", sub.Name),
				"write one alternative for each place it can stand in",
			}
		}
		if err := checkGroups(sub, accountGroup); err != nil {
			return err
		}
	}
	return nil
}

// literals returns the texts that parts consist of besides expressions.
func literals(parts []*syntax.Regexp) []string {
	var out []string
	text := ""
	for _, p := range parts {
		if p.Op == syntax.OpLiteral && p.Flags&syntax.FoldCase == 0 {
			for _, r := range p.Rune {
				text += string([]byte{byte(r)})
			}
			continue
		}
		if text != "" {
			out = append(out, text)
		}
		text = ""
	}
	if text != "" {
		out = append(out, text)
	}
	return out
}

// scratch is what reading one message needs, used again for the next.
type scratch struct {
	candidates []uint64 // bits of forms
	tokens     []token  // of the message, once tokenized is set
	tokenized  bool
	left       []token
}

// positions returns the address positions of msg.
func (s *scratch) positions(msg []byte) []token {
	if !s.tokenized {
		s.tokens = appendTokens(s.tokens[:0], msg)
		s.tokenized = true
	}
	return s.tokens
}

// readings returns the addresses that f can be read with, in order of position.
// They are valid until the next call.
func (f *form) readings(msg []byte, s *scratch) []token {
	if !f.before.begins(msg) || !f.after.begins(msg) {
		return nil
	}
	s.left = s.left[:0]
	behind := f.after.walk(msg)
	tokens := s.positions(msg)
	for i := len(tokens) - 1; i >= 0; i-- {
		if behind.accepts(len(msg) - tokens[i].end) {
			s.left = append(s.left, tokens[i])
		} else if behind.ended() {
			break
		}
	}
	slices.Reverse(s.left)
	ahead := f.before.walk(msg)
	kept := s.left[:0]
	for _, t := range s.left {
		if ahead.accepts(t.start) {
			kept = append(kept, t)
		} else if ahead.ended() {
			break
		}
	}
	return kept
}
