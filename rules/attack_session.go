package rules

import (
	"regexp"
	"slices"
)

// The processes that serve the attacker and the victim.
const attackerProcess, victimProcess = "1", "2"

// named says that a part of a rule has a name. What names a session is the one thing
// that is fixed in a line of a hostile client: the daemon's number, or the name
// that it has given its own.
func (p part) named(r *compiledRule, name string) part {
	for _, l := range []*link{r.binds, r.uses} {
		if l == nil {
			continue
		}
		if i := slices.Index(l.names, name); i >= 0 && l.captures[i] != process {
			p.key, p.client = name, false
		}
	}
	return p
}

// charges says that lines of s may charge somebody: by the address in them, or by the
// one that another of the shapes binds.
func (s *shape) charges(all []*shape) bool {
	return s.addressed() || s.rule.uses != nil && slices.ContainsFunc(all, func(b *shape) bool {
		return b.binds() && b.rule.binds.space() == s.rule.uses.space()
	})
}

// binds says that lines of s bind an address to a session.
func (s *shape) binds() bool { return s.rule.binds != nil && s.addressed() }

// introduce has the set read the lines that bind the sessions of the attacker and of
// the victim.
func (a *attack) introduce(set *Set, r *compiledRule) {
	a.sessions++
	all := a.binders[r.uses.space()]
	if len(all) == 0 {
		return
	}
	raw, fields := slices.Clone(a.raw), slices.Clone(a.fields)
	s := all[a.rng.IntN(len(all))]
	for _, c := range []struct{ victim, process string }{{"", attackerProcess}, {a.victim(), victimProcess}} {
		a.make(s, func(b []byte, s *shape, i int) []byte { return a.piece(b, s, i, c.victim) })
		a.read(set, s.rule, c.process)
	}
	a.raw, a.fields = raw, fields
}

// key returns what the attacker's session is called, or the victim's.
func (a *attack) key(p *part, victim bool) string {
	known, ok := a.keys[p.key]
	if !ok {
		known = p.keys()
		a.keys[p.key] = known
	}
	if victim {
		return known[1]
	}
	return known[0]
}

// keys returns two values of a part, as different as they can be.
func (p *part) keys() [2]string {
	var values []string
	for _, v := range p.values {
		if v != "" && !slices.Contains(values, v) {
			values = append(values, v)
		}
	}
	if len(values) > 1 {
		return [2]string{values[0], values[len(values)-1]}
	}
	own := "1"
	if len(values) == 1 {
		own = values[0]
	}
	whole, err := regexp.Compile(`^(?s:` + p.expr + `)$`)
	if err != nil {
		return [2]string{own, own}
	}
	for i := len(own) - 1; i >= 0; i-- {
		for _, c := range "0123456789abcdefABCDEF" {
			if other := own[:i] + string(c) + own[i+1:]; other != own && whole.MatchString(latin1(other)) {
				return [2]string{own, other}
			}
		}
	}
	return [2]string{own, own}
}
