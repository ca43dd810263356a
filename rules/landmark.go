package rules

import (
	"bytes"
	"regexp/syntax"
	"slices"
)

const (
	// longMessage is from where on addresses packed side by side cost more than to
	// look for what stands behind the one that is meant.
	longMessage = 512
	// fewMarks is how often that may stand in it for this to cost less.
	fewMarks = 32
	// nearMark is how far apart the nearest and the furthest end of an address may be that
	// a landmark stands behind.
	nearMark = 16
)

// landmark is a text that stands near behind the address of a form: from least to most
// bytes behind its end.
type landmark struct {
	text        []byte
	least, most int
}

// landmarkOf returns the longest text that tells where the address before parts ends: of
// "<addr> port <port>: Change of" that is ": Change of", since a client can write an address
// and a port as often as there is room.
func landmarkOf(parts []*syntax.Regexp) (m landmark) {
	least, most := 0, 0
	for _, part := range parts {
		if text := literalText(part); len(text) > len(m.text) {
			m = landmark{[]byte(text), least, most}
		}
		least, most = least+shortest(part), most+longest(part)
		if most-least > nearMark {
			break
		}
	}
	return m
}

// near does what standing does, at the places from low on that the form's landmark tells;
// false if they are many.
func (f *form) near(s *scratch, behind *walk, low int) bool {
	ends, ok := f.ends(s, low)
	for _, end := range slices.Backward(ends) {
		if behind.ended() {
			break
		}
		for _, t := range s.around.before(s.msg, end) {
			if t.end == end && behind.accepts(len(s.msg)-end) {
				s.standing = append(s.standing, t)
			}
		}
	}
	return ok
}

// ends returns the places from low on where an address may end by the landmark, in order;
// false if they are many, or no address need end there. They are valid until the next call.
func (f *form) ends(s *scratch, low int) ([]int, bool) {
	m := &f.mark
	if len(f.right) < gram || inAddress(f.right[0]) {
		return nil, false
	}
	s.ends = s.ends[:0]
	from := low + m.least
	for range fewMarks {
		if from > len(s.msg) {
			return s.ends, true
		}
		i := bytes.Index(s.msg[from:], m.text)
		if i < 0 {
			return s.ends, true
		}
		at := from + i
		for end := max(low, at-m.most); end <= at-m.least; end++ {
			if f.follows(s.msg[end:]) {
				s.ends = append(s.ends, end)
			}
		}
		low = max(low, at-m.least+1)
		from = at + 1
	}
	return nil, false
}
