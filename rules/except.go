package rules

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// exception is values of one placeholder with which a rule does not match.
type exception struct {
	capture  int // -1: the address
	prefixes []netip.Prefix
	globs    []*automaton
	// texts are what values of the globs hold, one for each; empty where they need
	// not hold any.
	texts [][]byte
}

// possible says cheaply whether a value in places could be one of the exception's.
func (x *exception) possible(places []place) bool {
	for _, text := range x.texts {
		for i := range places {
			if bytes.Contains(places[i].text, text) {
				return true
			}
		}
	}
	return false
}

// excepts says that an exception of the rule holds for what was read in places, with
// addr as the address if there is one.
func (r *compiledRule) excepts(places []place, addr netip.Addr) bool {
	for i := range r.unless {
		x := &r.unless[i]
		if x.capture < 0 {
			if slices.ContainsFunc(x.prefixes, func(p netip.Prefix) bool { return p.Contains(addr) }) {
				return true
			}
			continue
		}
		// To find a value takes a good part of the time of a line that matches. The name
		// of an account is another text than stands there.
		if x.capture != r.account && !x.possible(places) {
			continue
		}
		value, ok := valueOf(places, x.capture)
		if ok && x.capture == r.account {
			value = accountName(value)
		}
		if ok && slices.ContainsFunc(x.globs, func(glob *automaton) bool { return glob.matches(value) }) {
			return true
		}
	}
	return false
}

// exceptions compiles the table unless. It comes before the patterns are compiled,
// because it says what is to be captured.
func (r *ruleFile) exceptions(c *compiledRule, bad func(string, error)) {
	for _, name := range slices.Sorted(maps.Keys(r.Unless)) {
		key, values := "unless."+name, r.Unless[name]
		if !isName(name) {
			bad(key, hinted{fmt.Sprintf("%q is not the name of a placeholder", name), `write unless.NAME = "value" for <NAME:type>`})
			continue
		}
		if len(values) == 0 {
			bad(key, errors.New("unless names no value"))
		}
		x := exception{capture: -1}
		if name != "addr" {
			x.capture = c.capture(name, key)
		}
		for _, v := range values {
			var err error
			if name == "addr" {
				x.prefixes, err = appendPrefix(x.prefixes, v)
			} else {
				x.globs, err = appendGlob(x.globs, v)
				x.texts = append(x.texts, globText(v))
			}
			if err != nil {
				bad(key, err)
			}
		}
		c.unless = append(c.unless, x)
	}
}

// appendPrefix appends an address or a prefix.
func appendPrefix(list []netip.Prefix, text string) ([]netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	if addr, err2 := netip.ParseAddr(text); err2 == nil && addr.Zone() == "" {
		p, err = addr.Unmap().Prefix(addr.Unmap().BitLen())
	}
	switch {
	case err != nil || p.Addr().Is4In6():
		return list, hinted{fmt.Sprintf("%q is no address and no prefix", text), `write "192.0.2.7" or "192.0.2.0/24"`}
	case p != p.Masked():
		return list, hinted{fmt.Sprintf("%q has bits behind its prefix", text), fmt.Sprintf("write %q", p.Masked())}
	}
	return append(list, p), nil
}

// appendGlob appends what matches a glob: * is any text, ? one byte, […] one byte of
// those named, and \ takes the meaning of what follows.
func appendGlob(list []*automaton, glob string) ([]*automaton, error) {
	expr, err := translateGlob(glob)
	if err != nil {
		return list, hinted{fmt.Sprintf("%q is no glob: %v", glob, err), `write \ before a *, ?, [ or \ that is meant`}
	}
	parts, err := parseExpression(expr)
	if err != nil {
		return list, fmt.Errorf("%q is no glob: %w", glob, err)
	}
	a, err := newAutomaton(flatten(parts, nil, nil), false)
	if err != nil {
		return list, hinted{fmt.Sprintf("there are too many ways to read %q", glob), "take fewer *"}
	}
	return append(list, a), nil
}

// globText returns a text that whatever matches a glob holds, the longest that is easy
// to find.
func globText(glob string) []byte {
	if strings.Contains(glob, "[") {
		return nil
	}
	longest := ""
	for _, run := range strings.FieldsFunc(glob, func(r rune) bool { return r == '*' || r == '?' || r == '\\' }) {
		if len(run) > len(longest) {
			longest = run
		}
	}
	return []byte(longest)
}

// translateGlob returns the expression over bytes that a glob is.
func translateGlob(glob string) (string, error) {
	var expr strings.Builder
	one := func(b byte) string { return fmt.Sprintf(`\x%02x`, b) }
	for i := 0; i < len(glob); i++ {
		switch b := glob[i]; b {
		case '*':
			expr.WriteString(".*")
		case '?':
			expr.WriteByte('.')
		case '[':
			end := strings.IndexByte(glob[i:], ']')
			if end < 0 {
				return "", errors.New("a [ is not closed")
			}
			set := glob[i+1 : i+end]
			i += end
			expr.WriteByte('[')
			if rest, negated := strings.CutPrefix(set, "^"); negated {
				expr.WriteByte('^')
				set = rest
			}
			if set == "" {
				return "", errors.New("a […] is empty")
			}
			for set != "" {
				low := set[0]
				if len(set) > 2 && set[1] == '-' {
					if set[2] < low {
						return "", fmt.Errorf("%s is no range", set[:3])
					}
					expr.WriteString(one(low) + "-" + one(set[2]))
					set = set[3:]
				} else {
					expr.WriteString(one(low))
					set = set[1:]
				}
			}
			expr.WriteByte(']')
		case '\\':
			if i++; i == len(glob) {
				return "", errors.New(`a \ is the end`)
			}
			expr.WriteString(one(glob[i]))
		default:
			expr.WriteString(one(b))
		}
	}
	return expr.String(), nil
}
