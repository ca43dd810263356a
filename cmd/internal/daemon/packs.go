package daemon

import (
	"errors"
	"io/fs"
	"slices"

	"bailiff/config"
	"bailiff/rules"
)

// Library returns every pack that jails may name: the shipped ones and those of the
// rules directory, with the units that the configuration gives them. The samples of
// whatever is not shipped as it is have been run. A missing rules directory is
// empty if it is the default one.
func Library(c *config.Config) (*rules.Library, error) {
	l, err := rules.Shipped()
	if err != nil {
		return nil, err
	}
	err = l.AddDir(c.RulesDir)
	if err != nil && !(errors.Is(err, fs.ErrNotExist) && c.RulesDir == config.DefaultRulesDir) {
		return nil, err
	}
	for name, units := range c.Units {
		l.Rehome(name, units)
	}
	return l, nil
}

// used returns the packs that an enabled jail names: what nobody judges need not
// be matched.
func used(packs []*rules.Pack, c *config.Config) []*rules.Pack {
	var out []*rules.Pack
	for _, p := range packs {
		if slices.ContainsFunc(c.Jails, func(j config.Jail) bool {
			return j.Enabled && slices.Contains(j.Packs, p.Name)
		}) {
			out = append(out, p)
		}
	}
	return out
}
