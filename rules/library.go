package rules

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"bailiff/rules/tomlkeys"
)

// Library is the packs that jails may name: the shipped ones and an operator's,
// which stand beside them, replace them or extend them. The zero Library is empty.
// It belongs to one goroutine.
type Library struct {
	// Packs are sorted by how they came: the shipped ones first, each in its
	// place even if it was replaced or extended.
	Packs []*Pack
	// Stale are the files that replace a shipped pack of a higher version.
	Stale []Stale

	own map[string]string // name → the file that brought the pack
}

// Stale is a file that stands in the place of a shipped pack that has changed
// since the file was made of it.
type Stale struct {
	Pack, File string
	// Version is the file's, Shipped that of the pack it hides.
	Version, Shipped int
}

// Shipped returns a library of the shipped packs.
func Shipped() (*Library, error) {
	packs, err := Embedded()
	if err != nil {
		return nil, err
	}
	return &Library{Packs: packs}, nil
}

// Names returns the names of all packs, sorted.
func (l *Library) Names() []string {
	names := make([]string, len(l.Packs))
	for i, p := range l.Packs {
		names[i] = p.Name
	}
	slices.Sort(names)
	return names
}

// Common returns the names of the packs that are not optional, sorted.
func (l *Library) Common() []string {
	return slices.DeleteFunc(l.Names(), func(name string) bool { return l.Pack(name).Optional })
}

// Pack returns the pack of a name, or nil.
func (l *Library) Pack(name string) *Pack {
	if i := l.index(name); i >= 0 {
		return l.Packs[i]
	}
	return nil
}

func (l *Library) index(name string) int {
	return slices.IndexFunc(l.Packs, func(p *Pack) bool { return p.Name == name })
}

// Parse reads a pack as [Parse] does, also one that extends a pack of the
// library. It adds nothing to the library.
func (l *Library) Parse(file string, data []byte) (*Pack, error) {
	return parsePack(file, data, func(name string) (*Pack, error) {
		if p := l.Pack(name); p != nil {
			return p.whole()
		}
		err := hinted{msg: fmt.Sprintf("there is no pack %q to extend", name)}
		if near := tomlkeys.Nearest(name, l.Names()); near != "" {
			err.remedy = fmt.Sprintf("did you mean %q?", near)
		}
		return nil, err
	})
}

// AddDir adds the packs *.toml of a directory and runs all samples of what they
// change: first those that stand for themselves, then those that extend one, each
// sorted by file name. A file must belong to root or to the user that runs, and nobody
// else may write to it or to the directory. The error joins those of all files; it
// wraps [fs.ErrNotExist] if there is no directory. The library is of no use then.
func (l *Library) AddDir(dir string) error {
	files, err := readDir(dir)
	if files == nil {
		return err
	}
	errs := []error{err}
	for _, extending := range []bool{false, true} {
		for _, f := range files {
			if f.data != nil && extends(f.data) == extending {
				errs = append(errs, l.add(f.path, f.data))
			}
		}
	}
	for _, p := range l.Packs {
		if l.own[p.Name] != "" {
			errs = append(errs, p.Check())
		}
	}
	return errors.Join(errs...)
}

// add adds one pack.
func (l *Library) add(path string, data []byte) error {
	p, err := l.Parse(path, data)
	if err != nil {
		return err
	}
	i, earlier := l.index(p.Name), l.own[p.Name]
	switch {
	case i < 0:
		l.Packs = append(l.Packs, p)
	case p.head.Extends != "":
		l.Packs[i] = p
	case earlier != "":
		return p.fault("pack.name", "", hinted{
			fmt.Sprintf("pack %s is also in %s", p.Name, earlier),
			fmt.Sprintf("give one of them another name, or write extends = %q instead of name", p.Name),
		})
	default:
		if shipped := l.Packs[i]; p.Version < shipped.Version {
			l.Stale = append(l.Stale, Stale{p.Name, p.File, p.Version, shipped.Version})
		}
		l.Packs[i] = p
	}
	if l.own == nil {
		l.own = make(map[string]string)
	}
	l.own[p.Name] = path
	return nil
}

