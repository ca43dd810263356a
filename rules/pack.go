package rules

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
)

// Pack is a loaded rule pack. It never changes and may be shared.
type Pack struct {
	// Name is what jails call it, Description is for people, and File is
	// where it was read from.
	Name, Description, File string
	// Version rises with each change of the pack; 0 if it states none.
	Version int
	// Optional packs are judged only by jails that name them.
	Optional bool
	// Needs says what must be switched on at the daemon for the pack to see
	// anything; empty if nothing must.
	Needs string
	// Rules are its rules in the order of the file.
	Rules []*Rule

	rules   []*compiledRule
	trust   trust
	head    packHead        // for what extends the pack
	strange map[string]bool // names of sessions → whether strangers may choose them
	lasts   time.Duration   // of a session after the last line about it
	early   time.Duration   // how long a line waits for the one that names its client
	// grammar is what its patterns mean, for Lint; nil if it is shipped.
	grammar *grammar
	origin
}

// compiledRule is a rule with the ways to read it.
type compiledRule struct {
	*Rule
	from        origin
	identifiers []string
	units       []string // instead of the pack's; nil: those
	captures    []string // the placeholders it wants to know besides the address
	askedBy     []string // the key that asks for each
	account     int      // which of them names the account; -1: none
	count       int      // which says how many lines the line stands for; -1: none
	unless      []exception
	binds, uses *link
	ends        bool // the session, after use
	cut         int  // messages this long may have been cut by the daemon; 0: none
	forms       []*form
	halves      *halves // that the forms may share with those of other rules
	conditions  []*condition
	samples     []sample
	// file is what is written at path; nil if the rule is of a shipped pack.
	file *ruleFile
	path string
}

// packFile is the TOML document.
type packFile struct {
	Pack packHead
	Rule []ruleFile
}

type packHead struct {
	Name, Description string
	Version           int
	Extends           string
	Disable           []string
	Needs, Evidence   string
	Cut               int
	Optional          bool
	SessionTime       string `toml:"session_time"`
	SessionEarly      string `toml:"session_early"`
	Match             struct {
		Identifier, Unit []string
		UID              []int
		AnyUnit          bool `toml:"any_unit"`
	}
	Types      map[string]string
	Define     map[string]oneOrMore
	Guaranteed []string
}

type ruleFile struct {
	Name, Event, Service, Witness string
	Evidence                      string
	PerAttempt                    *int `toml:"per_attempt"`
	Weight, Cut                   *int
	Identifier, Unit              []string
	Pattern, Regex                oneOrMore
	Field                         fieldTable
	Unless                        map[string]oneOrMore
	Bind, Session                 oneOrMore
	End                           bool
	Account, Count                string
	Sample                        []sample
}

// oneOrMore is a string or an array of strings.
type oneOrMore []string

var errNoStrings = errors.New("want a string or an array of strings")

// UnmarshalTOML takes what the decoder has read.
func (o *oneOrMore) UnmarshalTOML(v any) error {
	values, ok := v.([]any)
	if !ok {
		values = []any{v}
	}
	for _, v := range values {
		s, ok := v.(string)
		if !ok {
			return errNoStrings
		}
		*o = append(*o, s)
	}
	return nil
}

// Parse reads a pack that stands for itself; file is for messages only. The error
// joins every [*Error] found, in the order of the file. A pack that extends another
// is read by [Library.Parse].
func Parse(file string, data []byte) (*Pack, error) { return new(Library).Parse(file, data) }

// parsePack reads a pack; base returns the pack of a name, for the one it extends.
func parsePack(file string, data []byte, base func(name string) (*Pack, error)) (*Pack, error) {
	return readPack(origin{file: file, lines: linesOf(string(data))}, string(data), base)
}

