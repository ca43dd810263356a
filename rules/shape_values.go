package rules

import (
	"math/rand/v2"
	"regexp/syntax"
)

// daemons are the types that a daemon fills by itself: numbers, addresses and
// names of its own files and calls.
var daemons = map[string][]string{
	"callid": {"", "[C-0000001a]"},
	"file":   {"auth.c", "handle_request", "main"},
	"hex":    {"7f2118000de0", "1a"},
	"int":    {"0", "1", "17", "29058"},
	"ip":     {"203.0.113.10", "2001:db8::10"},
	"port":   {"22", "5060", "47495"},
}

// plain is what a client usually writes.
var plain = []string{"admin", "root", "alice", "bob@example.org", "1000", "", "anna maria", "sip:101@pbx.example.org"}

// nameBytes are the bytes of names that programs have for themselves.
var nameBytes = func() (s byteSet) {
	for b := range 256 {
		if c := byte(b); letters[c] && c < 0x80 || c == '-' || c == '.' {
			s.add(c)
		}
	}
	return s
}()

// beyond says that s holds more than t.
func (s *byteSet) beyond(t byteSet) bool {
	for i := range s {
		if s[i]&^t[i] != 0 {
			return true
		}
	}
	return false
}

// admits returns the bytes that may stand anywhere in what re matches.
func admits(re *syntax.Regexp) (s byteSet) {
	add := func(t *byteSet) {
		for i := range s {
			s[i] |= t[i]
		}
	}
	switch re.Op {
	case syntax.OpLiteral:
		for _, r := range re.Rune {
			add(runeSet(r, re.Flags&syntax.FoldCase != 0))
		}
	case syntax.OpCharClass:
		add(classSet(re.Rune))
	case syntax.OpAnyChar:
		add(classSet([]rune{0, 255}))
	case syntax.OpAnyCharNotNL:
		add(classSet([]rune{0, '\n' - 1, '\n' + 1, 255}))
	default: // no byte of its own
	}
	for _, sub := range re.Sub {
		t := admits(sub)
		add(&t)
	}
	return s
}

// appendText appends some text that re matches.
func appendText(b []byte, re *syntax.Regexp, rng *rand.Rand) []byte {
	times := func(least int) {
		for range least + rng.IntN(4) {
			b = appendText(b, re.Sub[0], rng)
		}
	}
	switch re.Op {
	case syntax.OpLiteral:
		for _, r := range re.Rune {
			b = append(b, byte(r))
		}
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b = append(b, anyOf(admits(re), rng))
	case syntax.OpStar:
		times(0)
	case syntax.OpPlus:
		times(1)
	case syntax.OpQuest:
		if rng.IntN(2) == 0 {
			b = appendText(b, re.Sub[0], rng)
		}
	case syntax.OpAlternate:
		b = appendText(b, re.Sub[rng.IntN(len(re.Sub))], rng)
	default:
		for _, sub := range re.Sub {
			b = appendText(b, sub, rng)
		}
	}
	return b
}

// anyOf returns a byte of the set, a letter or a digit if there is one.
func anyOf(s byteSet, rng *rand.Rand) byte {
	const usual = "abcdefghijklmnopqrstuvwxyz0123456789"
	for i, n := rng.IntN(len(usual)), 0; n < len(usual); n++ {
		if c := usual[(i+n)%len(usual)]; s.has(c) {
			return c
		}
	}
	for i, n := rng.IntN(256), 0; n < 256; n++ {
		if c := byte(i + n); s.has(c) {
			return c
		}
	}
	return 0
}
