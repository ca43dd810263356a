package rules

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"bailiff/ingest"
)

// sample is one line and what the rule must say of it.
type sample struct {
	Before     []string
	Line       string
	Field      fieldTable
	Addr       string
	Account    *string
	Count      *int
	Match      *bool
	Ambiguous  bool
	Identifier string

	path string // where it stands, for lines.of
}

// Check runs every sample against the whole pack. The error joins an [*Error] for
// each sample that the pack does not read as it says. Each rule of a shipped
// pack must have a sample. A sample that a rule of another file takes is no
// error, see [Pack.Taken].
func (p *Pack) Check() error {
	_, err := p.check()
	return err
}

// Taken says which rules of the pack read lines that would be another's of the
// pack it extends: one [*Error] for each two rules, nil if there is none. That is
// what an extension is for, or a pattern that is too wide; only its author knows.
func (p *Pack) Taken() []*Error {
	if !slices.ContainsFunc(p.rules, func(r *compiledRule) bool { return r.from.file != p.rules[0].from.file }) {
		return nil // it extends none
	}
	taken, _ := p.check() // what else is wrong, Check says
	return taken
}

func (p *Pack) check() (taken []*Error, _ error) {
	p, err := p.whole()
	if err != nil {
		return nil, err
	}
	set, err := Compile(p)
	if err != nil {
		return nil, err
	}
	found, identifiers := &problems{}, p.Identifiers()
	for at, r := range p.rules {
		by := make(map[*compiledRule]int)
		for i := range r.samples {
			s := &r.samples[i]
			winner, err := s.run(set, r, identifiers)
			if err == nil {
				continue
			}
			// Those of what extends the pack stand before it. An ignore rule of the pack
			// that takes a sample of theirs is an error of theirs.
			if w := slices.IndexFunc(p.rules[:at], func(w *compiledRule) bool { return w.Rule == winner }); w >= 0 && p.rules[w].from.file != r.from.file {
				by[p.rules[w]]++
				continue
			}
			found.errs = append(found.errs, r.from.fault(s.path+".line", r.Name, err))
		}
		for _, w := range p.rules {
			if n := by[w]; n > 0 {
				taken = append(taken, w.from.fault(w.path, w.Name, fmt.Errorf("comes before rule %s of %s and takes %d of its %d samples", r.Name, r.from.file, n, len(r.samples))))
			}
		}
	}
	return taken, found.err()
}

// run says in what the match of the sample's line differs from what it asks for,
// and which rule made that match, if it was to be r and is not.
func (s *sample) run(set *Set, r *compiledRule, identifiers []string) (winner *Rule, _ error) {
	set.sessions = newSessions(maxSessions)
	silent := s.precede(set, identifiers)
	e := sampleEntry(s.Identifier, s.Line)
	if len(s.Field) > 0 {
		e.Fields = s.Field
	}
	matches, text := set.AppendMatches(nil, e), s.text()
	wanted := s.Match == nil || *s.Match
	if len(matches) == 0 {
		if !wanted {
			return nil, nil
		}
		remedy := "compare it with the pattern letter by letter"
		if read := string(e.Message); read != s.Line {
			remedy = fmt.Sprintf("it is cleaned before it is read; compare %q with the pattern letter by letter", read)
		}
		return nil, hinted{fmt.Sprintf("sample %q matches nothing", text), remedy}
	}
	m := &matches[0]
	switch {
	case !wanted && m.Rule == r.Rule:
		return nil, fmt.Errorf("sample %q matches, and must not", text)
	case !wanted:
		return nil, nil
	case m.Rule != r.Rule:
		return m.Rule, hinted{fmt.Sprintf("sample %q is matched by rule %s, which comes before", text, m.Rule.Name), "make the patterns exclude each other, or change their order"}
	case s.Ambiguous != m.Ambiguous():
		return nil, fmt.Errorf("sample %q has ambiguous = %t: candidates %v", text, m.Ambiguous(), m.Candidates)
	case s.Addr != "" && !m.Addr.IsValid() && silent != "":
		return nil, hinted{fmt.Sprintf("sample %q has no address, and %q before it matches nothing", text, silent), "compare it with the pattern letter by letter"}
	case s.Addr != "" && !m.Addr.IsValid():
		return nil, fmt.Errorf("sample %q has no address", text)
	case s.Addr != "" && m.Addr.String() != s.Addr:
		return nil, fmt.Errorf("sample %q has address %s, not %s", text, m.Addr, s.Addr)
	case s.Addr == "" && m.Addr.IsValid():
		return nil, hinted{fmt.Sprintf("sample %q has address %s, and the sample says none", text, m.Addr), fmt.Sprintf("addr = %q", m.Addr)}
	case s.Account != nil && m.Account != *s.Account:
		return nil, fmt.Errorf("sample %q has account %q, not %q", text, m.Account, *s.Account)
	case s.Count != nil && m.Count != *s.Count:
		return nil, fmt.Errorf("sample %q counts as %d, not as %d", text, m.Count, *s.Count)
	}
	return nil, nil
}

