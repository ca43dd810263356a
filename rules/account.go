package rules

import (
	"regexp/syntax"
	"slices"
	"strings"
)

// MaxAccount is how many bytes of an account are kept.
const MaxAccount = 256

// account finds the account of a message whose address is known. Where it can
// be read in several ways, it is the one that begins first, and of those the
// longest.
type account struct {
	behind bool // it stands behind the address
	// head reads what precedes the account in its half, tail (from the end)
	// what follows it.
	head, tail *automaton
	// Unless any text is an account, self reads one, and rest, from the end,
	// the account and what follows it.
	self, rest *automaton
}

// newAccount makes the account of a form that has the group name in one half.
func newAccount(before, after []*syntax.Regexp, name string) (*account, error) {
	isAccount := func(p *syntax.Regexp) bool { return p.Op == syntax.OpCapture && p.Name == name }
	a, half := &account{}, before
	at := slices.IndexFunc(half, isAccount)
	if at < 0 {
		a.behind, half = true, after
		if at = slices.IndexFunc(half, isAccount); at < 0 {
			return nil, nil
		}
	}
	var err error
	make := func(parts []*syntax.Regexp, backward bool) (m *automaton) {
		if err == nil {
			m, err = newAutomaton(parts, backward)
		}
		return m
	}
	a.head = make(half[:at], false)
	a.tail = make(half[at+1:], true)
	if !isText(half[at]) {
		a.self = make(half[at:at+1], false)
		a.rest = make(half[at:], true)
	}
	return a, err
}

// find returns the account in msg, whose address stands at t.
func (a *account) find(msg []byte, t token) []byte {
	half := msg[:t.start]
	if a.behind {
		half = msg[t.end:]
	}
	begin, behind := a.head.first(half), a.tail.first(half)
	if begin < 0 || behind < 0 {
		return nil
	}
	end := len(half) - behind
	if begin <= end && (a.self == nil || a.self.matches(half[begin:end])) {
		return half[begin:end]
	}
	if a.self == nil {
		return nil
	}
	return a.search(half)
}

// search finds an account that does not begin at the first place where it could
// or does not end at the last.
func (a *account) search(half []byte) []byte {
	begins := a.rest.all(half)
	begin := -1
	head := a.head.walk(half)
	for p := 0; p <= len(half) && begin < 0; p++ {
		if head.accepts(p) && begins[len(half)-p] {
			begin = p
		}
	}
	if begin < 0 {
		return nil
	}
	ends := a.tail.all(half)
	end, self := begin, a.self.walk(half[begin:])
	for p := 0; p <= len(half)-begin; p++ {
		if self.accepts(p) && ends[len(half)-begin-p] {
			end = begin + p
		}
	}
	return half[begin:end]
}

// normalise returns the user of a SIP or tel URI (RFC 3261 section 19.1.1), with a
// display name or without, and anything else as it is, at most MaxAccount
// bytes. It does not copy.
func normalise(name []byte) []byte {
	s := name
	if len(s) > 0 && s[0] == '"' { // a display name may hold anything
		i := 1
		for i < len(s) && s[i] != '"' {
			if s[i] == '\\' {
				i++
			}
			i++
		}
		s = s[min(i+1, len(s)):]
	}
	if i := slices.Index(s, '<'); i >= 0 {
		s = s[i+1:]
		if j := slices.Index(s, '>'); j >= 0 {
			s = s[:j]
		}
	}
	if user, ok := uriUser(s); ok {
		name = user
	}
	return name[:min(len(name), MaxAccount)]
}

// uriUser returns what stands between the scheme and the host.
func uriUser(uri []byte) ([]byte, bool) {
	i := slices.Index(uri, ':')
	if i < 0 {
		return nil, false
	}
	switch strings.ToLower(string(uri[:i])) {
	case "sip", "sips", "tel":
	default:
		return nil, false
	}
	user := uri[i+1:]
	for j, b := range user {
		if b == '@' || b == ';' || b == '?' || b == '>' {
			return user[:j], true
		}
	}
	return user, true
}
