package rules

import (
	"regexp/syntax"
	"slices"
)

// capture finds what a named placeholder stands for in a message whose address is
// known. Where it can be read in several ways, it is the one that begins first, and
// of those the longest.
type capture struct {
	behind bool // it stands behind the address
	// head reads what precedes the placeholder in its half, tail (from the
	// end) what follows it.
	head, tail *half
	// Unless any text can stand there, self reads it, and rest, from the end,
	// it and what follows it.
	self, rest *half
	// within is the most bytes of a message up to its end.
	within int
}

// newCapture makes the capture of the group name, nil if neither half has it.
func newCapture(before, after []*syntax.Regexp, name string, known *halves) *capture {
	isNamed := func(p *syntax.Regexp) bool { return p.Op == syntax.OpCapture && p.Name == name }
	c, side := &capture{}, before
	at := slices.IndexFunc(side, isNamed)
	if at < 0 {
		c.behind, side = true, after
		if at = slices.IndexFunc(side, isNamed); at < 0 {
			return nil
		}
		c.within = longest(before...) + longestAddress
	}
	c.within = min(c.within+longest(side[:at+1]...), unbounded)
	c.head = known.of(side[:at], false)
	c.tail = known.of(side[at+1:], true)
	if !isText(side[at]) {
		c.self = known.of(side[at:at+1], false)
		c.rest = known.of(side[at:], true)
	}
	return c
}

// capture has the rule know what the placeholder name stands for, because its key asks
// for it, and returns its index in captures; -1 if name is empty.
func (r *compiledRule) capture(name, key string) int {
	if name == "" {
		return -1
	}
	i := slices.Index(r.captures, name)
	if i < 0 {
		i = len(r.captures)
		r.captures, r.askedBy = append(r.captures, name), append(r.askedBy, key)
	}
	return i
}

// half is the part of msg, whose address stands at t, that the placeholder stands
// in.
func (c *capture) half(msg []byte, t token) []byte {
	if c.behind {
		return msg[t.end:]
	}
	return msg[:t.start]
}

// find returns what the placeholder stands for in msg, whose address stands at t.
func (c *capture) find(msg []byte, t token) []byte {
	half := c.half(msg, t)
	begin, behind := c.head.first(half), c.tail.first(half)
	if begin < 0 || behind < 0 {
		return nil
	}
	end := len(half) - behind
	if begin <= end && (c.self == nil || c.self.matches(half[begin:end])) {
		return half[begin:end]
	}
	if c.self == nil {
		return nil
	}
	begin, _ = c.begins(half)
	if begin < 0 {
		return nil
	}
	end, _ = c.ends(half, begin)
	return half[begin:end]
}

// only returns what find does, if there is no other way to read it. Any text must
// not be able to stand there.
func (c *capture) only(msg []byte, t token) ([]byte, bool) {
	half := c.half(msg, t)
	begin, n := c.begins(half)
	if n != 1 {
		return nil, false
	}
	end, n := c.ends(half, begin)
	return half[begin:end], n == 1
}

// begins returns the first place where the placeholder can begin, -1 if there is
// none, and how many there are.
func (c *capture) begins(half []byte) (begin, n int) {
	begin = -1
	rest, head := c.rest.all(half), c.head.walk(half)
	for p := 0; p <= len(half) && !head.ended(); p++ {
		if head.accepts(p) && rest[len(half)-p] {
			if n++; begin < 0 {
				begin = p
			}
		}
	}
	return begin, n
}

// ends returns the last place where the placeholder that begins at begin can end,
// and how many there are.
func (c *capture) ends(half []byte, begin int) (end, n int) {
	end = begin
	tail, self := c.tail.all(half), c.self.walk(half[begin:])
	for p := 0; p <= len(half)-begin && !self.ended(); p++ {
		if self.accepts(p) && tail[len(half)-begin-p] {
			end, n = begin+p, n+1
		}
	}
	return end, n
}
