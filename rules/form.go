package rules

import (
	"bytes"
	"fmt"
	"net/netip"
	"regexp/syntax"
	"slices"
	"sync"
)

// form is one way to read a message: what stands before the address and what
// stands behind it.
type form struct {
	rule *compiledRule

	// What it is made of, when make is first called: an expression in which the
	// group addr marks the address, and those with these names what is wanted
	// besides.
	expr   string
	names  []string
	halves *halves
	making sync.Once
	err    error

	// before reads what precedes the address, or the whole message if the
	// form has none; after, from the end, what follows it, nil if there is no
	// address.
	before, after *half
	// enough is how long a text that was cut must be, so that what the form
	// reads in it cannot be another in the whole text.
	enough int
	// within and behind are the most bytes that can precede the address and
	// follow it.
	within, behind int
	// left and right are the literal text right beside the address, mark that by which
	// its end is found in a long message.
	left, right []byte
	mark        landmark
	// captures find what the rule wants to know besides, nil where the form
	// does not have it; they are in the order of the rule's captures.
	captures []*capture
	// holds is what every message of the form holds: a text of each choice.
	holds []choice
}

// make makes the form, but for its automata. An error is always the same.
func (f *form) make() error {
	f.making.Do(func() {
		f.err = f.parse()
		f.expr, f.halves = "", nil
	})
	return f.err
}

// ready makes the form of a rule that was checked, by Parse or by the tests.
func (f *form) ready() {
	if err := f.make(); err != nil {
		panic(fmt.Sprintf("%s: %v", f.rule, err))
	}
}

// check makes the form with all that a message may ask for.
func (f *form) check() error {
	if err := f.make(); err != nil {
		return err
	}
	all := []*half{f.before, f.after}
	for _, c := range f.captures {
		if c != nil {
			all = append(all, c.head, c.tail, c.self, c.rest)
		}
	}
	for _, h := range all {
		if err := h.check(); err != nil {
			return err
		}
	}
	return nil
}

// parse splits the expression at the address.
func (f *form) parse() error {
	re, err := parseExpression(f.expr)
	if err != nil {
		return err
	}
	parts := trimAnchors(flatten(re, f.names, nil))
	for _, p := range parts {
		if err := checkGroups(p, f.names); err != nil {
			return err
		}
	}
	isAddr := func(p *syntax.Regexp) bool { return p.Op == syntax.OpCapture && p.Name == "addr" }
	before, after := parts, []*syntax.Regexp(nil)
	at := slices.IndexFunc(parts, isAddr)
	if at >= 0 {
		before, after = parts[:at], parts[at+1:]
		if slices.ContainsFunc(after, isAddr) {
			return hinted{"two addresses are one too many", "take <ip> for an address that is not the peer's"}
		}
		f.after = f.halves.of(after, true)
		f.holds = choices(after)
		if len(before) > 0 {
			f.left = []byte(literalText(before[len(before)-1]))
		}
		if len(after) > 0 {
			f.right = []byte(literalText(after[0]))
			f.mark = landmarkOf(after)
		}
	}
	f.before = f.halves.of(before, false)
	f.holds = append(f.holds, choices(before)...)
	f.within, f.behind = longest(before...), longest(after...)
	if f.after != nil {
		f.enough = f.within + longestAddress
	}
	for _, name := range f.names {
		f.captures = append(f.captures, newCapture(before, after, name, f.halves))
	}
	if f.rule != nil {
		for _, i := range f.rule.keys() { // a cut may have shortened a key, or moved it
			if c := f.captures[i]; c != nil {
				f.enough = max(f.enough, c.within)
			}
		}
	}
	return nil
}