// readPack reads the text of a pack.
func readPack(from origin, text string, base func(name string) (*Pack, error)) (*Pack, error) {
	p := &problems{origin: from}
	var f packFile
	meta, err := toml.Decode(text, &f)
	if err != nil {
		return nil, decodeError(p.file, err)
	}
	p.unknownKeys(meta)
	var extended *Pack
	if f.Pack.Extends != "" {
		if extended, err = base(f.Pack.Extends); err != nil {
			p.add("pack.extends", "", err)
			return nil, p.err()
		}
		f.Pack.inherit(extended, p)
	} else if len(f.Pack.Disable) > 0 {
		p.add("pack.disable", "", hinted{"there is nothing to disable rules of", "write extends = \"NAME\" for the pack whose rules these are"})
	}
	pack := f.pack(p)
	if extended != nil {
		pack.extend(extended, &f, p)
	}
	pack.spaces(p)
	if err := p.err(); err != nil {
		return nil, err
	}
	return pack, nil
}

// wrongType is what the decoder says of a value of another type, in words only.
var wrongType = regexp.MustCompile(`^toml: line (\d+) \(last key "(.*)"\): (?:incompatible types: )?(.*)$`)

// decodeError gives what the decoder says the form of the other errors.
func decodeError(file string, err error) *Error {
	e := &Error{File: file, Msg: err.Error()}
	if at, ok := errors.AsType[toml.ParseError](err); ok {
		e.Line, e.Msg = at.Position.Line, at.Message
		if e.Msg != errNoStrings.Error() { // the decoder does not wrap it
			e.Remedy = "this is not TOML; https://toml.io shows the syntax"
		}
	} else if m := wrongType.FindStringSubmatch(e.Msg); m != nil {
		e.Line, _ = strconv.Atoi(m[1])
		e.Msg = m[2] + ": " + m[3]
	}
	return e
}

// keys are the known keys of each table.
var keys = map[string][]string{
	"":            {"pack", "rule"},
	"pack":        {"name", "description", "version", "optional", "extends", "disable", "needs", "evidence", "cut", "session_time", "session_early", "match", "types", "define", "guaranteed"},
	"pack.match":  {"identifier", "unit", "uid", "any_unit"},
	"rule":        {"name", "event", "service", "witness", "per_attempt", "weight", "evidence", "cut", "identifier", "unit", "pattern", "regex", "field", "unless", "account", "count", "bind", "session", "end", "sample"},
	"rule.sample": {"before", "line", "field", "addr", "account", "count", "match", "ambiguous", "identifier"},
}

// unknownKeys notes the keys that have no meaning. The decoder takes a key in any
// letter case, and here there is one spelling of each.
func (p *problems) unknownKeys(meta toml.MetaData) {
	done := make(map[string]bool)
	for _, key := range meta.Keys() {
		name := key.String()
		table := key[:len(key)-1].String()
		known, fixed := keys[table]
		if done[name] || !fixed || slices.Contains(known, key[len(key)-1]) {
			continue
		}
		done[name] = true
		paths := p.lines.all(name)
		if len(paths) == 0 {
			paths = []string{name}
		}
		for _, path := range paths {
			p.add(path, "", unknown("key", key[len(key)-1], known))
		}
	}
}

