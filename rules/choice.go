package rules

import (
	"regexp/syntax"
	"slices"
)

// choice is texts of which every message of a form holds one at least.
type choice []string

const (
	// maxChoice bounds a choice.
	maxChoice = 16
	// maxLetters is how many bytes of one class are told apart: two cases of a
	// letter are a choice, ten digits tell nothing.
	maxLetters = 4
)

// choices returns what all texts hold that parts match one after the other.
func choices(parts []*syntax.Regexp) (out []choice) {
	for len(parts) > 0 {
		c, n, _ := begin(parts)
		if !slices.Contains(c, "") {
			out = append(out, c)
		}
		parts = parts[n:]
	}
	return out
}

// begin returns the texts with one of which all begin that parts match, and of how
// many of the parts they are; whole says that there is nothing else in these.
func begin(parts []*syntax.Regexp) (c choice, n int, whole bool) {
	c, whole = choice{""}, true
	for n < len(parts) && whole {
		var next, longer choice
		if next, whole = beginning(parts[n]); len(c)*len(next) > maxChoice {
			return c, n, false
		}
		for _, head := range c {
			for _, tail := range next {
				longer = append(longer, head+tail)
			}
		}
		c, n = longer, n+1
	}
	return c, n, whole
}

// beginning is begin of one part.
func beginning(re *syntax.Regexp) (c choice, whole bool) {
	switch re.Op {
	case syntax.OpLiteral:
		if text := literalText(re); text != "" {
			return choice{text}, true
		}
	case syntax.OpCharClass:
		for i := 0; i < len(re.Rune); i += 2 {
			for r := re.Rune[i]; r <= min(re.Rune[i+1], 255) && len(c) <= maxLetters; r++ {
				c = append(c, string([]byte{byte(r)}))
			}
		}
		if whole = len(c) <= maxLetters; !whole {
			c = nil
		}
	case syntax.OpCapture:
		return beginning(re.Sub[0])
	case syntax.OpConcat:
		c, _, whole = begin(re.Sub)
	case syntax.OpAlternate:
		whole = true
		for _, sub := range re.Sub {
			more, all := beginning(sub)
			c, whole = append(c, more...), whole && all
		}
	case syntax.OpQuest:
		c, whole = beginning(re.Sub[0])
		c = append(c, "")
	case syntax.OpPlus:
		c, _ = beginning(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			c, _ = beginning(re.Sub[0])
		}
	default: // it may begin with anything
	}
	if len(c) == 0 || len(c) > maxChoice {
		return choice{""}, false
	}
	return c, whole
}
