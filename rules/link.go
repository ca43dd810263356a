package rules

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"bailiff/ingest"
	"bailiff/rules/tomlkeys"
)

// link is how a rule names a session: by the values of some placeholders. Rules of a
// pack that name the same placeholders speak of the same sessions.
type link struct {
	names    []string
	captures []int // of the names; process: the process that wrote the entry
	// strange says that a stranger may choose the values: what he calls a
	// session by may be the name of another's.
	strange bool
}

// process is the capture of the name pid in a rule that has no placeholder of that
// name.
const process = -1

// space is the name of the sessions that l speaks of.
func (l *link) space() string { return strings.Join(l.names, " ") }

// toml spells the names as a pack does.
func (l *link) toml() string {
	if len(l.names) == 1 {
		return strconv.Quote(l.names[0])
	}
	return `["` + strings.Join(l.names, `", "`) + `"]`
}

// links compiles bind, session and end. It comes before the patterns are compiled,
// because it says what is to be captured.
func (r *ruleFile) links(c *compiledRule, g *grammar, bad func(string, error)) {
	c.binds = r.link("bind", r.Bind, c, g, bad)
	c.uses = r.link("session", r.Session, c, g, bad)
	c.ends = r.End
	switch {
	case !r.End:
	case c.uses == nil:
		bad("end", hinted{"there is no session to end", `write session = "NAME" besides`})
	case c.uses.strange:
		// Else whoever knows another's key could end the session and begin it anew.
		bad("end", hinted{"a stranger may choose what names the session, and could end that of another", "leave end out, and let it last for session_time"})
	}
}

func (r *ruleFile) link(key string, names []string, c *compiledRule, g *grammar, bad func(string, error)) *link {
	if len(names) == 0 {
		return nil
	}
	l := &link{names: names}
	for i, name := range names {
		kinds := r.kinds(g, name)
		switch {
		case !isName(name) || name == "addr":
			bad(key, hinted{fmt.Sprintf("%q is not the name of a placeholder", name), fmt.Sprintf(`write %s = "NAME" for <NAME:int>`, key)})
			return nil
		case slices.Contains(names[:i], name):
			bad(key, fmt.Errorf("%q is there twice", name))
			return nil
		case name == "pid" && len(kinds) == 0:
			l.captures = append(l.captures, process)
		default:
			l.captures = append(l.captures, c.capture(name, key))
			l.strange = l.strange || slices.ContainsFunc(kinds, func(kind string) bool { return !slices.Contains(ownKinds, kind) })
		}
	}
	return l
}

// ownKinds are the types of what a daemon numbers by itself.
var ownKinds = []string{"callid", "hex", "int", "port"}

// kinds returns the types that placeholders of a name have in the rule; "" is that of
// a group.
func (r *ruleFile) kinds(g *grammar, name string) (kinds []string) {
	var add func(pattern string, deeper bool)
	add = func(pattern string, deeper bool) {
		parts, _ := pieces(pattern) // what is wrong with it is told elsewhere
		for _, p := range parts {
			if p.kind != "" && p.name == name {
				kinds = append(kinds, p.kind)
			}
			if deeper {
				for _, alternative := range g.define[p.kind] {
					add(alternative, false)
				}
			}
		}
	}
	for _, p := range r.Pattern {
		add(p, true)
	}
	for _, value := range r.Field {
		for _, p := range value.oneOrMore {
			add(p, true)
		}
	}
	for _, expr := range r.Regex {
		if strings.Contains(expr, "(?P<"+name+">") || strings.Contains(expr, "(?<"+name+">") {
			kinds = append(kinds, "")
		}
	}
	return kinds
}

// linked says that the rule speaks of sessions.
func (r *compiledRule) linked() bool { return r.binds != nil || r.uses != nil }