// sampleEntry is a line of the one process that writes a sample.
func sampleEntry(identifier, line string) *ingest.Entry {
	e := &ingest.Entry{Source: "sample", Identifier: []byte(identifier), ProcID: []byte("1"), UID: -1, PID: -1}
	e.SetMessage([]byte(line))
	return e
}

// message is the line as it is read.
func (s *sample) message() string { return string(sampleEntry("", s.Line).Message) }

// value is what a rule reads in a field of the sample, which may stand in its
// line if that is JSON; empty if there is none.
func (s *sample) value(name string) string {
	e := sampleEntry("", s.Line)
	if len(s.Field) > 0 {
		e.Fields = s.Field
	}
	var f fields
	value, _, _ := f.lookup(&condition{name: name, journal: journalField.MatchString(name)}, e)
	return string(value)
}

// precede has the set read what comes before the sample, each line under the first
// identifier under which it means something. It returns the last that means nothing.
func (s *sample) precede(set *Set, identifiers []string) (silent string) {
	for _, line := range s.Before {
		reads := func(id string) bool { return len(set.AppendMatches(nil, sampleEntry(id, line))) > 0 }
		if !reads(s.Identifier) && !slices.ContainsFunc(identifiers, reads) {
			silent = line
		}
	}
	return silent
}

// check notes contradictions within a sample.
func (s *sample) check(c *compiledRule, bad func(string, error)) {
	if s.Line == "" && len(s.Field) == 0 {
		bad("line", errors.New("the sample has no line"))
	}
	if i := slices.Index(s.Before, ""); i >= 0 {
		bad(fmt.Sprintf("before[%d]", i), errors.New("the line is empty"))
	}
	s.Field.check(bad)
	if s.Addr != "" {
		if a, err := netip.ParseAddr(s.Addr); err != nil || a != a.Unmap().WithZone("") {
			bad("addr", fmt.Errorf("%q is no address", s.Addr))
		}
	}
	if s.Identifier == "" && len(c.identifiers) > 0 {
		s.Identifier = c.identifiers[0]
	}
	if s.Identifier != "" && !slices.Contains(c.identifiers, s.Identifier) {
		bad("identifier", unknown("identifier", s.Identifier, c.identifiers))
	}
	if s.Match != nil && !*s.Match && (s.Addr != "" || s.Ambiguous || s.Account != nil) {
		bad("match", hinted{"a line that does not match has no address and no account", "leave out addr, account and ambiguous"})
	}
	if s.Ambiguous && s.Addr != "" {
		bad("addr", errors.New("an ambiguous line has no address"))
	}
}

// text is what an error calls the sample.
func (s *sample) text() string {
	out := s.Line
	for _, name := range slices.Sorted(maps.Keys(s.Field)) {
		out = strings.TrimSpace(out + " " + name + "=" + strings.Join(s.Field[name].oneOrMore, ","))
	}
	return out
}