// Rehome lets a pack believe the journal entries of these units (globs) instead of
// its own.
func (l *Library) Rehome(name string, units []string) {
	i := l.index(name)
	if i < 0 {
		return
	}
	p := *l.Packs[i]
	p.trust.units, p.trust.anyUnit = slices.Clone(units), false
	l.Packs[i] = &p
}

// Identifiers returns the tags whose lines the pack reads, in the order in which its
// rules name them.
func (p *Pack) Identifiers() []string {
	var out []string
	for _, r := range p.rules {
		for _, id := range r.identifiers {
			if !slices.Contains(out, id) {
				out = append(out, id)
			}
		}
	}
	return out
}

// Units returns the globs of the units whose journal entries the pack believes; "*"
// if it believes all.
func (p *Pack) Units() []string {
	if p.trust.anyUnit {
		return []string{"*"}
	}
	return slices.Clone(p.trust.units)
}

// inherit takes from base what a pack that extends it does not say itself.
func (h *packHead) inherit(base *Pack, p *problems) {
	if h.Name != "" && h.Name != base.Name {
		p.add("pack.name", "", hinted{"a pack that extends another has that one's name", "leave name out"})
	}
	if m := h.Match; len(m.Unit) > 0 || len(m.UID) > 0 || m.AnyUnit {
		p.add("pack.match", "", hinted{
			"whose journal entries are believed is said by the pack that is extended",
			fmt.Sprintf("write [pack.%s] with unit = [...] in the configuration", base.Name),
		})
	}
	b := base.head
	h.Name, h.Description, h.Version, h.Needs, h.Optional = b.Name, b.Description, b.Version, b.Needs, b.Optional
	if h.Evidence == "" {
		h.Evidence = b.Evidence
	}
	if h.Cut == 0 {
		h.Cut = b.Cut
	}
	if h.SessionTime == "" {
		h.SessionTime = b.SessionTime
	}
	if h.SessionEarly == "" {
		h.SessionEarly = b.SessionEarly
	}
	if len(h.Match.Identifier) == 0 {
		h.Match.Identifier = b.Match.Identifier
	}
	h.Guaranteed = slices.Concat(h.Guaranteed, b.Guaranteed)
	h.Types = join(h.Types, b.Types, "pack.types.", p)
	h.Define = join(h.Define, b.Define, "pack.define.", p)
}

// join returns own and what base has besides.
func join[T any](own, base map[string]T, path string, p *problems) map[string]T {
	all := make(map[string]T, len(own)+len(base))
	maps.Copy(all, base)
	for name, v := range own {
		if _, there := base[name]; there {
			p.add(path+name, "", hinted{fmt.Sprintf("<%s> is there already, in the pack that is extended", name), "choose another name"})
		}
		all[name] = v
	}
	return all
}

// extend adds to the pack's own rules, which come first, those of base that f does
// not disable.
func (p *Pack) extend(base *Pack, f *packFile, found *problems) {
	var names []string
	for _, r := range base.rules {
		names = append(names, r.Name)
	}
	for i, name := range f.Pack.Disable {
		if !slices.Contains(names, name) {
			found.add(fmt.Sprintf("pack.disable[%d]", i), "", unknown("rule", name, names))
		}
	}
	own := len(p.rules)
	for _, r := range base.rules {
		if slices.Contains(f.Pack.Disable, r.Name) {
			continue
		}
		if i := slices.IndexFunc(p.rules[:own], func(q *compiledRule) bool { return q.Name == r.Name }); i >= 0 {
			found.add(fmt.Sprintf("rule[%d].name", i), r.Name, hinted{
				"the pack that is extended has a rule of that name",
				fmt.Sprintf("choose another name, or write disable = [%q] to replace it", r.Name),
			})
		}
		p.rules, p.Rules = append(p.rules, r), append(p.Rules, r.Rule)
	}
	p.trust = base.trust
	p.File = base.File + " + " + p.File
}

// extends says whether the text of a pack extends another; what is no TOML does
// not.
func extends(data []byte) bool {
	for key := range tomlkeys.Locate(string(data)) {
		if strings.EqualFold(key, "pack.extends") {
			return true
		}
	}
	return false
}
