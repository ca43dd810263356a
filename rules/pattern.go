package rules

import (
	"fmt"
	"maps"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
)

// builtin are the placeholder types: what RE2 matches in their place, with
// flag s set. An address is found otherwise (see appendTokens).
var builtin = map[string]string{
	"addr":    ``,
	"callid":  `(?:\[C-[0-9a-f]{1,16}\])?`,
	"file":    `[\w.-]+`,
	"hex":     `[0-9A-Fa-f]+`,
	"int":     `[0-9]{1,20}`,
	"ip":      `[0-9A-Fa-f:.]+(?:%[\w.-]+)?`,
	"port":    `[0-9]{1,5}`,
	"quoted":  `[^"]*`,
	"squoted": `[^']*`,
	"text":    `.*`,
	"uri":     `[^\s<>"]+`,
	"user":    `.*`,
	"word":    `\S+`,
}

// grammar is what the placeholders of one pack mean.
type grammar struct {
	types  map[string]string   // name → RE2
	define map[string][]string // name → alternatives, as patterns
	// guaranteed are the types that the daemon itself holds clients to.
	guaranteed []string
	halves     *halves // of what the rules read
}

// names are all that may stand between < and >.
func (g *grammar) names() []string {
	names := slices.Concat(slices.Collect(maps.Keys(builtin)), slices.Collect(maps.Keys(g.types)), slices.Collect(maps.Keys(g.define)))
	slices.Sort(names)
	return names
}

// piece is a literal or a placeholder of a pattern.
type piece struct {
	literal    string
	name, kind string // <name:kind>
}

// isName says that s may be the name of a placeholder, a type or a definition.
func isName(s string) bool {
	for i := range len(s) {
		if b := s[i]; b != '_' && (b|0x20 < 'a' || 'z' < b|0x20) && (i == 0 || b < '0' || '9' < b) {
			return false
		}
	}
	return s != ""
}

// pieces splits a pattern.
func pieces(pattern string) ([]piece, error) {
	var out []piece
	literal := ""
	for pattern != "" {
		i := strings.IndexByte(pattern, '<')
		if i < 0 {
			i = len(pattern)
		}
		literal += pattern[:i]
		if pattern = pattern[i:]; pattern == "" {
			break
		}
		if strings.HasPrefix(pattern, "<<") {
			literal += "<"
			pattern = pattern[2:]
			continue
		}
		end := strings.IndexByte(pattern, '>')
		if end < 0 {
			return nil, hinted{fmt.Sprintf("%q has no end", pattern), "write << for a < that is meant"}
		}
		inner := pattern[1:end]
		pattern = pattern[end+1:]
		name, kind, named := strings.Cut(inner, ":")
		if !named {
			name, kind = "", inner
		}
		if !isName(kind) || named && !isName(name) {
			return nil, hinted{fmt.Sprintf("<%s> is no placeholder", inner), "write << for a < that is meant"}
		}
		if literal != "" {
			out = append(out, piece{literal: literal})
			literal = ""
		}
		out = append(out, piece{name: name, kind: kind})
	}
	if literal != "" {
		out = append(out, piece{literal: literal})
	}
	return out, nil
}

// translate returns the expressions whose union a pattern is: one, unless it
// uses a definition with several alternatives that name something.
func (g *grammar) translate(pattern string) ([]string, error) {
	return g.expand(pattern, true)
}

func (g *grammar) expand(pattern string, outer bool) ([]string, error) {
	parts, err := pieces(pattern)
	if err != nil {
		return nil, err
	}
	out := []string{""}
	for _, p := range parts {
		var alternatives []string
		switch expr, ok := g.lookup(p.kind); {
		case p.kind == "":
			alternatives = []string{latin1(regexp.QuoteMeta(p.literal))}
		case p.kind == "addr":
			alternatives = []string{"(?P<addr>)"}
		case ok && p.name != "":
			alternatives = []string{"(?P<" + p.name + ">" + expr + ")"}
		case ok:
			alternatives = []string{"(?:" + expr + ")"}
		case g.define[p.kind] != nil && !outer:
			return nil, hinted{fmt.Sprintf("<%s> is a definition too", p.kind), "definitions use types only"}
		case g.define[p.kind] != nil && p.name != "":
			return nil, hinted{fmt.Sprintf("<%s:%s> names a definition", p.name, p.kind), "name the placeholders within it"}
		case g.define[p.kind] != nil:
			if alternatives, err = g.alternatives(p.kind); err != nil {
				return nil, err
			}
		default:
			return nil, unknown("placeholder type", p.kind, g.names())
		}
		if len(out)*len(alternatives) > maxAlternatives {
			return nil, fmt.Errorf("more than %d alternatives", maxAlternatives)
		}
		var longer []string
		for _, head := range out {
			for _, a := range alternatives {
				longer = append(longer, head+a)
			}
		}
		out = longer
	}
	return out, nil
}

// maxAlternatives bounds what one pattern expands to.
const maxAlternatives = 64

// lookup returns the expression of a type.
func (g *grammar) lookup(kind string) (string, bool) {
	expr, ok := g.types[kind]
	if !ok {
		expr, ok = builtin[kind]
	}
	return latin1(expr), ok
}

// alternatives returns the expressions of a definition. They are one expression
// unless one of them names something.
func (g *grammar) alternatives(name string) ([]string, error) {
	var out []string
	for _, pattern := range g.define[name] {
		exprs, err := g.expand(pattern, false)
		if err != nil {
			return nil, fmt.Errorf("<%s>: %w", name, err)
		}
		out = append(out, exprs...)
	}
	if len(out) > 1 && !slices.ContainsFunc(out, func(expr string) bool { return strings.Contains(expr, "(?P<") }) {
		out = []string{"(?:" + strings.Join(out, "|") + ")"}
	}
	return out, nil
}

// parseExpression reads an expression over bytes.
func parseExpression(expr string) (*syntax.Regexp, error) {
	return syntax.Parse(expr, syntax.Perl|syntax.DotNL)
}

// latin1 spells each byte of s as one character, as messages are read: patterns
// are about bytes, whatever encoding their text is in.
func latin1(s string) string {
	runes := make([]rune, len(s))
	for i := range len(s) {
		runes[i] = rune(s[i])
	}
	return string(runes)
}