var nameShape = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]*$`)

// pack checks the document and makes the pack of it.
func (f *packFile) pack(p *problems) *Pack {
	pack := &Pack{
		Name: f.Pack.Name, Description: f.Pack.Description, File: p.file,
		Version: f.Pack.Version, Optional: f.Pack.Optional, Needs: strings.TrimSpace(f.Pack.Needs), head: f.Pack, origin: p.origin,
	}
	if f.Pack.Version < 0 {
		p.add("pack.version", "", fmt.Errorf("version %d is negative", f.Pack.Version))
	}
	if f.Pack.Evidence != "" && !slices.Contains(evidences, f.Pack.Evidence) {
		p.add("pack.evidence", "", unknown("evidence", f.Pack.Evidence, evidences))
	}
	if !nameShape.MatchString(f.Pack.Name) {
		p.add("pack.name", "", hinted{fmt.Sprintf("pack name %q is not one", f.Pack.Name), "use letters, digits, - and _"})
	}
	if f.Pack.Cut < 0 {
		p.add("pack.cut", "", fmt.Errorf("cut %d is negative", f.Pack.Cut))
	}
	m := f.Pack.Match
	if i := slices.IndexFunc(m.UID, func(uid int) bool { return uid < 0 }); i >= 0 {
		p.add("pack.match.uid", "", fmt.Errorf("uid %d is no user", m.UID[i]))
	}
	pack.lasts = p.span("session_time", f.Pack.SessionTime, sessionTime)
	pack.early = p.span("session_early", f.Pack.SessionEarly, 0)
	pack.trust = trust{units: m.Unit, uids: m.UID, anyUnit: m.AnyUnit}
	checkUnits(m.Unit, func(err error) { p.add("pack.match.unit", "", err) })
	if m.AnyUnit && len(m.Unit) > 0 {
		p.add("pack.match.any_unit", "", hinted{"any_unit and unit exclude each other", "leave one of them out"})
	}
	g := &grammar{types: f.Pack.Types, define: make(map[string][]string), guaranteed: f.Pack.Guaranteed, halves: new(halves)}
	for name, alternatives := range f.Pack.Define {
		g.define[name] = alternatives
	}
	if !p.shipped {
		g.check(p)
		pack.grammar = g
	}
	if len(f.Rule) == 0 && len(f.Pack.Disable) == 0 {
		p.add("pack", "", errors.New("the pack has no rule"))
	}
	seen := make(map[string]bool)
	for i := range f.Rule {
		r := &f.Rule[i]
		at := fmt.Sprintf("rule[%d]", i)
		if seen[r.Name] {
			p.add(at+".name", r.Name, errors.New("there is another rule of that name"))
		}
		seen[r.Name] = true
		c := r.compile(p, at, f, g)
		pack.rules = append(pack.rules, c)
		pack.Rules = append(pack.Rules, c.Rule)
	}
	return pack
}

// check notes what is wrong with the pack's own types and definitions.
func (g *grammar) check(p *problems) {
	for name, expr := range g.types {
		at := "pack.types." + name
		re, err := parseExpression(latin1(expr))
		if err == nil { // nor may it reach beyond its place
			_, err = parseExpression("(?:" + latin1(expr) + ")")
		}
		switch {
		case !isName(name):
			p.add(at, "", hinted{fmt.Sprintf("type %q is not a name", name), "use letters, digits and _"})
		case builtin[name] != "" || name == "addr":
			p.add(at, "", hinted{fmt.Sprintf("<%s> is there already", name), "choose another name"})
		case err != nil:
			p.add(at, "", err)
		case re.MaxCap() > 0:
			p.add(at, "", hinted{"a type has no groups", "write (?:…) for (…)"})
		default:
			if _, err := newNFA([]*syntax.Regexp{re}, false); err != nil {
				p.add(at, "", err)
			}
		}
	}
	for i, name := range g.guaranteed {
		if _, ok := g.lookup(name); !ok || name == "addr" {
			p.add(fmt.Sprintf("pack.guaranteed[%d]", i), "", unknown("type", name, g.names()))
		}
	}
	for name := range g.define {
		at := "pack.define." + name
		_, isType := g.lookup(name)
		switch _, err := g.alternatives(name); {
		case !isName(name):
			p.add(at, "", hinted{fmt.Sprintf("definition %q is not a name", name), "use letters, digits and _"})
		case isType:
			p.add(at, "", hinted{fmt.Sprintf("<%s> is a type already", name), "choose another name"})
		case err != nil:
			p.add(at, "", err)
		}
	}
}

// events are the spellings of Event.
var events = []string{Failure.String(), Success.String(), Challenge.String(), Ignore.String(), Info.String()}

// evidences are the spellings of Evidence.
var evidences = []string{Spoofable.String(), Proven.String()}

// compile checks the rule at path at and compiles its patterns.
func (r *ruleFile) compile(p *problems, at string, f *packFile, g *grammar) *compiledRule {
	bad := func(key string, err error) { p.add(at+"."+key, r.Name, err) }
	c := &compiledRule{
		Rule: &Rule{
			Pack: f.Pack.Name, Name: r.Name, Service: r.Service, Witness: r.Witness,
			PerAttempt: atLeastOne(r.PerAttempt, "per_attempt", bad), Weight: atLeastOne(r.Weight, "weight", bad),
		},
		from:        p.origin,
		path:        at,
		identifiers: r.Identifier,
		cut:         f.Pack.Cut,
		units:       r.Unit,
		samples:     r.Sample,
		halves:      g.halves,
	}
	if !p.shipped {
		c.file = r
	}
	c.account, c.count = c.capture(r.Account, "account"), c.capture(r.Count, "count")
	if kinds := r.kinds(g, r.Count); r.Count != "" && slices.ContainsFunc(kinds, func(kind string) bool { return kind != "int" }) {
		bad("count", hinted{fmt.Sprintf("<%s> is not always a number", r.Count), fmt.Sprintf("write <%s:int>", r.Count)})
	}
	checkUnits(r.Unit, func(err error) { bad("unit", err) })
	if r.Cut != nil {
		c.cut = atLeastOne(r.Cut, "cut", bad)
	}
	if !nameShape.MatchString(r.Name) {
		bad("name", hinted{fmt.Sprintf("rule name %q is not one", r.Name), "use letters, digits, - and _"})
	}
	event := slices.Index(events, r.Event)
	if event < 0 {
		bad("event", unknown("event", r.Event, events))
	}
	c.Event = Event(max(0, event))
	switch class := cmp.Or(r.Evidence, f.Pack.Evidence); {
	case r.Evidence != "" && !slices.Contains(evidences, r.Evidence):
		bad("evidence", unknown("evidence", r.Evidence, evidences))
	default:
		c.Evidence = Evidence(max(0, slices.Index(evidences, class)))
	}
	if c.Service == "" {
		c.Service = f.Pack.Name
	}
	if c.Witness == "" {
		c.Witness = "main"
	}
	if len(c.identifiers) == 0 {
		c.identifiers = f.Pack.Match.Identifier
	}
	if len(c.identifiers) == 0 || slices.Contains(c.identifiers, "") {
		bad("identifier", hinted{"nothing says whose lines these are", "name identifiers in [pack.match]"})
	}
	r.exceptions(c, bad)
	r.links(c, g, bad)
	r.forms(c, g, bad)
	for i := range c.samples {
		s := &c.samples[i]
		s.path = fmt.Sprintf("%s.sample[%d]", at, i)
		s.check(c, func(key string, err error) { p.add(s.path+"."+key, r.Name, err) })
	}
	return c
}

// forms compiles the conditions on fields, the patterns and the expressions.
func (r *ruleFile) forms(c *compiledRule, g *grammar, bad func(string, error)) {
	r.conditions(c, g, bad)
	inField := len(c.conditions) < len(r.Field) || slices.ContainsFunc(c.conditions, (*condition).addressed)
	add := func(key string, sources []string, translate func(string) ([]string, error)) {
		forms := compileForms(sources, translate, c, func(err error) { bad(key, err) })
		c.forms = append(c.forms, forms...)
		if !c.from.shipped && !inField && len(r.Session) == 0 && c.Event != Ignore && c.Event != Info && slices.ContainsFunc(forms, func(f *form) bool { return f.after == nil }) {
			bad(key, hinted{fmt.Sprintf("a rule for event %s needs the address", c.Event), "put <addr> where the daemon prints the peer"})
		}
	}
	add("pattern", r.Pattern, g.translate)
	add("regex", r.Regex, func(s string) ([]string, error) { return []string{latin1(s)}, nil })
	switch {
	case len(r.Pattern)+len(r.Regex) > 0:
	case len(r.Field) == 0:
		bad("pattern", errors.New("the rule has neither pattern nor regex nor field"))
	default:
		add("field", []string{"<text>"}, g.translate)
	}
	if !c.from.shipped {
		r.places(c, bad)
		c.checkLinks(bad)
	}
}

// compileForms compiles the alternatives of one key. Those of a shipped pack are as
// they should be, and are made when they are needed.
func compileForms(sources []string, translate func(string) ([]string, error), c *compiledRule, bad func(error)) (forms []*form) {
	for _, source := range sources {
		translated, err := translate(source)
		if err != nil {
			bad(err)
			continue
		}
		for _, expr := range translated {
			f := &form{rule: c, expr: expr, names: c.captures, halves: c.halves}
			if !c.from.shipped {
				if err := f.check(); err != nil {
					bad(err)
					break
				}
			}
			forms = append(forms, f)
		}
	}
	return forms
}

func atLeastOne(n *int, key string, bad func(string, error)) int {
	if n == nil {
		return 1
	}
	if *n < 1 {
		bad(key, fmt.Errorf("%s is %d; it is at least 1", key, *n))
	}
	return *n
}
