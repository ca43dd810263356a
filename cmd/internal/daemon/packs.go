package daemon

import (
	"errors"
	"io/fs"
	"slices"

	"bailiff/config"
	"bailiff/rules"
)

// Packs returns every pack that jails may name: the shipped ones, each replaced
// by the one of the same name in the rules directory if there is one, and the
// operator's own. All samples have been run. A missing rules directory is empty
// if it is the default one.
func Packs(c *config.Config) ([]*rules.Pack, error) {
	packs, err := rules.Embedded()
	if err != nil {
		return nil, err
	}
	own, err := rules.LoadDir(c.RulesDir)
	if errors.Is(err, fs.ErrNotExist) && c.RulesDir == config.DefaultRulesDir {
		own, err = nil, nil
	}
	if err != nil {
		return nil, err
	}
	var failures []error
	for _, p := range own {
		failures = append(failures, p.Check())
		i := slices.IndexFunc(packs, func(q *rules.Pack) bool { return q.Name == p.Name })
		if i >= 0 {
			packs[i] = p
		} else {
			packs = append(packs, p)
		}
	}
	return packs, errors.Join(failures...)
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
