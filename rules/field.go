package rules

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// condition is what one field of the entry must be for a rule to match.
type condition struct {
	name    string
	journal bool    // the name is that of a field of the journal
	forms   []*form // alternatives, each of the whole value
}

// addressed says that the address of the rule stands in the field. It does so in
// all alternatives or in none.
func (c *condition) addressed() bool { return c.forms[0].after != nil }

// fieldTable is a table of fields. A name may be one key, "request.remote_ip", or
// be spelled as tables within tables.
type fieldTable map[string]fieldValue

// fieldValue is one string or more, or what is wrong with it: an error of the
// decoder would not know its line.
type fieldValue struct {
	oneOrMore
	err error
}

// UnmarshalTOML takes what the decoder has read.
func (t *fieldTable) UnmarshalTOML(v any) error {
	*t = make(fieldTable)
	if table, ok := v.(map[string]any); ok {
		t.add("", table)
	} else {
		(*t)[""] = fieldValue{err: hinted{"want a table of fields", `write field.NAME = "pattern"`}}
	}
	return nil
}

func (t fieldTable) add(prefix string, table map[string]any) {
	for name, v := range table {
		name = prefix + name
		if below, ok := v.(map[string]any); ok {
			t.add(name+".", below)
			continue
		}
		value := t[name]
		value.err = errors.Join(value.err, value.UnmarshalTOML(v))
		t[name] = value
	}
}

// Field returns the one value of a field of a sample.
func (t fieldTable) Field(name string) (value []byte, ok bool) {
	if v := t[name]; len(v.oneOrMore) == 1 {
		return []byte(v.oneOrMore[0]), true
	}
	return nil, false
}

// check notes what is wrong with the fields of a sample.
func (t fieldTable) check(bad func(string, error)) {
	for _, name := range slices.Sorted(maps.Keys(t)) {
		v := t[name]
		if v.err == nil {
			v.err = checkField(name)
		}
		if v.err == nil && len(v.oneOrMore) != 1 {
			v.err = fmt.Errorf("a field of a sample has one value, not %d", len(v.oneOrMore))
		}
		if v.err != nil {
			bad("field."+name, v.err)
		}
	}
}

// trustedField is a name of a field that only journald sets.
var trustedField = regexp.MustCompile(`^_[A-Z0-9][A-Z0-9_]*$`)

// journalField is a name that a field of the journal may have (systemd,
// journal_field_valid).
var journalField = regexp.MustCompile(`^(_[A-Z0-9]|[A-Z])[A-Z0-9_]{0,62}$`)

// checkField says what is wrong with the name of a field.
func checkField(name string) error {
	switch {
	case name == "":
		return hinted{"a field has no name", `write field.NAME = "pattern"`}
	case name[0] == '_' && !trustedField.MatchString(name):
		return hinted{fmt.Sprintf("field %q is none of the journal's, and no other begins with _", name), "take a field that the daemon sets itself"}
	case len(name) > maxField:
		return fmt.Errorf("the name of field %.20q… is longer than %d bytes", name, maxField)
	}
	return nil
}

// maxField bounds the name of a field.
const maxField = 256

// conditions compiles the conditions on fields. The one with the address comes last:
// the others tell more cheaply whether the rule matches.
func (r *ruleFile) conditions(c *compiledRule, g *grammar, bad func(string, error)) {
	for _, name := range slices.Sorted(maps.Keys(r.Field)) {
		key := "field." + name
		value := r.Field[name]
		if value.err == nil {
			value.err = checkField(name)
		}
		if value.err != nil {
			bad(key, value.err)
			continue
		}
		forms := compileForms(value.oneOrMore, g.translate, c, func(err error) { bad(key, err) })
		for _, f := range forms {
			f.ready() // what they hold is asked for below
		}
		if len(forms) == 0 {
			if len(value.oneOrMore) == 0 {
				bad(key, hinted{"the field has no pattern", "write <text> for a field that may be anything"})
			}
			continue
		}
		with := slices.IndexFunc(forms, func(f *form) bool { return f.after != nil })
		without := slices.IndexFunc(forms, func(f *form) bool { return f.after == nil })
		if with >= 0 && without >= 0 {
			bad(key, hinted{"some alternatives have <addr> and some have not", "make a rule of each kind"})
			continue
		}
		c.conditions = append(c.conditions, &condition{name: name, journal: journalField.MatchString(name), forms: forms})
	}
	slices.SortStableFunc(c.conditions, func(a, b *condition) int {
		if a.addressed() == b.addressed() {
			return 0
		} else if b.addressed() {
			return -1
		}
		return 1
	})
}

// places checks that the address and each placeholder that the rule asks for stand in
// one place: in the message or in one field.
func (r *ruleFile) places(c *compiledRule, bad func(string, error)) {
	in := func(isThere func(*form) bool) (keys []string) {
		if slices.ContainsFunc(c.forms, isThere) {
			keys = append(keys, "pattern")
		}
		for _, on := range c.conditions {
			if slices.ContainsFunc(on.forms, isThere) {
				keys = append(keys, "field."+on.name)
			}
		}
		return keys
	}
	if addr := in(func(f *form) bool { return f.after != nil }); len(addr) > 1 {
		bad(addr[1], hinted{fmt.Sprintf("<addr> stands in %s", strings.Join(addr, " and ")), "take <ip> for an address that is not the peer's"})
	} else if len(addr) == 0 && len(c.forms) > 0 && r.Unless["addr"] != nil && len(r.Session) == 0 {
		bad("unless.addr", hinted{"no pattern has <addr>", "put <addr> where the daemon prints the peer"})
	}
	for i, name := range c.captures {
		keys := in(func(f *form) bool { return f.captures[i] != nil })
		if len(keys) == 0 && len(c.forms)+len(c.conditions) > 0 {
			kind, what := "text", "it"
			switch c.askedBy[i] {
			case "account":
				what = "the account"
			case "count":
				kind, what = "int", "the number"
			case "bind", "session":
				kind = "int"
			}
			bad(c.askedBy[i], hinted{fmt.Sprintf("no pattern has a placeholder %q", name), fmt.Sprintf("write <%s:%s> where %s stands", name, kind, what)})
		}
		if len(keys) > 1 {
			bad(keys[1], hinted{fmt.Sprintf("placeholder %q stands in %s", name, strings.Join(keys, " and ")), "leave it out of all but one"})
		}
	}
}

// Fields returns the names of the fields of the journal that rules of the set ask
// for, sorted. A source that ships fields on demand is told them; the other names
// that rules ask for stand in the message or in structured data, which every source
// gives.
func (s *Set) Fields() []string {
	names := make(map[string]bool)
	for _, g := range s.groups {
		for _, p := range g.packs {
			for _, r := range p.rules {
				for _, c := range r.conditions {
					if c.journal {
						names[c.name] = true
					}
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}