// checkLinks checks what the patterns say of the sessions.
func (r *compiledRule) checkLinks(bad func(string, error)) {
	if r.binds != nil && r.account < 0 && !slices.ContainsFunc(r.texts(), func(forms []*form) bool { return forms[0].after != nil }) {
		bad("bind", hinted{"there is nothing to bind: neither an address nor an account", `put <addr> where the daemon prints the peer, or write account = "NAME"`})
	}
	for n, key := range []string{"bind", "session"} {
		l := []*link{r.binds, r.uses}[n]
		if l == nil {
			continue
		}
		for i, capture := range l.captures {
			if capture == process {
				continue
			}
			for _, forms := range r.texts() {
				has := func(f *form) bool { return f.captures[capture] != nil }
				if !slices.ContainsFunc(forms, has) {
					continue
				}
				switch {
				case slices.ContainsFunc(forms, func(f *form) bool { return !has(f) }):
					bad(key, hinted{fmt.Sprintf("an alternative has no placeholder %q", l.names[i]), "make a rule of its own of it"})
				case slices.ContainsFunc(forms, func(f *form) bool { return f.captures[capture].self == nil }):
					bad(key, hinted{fmt.Sprintf("<%s> may be any text, and where it ends is not known", l.names[i]), "take a narrower type"})
				}
			}
		}
	}
}

// keys returns the captures that name sessions.
func (r *compiledRule) keys() (captures []int) {
	for _, l := range []*link{r.binds, r.uses} {
		if l != nil {
			captures = append(captures, l.captures...)
		}
	}
	return slices.DeleteFunc(captures, func(i int) bool { return i == process })
}

// texts returns the alternatives for the message and for each field.
func (r *compiledRule) texts() [][]*form {
	var out [][]*form
	if len(r.forms) > 0 {
		out = append(out, r.forms)
	}
	for _, c := range r.conditions {
		out = append(out, c.forms)
	}
	return out
}

// spaces notes for each kind of session of the pack whether a stranger may choose its
// key, and finds rules that use sessions which no rule binds.
func (p *Pack) spaces(found *problems) {
	p.strange = make(map[string]bool)
	var names []string
	for _, r := range p.rules {
		if r.binds != nil {
			names = append(names, r.binds.space())
			p.strange[r.binds.space()] = p.strange[r.binds.space()] || r.binds.strange
		}
	}
	for _, r := range p.rules {
		if r.uses == nil || slices.Contains(names, r.uses.space()) {
			continue
		}
		err := hinted{fmt.Sprintf("no rule binds %s", r.uses.toml()), fmt.Sprintf("write bind = %s in the rule of the line that names the client", r.uses.toml())}
		if near := tomlkeys.Nearest(r.uses.space(), names); near != "" {
			err.remedy = fmt.Sprintf("did you mean %q?", near)
		}
		found.errs = append(found.errs, r.from.fault(r.path+".session", r.Name, err))
	}
}

// sessionTime is how long a session lasts after the last line about it, unless the
// pack says otherwise.
const sessionTime = 10 * time.Minute

// span reads a length of time of the pack's.
func (p *problems) span(key, text string, otherwise time.Duration) time.Duration {
	if text == "" {
		return otherwise
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		p.add("pack."+key, "", hinted{fmt.Sprintf("%q is no length of time", text), `write "10m" or "24h"`})
	}
	return d
}

// errNoKey says that a line names no session, or could be read to name several.
var errNoKey = errors.New("no key")

// key returns the key of the session that the entry names, which the rule has read. A
// key that the line could be read to hold two of is none.
func (p *packForms) key(r *compiledRule, l *link, e *ingest.Entry, sc *scratch) (sessionKey, error) {
	b := sc.key[:0]
	add := func(s string) { b = append(binary.AppendUvarint(b, uint64(len(s))), s...) }
	var sender string
	if e.Peer.IsValid() {
		sender = e.Peer.Addr().String()
	}
	for _, s := range [...]string{p.Name, l.space(), e.Source, sender, string(e.Host)} {
		add(s)
	}
	if e.Vouched {
		add(string(e.Unit)) // daemons of one machine may count alike; those of one unit are one
	}
	for _, capture := range l.captures {
		value := pidOf(e)
		if capture != process {
			value = r.only(capture, e, sc)
		}
		if len(value) == 0 {
			return sessionKey{}, errNoKey
		}
		add(string(value))
	}
	sc.key = b
	sum := sha256.Sum256(b)
	return sessionKey(sum[:]), nil
}

// pidOf returns the process that wrote the entry, as far as that is known.
func pidOf(e *ingest.Entry) []byte {
	switch {
	case !e.Vouched:
		return e.ProcID
	case e.PID > 0:
		return strconv.AppendInt(nil, int64(e.PID), 10)
	}
	return nil
}

