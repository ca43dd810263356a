package rules

import (
	"slices"

	"bailiff/ingest"
)

// structured says that e may have fields to be looked up.
func structured(e *ingest.Entry) bool {
	return e.Fields != nil || jsonObject(e.Message) != nil
}

// split takes the forms that only fields can make match out of those that are tried
// on every message.
func (g *group) split() {
	g.always = slices.DeleteFunc(g.always, func(i uint32) bool {
		fielded := len(g.forms[i].rule.conditions) > 0
		if fielded {
			g.fielded = append(g.fielded, i)
		}
		return fielded
	})
}

// fields is the structured part of the entry that is being read. Whatever is looked
// up is looked up once, by whichever rule asks first.
type fields struct {
	known    []field
	document document
	read     bool // the message was read
	object   bool // and is an object

	// value is what an address is looked for in.
	value    *scratch
	readings []reading
}

// field is one that was looked up.
type field struct {
	name    string
	value   []byte // nil: there is none
	ofEntry bool   // and no part of the message
}

func (s *fields) reset() { s.known, s.read = s.known[:0], false }

// field returns the value of a field of e, nil if there is none.
func (s *fields) field(c *condition, e *ingest.Entry) []byte {
	for i := range s.known {
		if s.known[i].name == c.name {
			return s.known[i].value
		}
	}
	value, ofEntry, ok := s.lookup(c, e)
	if !ok {
		value = nil
	} else if value == nil {
		value = []byte{}
	}
	s.known = append(s.known, field{c.name, value, ofEntry})
	return value
}

// broken says that a rule looked for a field in a message that begins as an object and
// is none, or was cut.
func (s *fields) broken(e *ingest.Entry) bool {
	return s.read && !s.object && jsonObject(e.Message) != nil
}

// evidence is what is kept of e for a rule: the message, and behind it those fields
// that the rule asks for and that do not stand in the message, the address first.
func (s *fields) evidence(e *ingest.Entry, r *compiledRule) string {
	var beside []byte
	for _, c := range slices.Backward(r.conditions) {
		for _, f := range s.known {
			if f.name == c.name && f.ofEntry {
				beside = append(append(append(append(beside, ' '), f.name...), '='), f.value...)
			}
		}
	}
	beside = beside[:min(len(beside), MaxEvidence/2)]
	return string(e.Message[:min(len(e.Message), MaxEvidence-len(beside))]) + string(beside)
}

// lookup finds a field: one of the entry, or else one of a message that is JSON. What
// is meant to be a field of the journal is none there, however the message reads: a
// daemon that writes fields may print what a client sent as a message.
func (s *fields) lookup(c *condition, e *ingest.Entry) (value []byte, ofEntry, ok bool) {
	if e.Fields != nil {
		if value, ok = e.Fields.Field(c.name); ok {
			return value, true, true
		}
	}
	if c.journal {
		return nil, false, false
	}
	if !s.read {
		s.read = true
		// Of what was cut nobody knows how it went on.
		s.object = !e.Truncated && s.document.read(jsonObject(e.Message))
	}
	if s.object {
		value, ok = s.document.find(c.name)
	}
	return value, false, ok
}

// structured adds what f reads in e, a form of a rule with conditions on fields: its
// pattern holds, if it has one, and so do all the conditions.
func (v *verdict) structured(f *form, p *packForms, e *ingest.Entry, sc *scratch) {
	var found []reading
	if f.rule.cuts(e) && len(e.Message) < f.enough {
		return
	}
	if f.after == nil {
		if !f.before.matches(e.Message) {
			return
		}
	} else if found = f.readings(sc); len(found) == 0 {
		return
	}
	addressed := 0
	sc.places = append(sc.places[:0], place{f, e.Message, token{start: len(e.Message), end: len(e.Message)}})
	for i, c := range f.rule.conditions {
		value, by := sc.fields.field(c, e), (*form)(nil)
		if value != nil {
			by = sc.fields.holds(c, value, e)
		}
		if by == nil {
			v.near = v.near || i > 0 && c.addressed()
			return
		}
		if c.addressed() {
			addressed, found = i+1, sc.fields.readings
		}
		sc.places = append(sc.places, place{by, value, token{start: len(value), end: len(value)}})
	}
	v.take(f, p, e, sc, addressed, found)
}

// holds returns the first alternative of c that reads value, nil if none does. The
// addresses that any of them reads are left in readings, those of the first first.
func (s *fields) holds(c *condition, value []byte, e *ingest.Entry) (by *form) {
	if s.value == nil {
		s.value = new(scratch)
	}
	s.value.reset(value)
	s.readings = s.readings[:0]
	// What was taken out of the message may have stood in this value.
	written := len(value) + max(0, e.Length-len(e.Message))
	for _, f := range c.forms {
		if cut := f.rule.cut; cut > 0 && written >= cut && len(value) < f.enough {
			continue
		}
		if f.after == nil {
			if f.before.matches(value) {
				return f
			}
			continue
		}
		found := f.readings(s.value)
		if len(found) > 0 && by == nil {
			by = f
		}
		s.readings = append(s.readings, found...)
	}
	return by
}