// flatten appends the parts that re is a sequence of. Groups are parts if their
// names matter, and otherwise what they hold.
func flatten(re *syntax.Regexp, names []string, dst []*syntax.Regexp) []*syntax.Regexp {
	switch {
	case re.Op == syntax.OpConcat:
		for _, sub := range re.Sub {
			dst = flatten(sub, names, dst)
		}
		return dst
	case re.Op == syntax.OpCapture && re.Name != "addr" && !slices.Contains(names, re.Name):
		return flatten(re.Sub[0], names, dst)
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
func checkGroups(part *syntax.Regexp, names []string) error {
	for _, sub := range part.Sub {
		if sub.Op == syntax.OpCapture && (sub.Name == "addr" || slices.Contains(names, sub.Name)) {
			return hinted{
				fmt.Sprintf("group %s stands within another group, an alternative or a repetition", sub.Name),
				"write one alternative for each place it can stand in",
			}
		}
		if err := checkGroups(sub, names); err != nil {
			return err
		}
	}
	return nil
}

// literalText returns the one text that part matches, "" if there are more.
func literalText(part *syntax.Regexp) string {
	if part.Op != syntax.OpLiteral || part.Flags&syntax.FoldCase != 0 {
		return ""
	}
	b := make([]byte, len(part.Rune))
	for i, r := range part.Rune {
		b[i] = byte(r)
	}
	return string(b)
}

// scratch is what reading one message needs, used again for the next.
type scratch struct {
	candidates []uint64 // bits of forms
	positions
	tails    []tail
	standing []token
	found    []reading
	spelled  []reading // some of them, spelled differently
	fields   fields    // of rules that have conditions on them
	// places are what the form that is being tried reads, kept what the first
	// one did.
	places, kept []place
	addrs        [MaxCandidates]reading // of the verdict
	key          []byte                 // what a session is called
	// Of a long message: the ends of one form, and the positions before one of them.
	long   bool
	ends   []int
	around positions
}

// fewSpelled is how many texts are compared before one is read as an address.
const fewSpelled = 4

// reading is an address and where it stands.
type reading struct {
	token
	addr netip.Addr
}

// tail is what a half behind the address has read of the message: it can stand in
// scratch.standing[from:to].
type tail struct {
	half     *half
	from, to int
}

// reset makes s ready for another message.
func (s *scratch) reset(msg []byte) {
	s.positions.reset(msg)
	s.long = len(msg) >= longMessage
	s.tails, s.standing = s.tails[:0], s.standing[:0]
}

// readings returns the addresses that f can be read with, in order of position.
// They are valid until the next call.
func (f *form) readings(s *scratch) []reading {
	msg := s.msg
	before := f.before.automaton()
	if !before.begins(msg) || !f.after.automaton().begins(msg) {
		return nil
	}
	s.found, s.spelled = s.found[:0], s.spelled[:0]
	ahead := before.walk(msg)
	for _, t := range f.standing(s) {
		if !bytes.HasSuffix(msg[:t.start], f.left) || !ahead.accepts(t.start) {
			continue
		}
		if addr, ok := s.addr(t); ok {
			s.found = append(s.found, reading{t, addr})
		}
	}
	return s.found
}

// addr returns the address of t. A client that repeats one has it read once.
func (s *scratch) addr(t token) (netip.Addr, bool) {
	text := s.msg[t.from:t.to]
	for _, r := range s.spelled {
		if string(s.msg[r.from:r.to]) == string(text) {
			return r.addr, true
		}
	}
	addr, ok := t.addr(s.msg)
	if ok && len(s.spelled) < fewSpelled {
		s.spelled = append(s.spelled, reading{t, addr})
	}
	return addr, ok
}

// standing returns the positions behind which the form reads the message, in order. The
// half that does is asked once for all forms that have it.
func (f *form) standing(s *scratch) []token {
	for _, t := range s.tails {
		if t.half == f.after {
			return s.standing[t.from:t.to]
		}
	}
	msg, from := s.msg, len(s.standing)
	behind := f.after.walk(msg)
	add := func(t token) {
		if f.follows(msg[t.end:]) && behind.accepts(len(msg)-t.end) {
			s.standing = append(s.standing, t)
		}
	}
	low := max(0, len(msg)-f.behind)
	done := s.long && f.near(s, &behind, low)
	for i := 0; !done && !behind.ended(); i++ {
		t, ok := s.at(i, low)
		if !ok {
			break
		}
		add(t)
		if len(f.right) > 0 && f.right[0] == ':' {
			if t, ok = t.withoutPort(msg); ok && t.end >= low {
				add(t)
			}
		}
	}
	s.tails = append(s.tails, tail{f.after, from, len(s.standing)})
	standing := s.standing[from:]
	slices.SortFunc(standing, func(a, b token) int { return a.start - b.start })
	return standing
}

// follows says whether text begins with what the form has right behind the address:
// most positions in a text that tries to confuse us fail here, and at the first bytes.
func (f *form) follows(text []byte) bool {
	if len(text) < len(f.right) {
		return false
	}
	for i, b := range f.right {
		if text[i] != b {
			return false
		}
	}
	return true
}