// only returns what a capture stands for, nil if the rule has more than one reading
// of it.
func (r *compiledRule) only(capture int, e *ingest.Entry, sc *scratch) []byte {
	var value []byte
	for i, forms := range r.texts() {
		text, s := e.Message, sc
		if i > 0 {
			text, s = sc.fields.field(r.conditions[i-1], e), sc.fields.value
		}
		for _, f := range forms {
			c := f.captures[capture]
			if c == nil || f.after == nil && !f.before.matches(text) {
				continue
			}
			at := []reading{{token: token{start: len(text), end: len(text)}}}
			if f.after != nil {
				s.reset(text)
				at = f.readings(s)
			}
			for _, read := range at {
				one, ok := c.only(text, read.token)
				if !ok || value != nil && !bytes.Equal(one, value) {
					return nil
				}
				value = one
			}
		}
	}
	return value
}

// appendLinked appends the matches of a verdict whose rule speaks of sessions: first
// it uses the session that the line names, then it binds, then it ends. A line that
// came before the one that names its client is held back, and matches with that.
func (p *packForms) appendLinked(dst []Match, v *verdict, e *ingest.Entry, sc *scratch) []Match {
	r, t := v.form.rule, p.set.sessions
	addressed := slices.ContainsFunc(v.places, func(p place) bool { return p.form.after != nil })
	_, named := valueOf(v.places, r.account)
	var own []netip.Addr
	if addressed {
		for _, read := range v.addrs {
			own = append(own, read.addr)
		}
	}
	told := mention{pack: p.Name, source: e.Source, at: e.Time, lasts: p.lasts, early: p.early, spoofable: e.Spoofable}
	var known session
	used := errNoKey
	var key sessionKey
	if r.uses != nil {
		if key, used = p.key(r, r.uses, e, sc); used == nil {
			known = t.use(key, &told)
		}
		if !addressed {
			v.lookUp(known.addrs, e)
		}
	}
	m := v.match(e, &sc.fields)
	m.Spoofable = m.Spoofable || known.spoofable
	if !named {
		m.Account = known.account
	}
	switch {
	case len(v.addrs) > 0 || r.uses == nil || r.Event == Info || r.Event == Ignore:
		dst = append(dst, m)
	case used == nil && p.early > 0 && !p.strange[r.uses.space()] && t.hold(key, &told, m):
	default:
		t.unbound(p.Name)
		dst = append(dst, m)
	}
	if r.binds != nil && (addressed || named) {
		if key, err := p.key(r, r.binds, e, sc); err == nil {
			told.addrs, told.strange = own, p.strange[r.binds.space()]
			if named {
				told.account = m.Account
			}
			dst = append(dst, t.bind(key, &told)...)
		}
	}
	if r.ends && used == nil {
		t.end(key)
	}
	return dst
}

// lookUp gives a verdict without an address of its own those of its session. What
// other rules read in the line makes it ambiguous, and is not the address of a line
// whose session is not known.
func (v *verdict) lookUp(addrs []netip.Addr, e *ingest.Entry) {
	if len(addrs) == 0 {
		v.addrs = v.addrs[:0]
	}
	for i, addr := range addrs {
		v.add(reading{token{start: len(e.Message) + i}, addr})
	}
}

// known returns the addresses of the session that e names, if an exception of the rule
// is about them.
func (p *packForms) known(r *compiledRule, e *ingest.Entry, sc *scratch) []netip.Addr {
	if r.uses == nil || !slices.ContainsFunc(r.unless, func(x exception) bool { return x.capture < 0 }) {
		return nil
	}
	key, err := p.key(r, r.uses, e, sc)
	if err != nil {
		return nil
	}
	return p.set.sessions.addrs(key, e.Time)
}

// Sessions tells of the sessions of each pack whose rules speak of some, sorted by the
// pack. It may be called at any time.
func (s *Set) Sessions() []SessionCount { return s.sessions.counts() }

// Inherit has s go on with the sessions of a set that it replaces, and with what that
// has counted: sessions, refusals and near misses. It must be called before s is
// used; old may still be.
func (s *Set) Inherit(old *Set) {
	for _, r := range old.Refused() {
		if i := slices.IndexFunc(s.refused.packs, func(own Refusal) bool { return own.Pack == r.Pack }); i >= 0 {
			s.refused.packs[i] = r
		}
	}
	for _, n := range old.NearMisses() {
		if i := slices.IndexFunc(s.near.packs, func(own NearMiss) bool { return own.Pack == n.Pack }); i >= 0 {
			s.near.packs[i] = n
		}
	}
	for _, c := range s.sessions.counts() {
		old.sessions.known(c.Pack)
	}
	s.sessions = old.sessions
}
