package config

import (
	"maps"
	"path"
	"slices"
	"strconv"

	"bailiff/rules/tomlkeys"
)

// homes reads the unit of every [pack.NAME].
func homes(all *table) map[string][]string {
	out := make(map[string][]string)
	for _, name := range slices.Sorted(maps.Keys(all.values)) {
		pack := all.sub(name)
		if pack.values == nil {
			continue
		}
		pack.each("unit", false, func(key, glob string) {
			if _, err := path.Match(glob, ""); err != nil || glob == "" {
				pack.fail(key, `write it like "asterisk.service" or "pbx-*.service"`, "%q is no glob of units", glob)
				return
			}
			out[name] = append(out[name], glob)
		})
		if !pack.has("unit") || len(pack.values) == 0 {
			pack.fail(pack.path, `name the units whose journal entries the pack believes: unit = ["my-pbx.service"]`, "the table says nothing")
		}
		pack.done()
	}
	return out
}

// Resolve returns the configuration for these packs: what names a pack that is not
// there is an error, also in a jail that is not enabled, as a typing mistake does
// not get better by waiting; and Others is replaced by those of common that it
// stands for, in their order. The error is an Errors.
func (c *Config) Resolve(packs, common []string) (*Config, error) {
	var errs []*Error
	missing := func(pack, key, at string) {
		file := c.File
		if file == "" {
			file = "built-in configuration"
		}
		e := &Error{File: file, Line: c.lines[at], Key: key, Msg: "there is no pack " + strconv.Quote(pack)}
		if n := tomlkeys.Nearest(pack, packs); n != "" {
			e.hint = "did you mean " + strconv.Quote(n) + "?"
		} else {
			e.hint = "bailiff rules lists them"
		}
		errs = append(errs, e)
	}
	named := map[string]bool{Others: true}
	for _, j := range c.Jails {
		for i, pack := range j.Packs {
			named[pack] = true
			if key := tomlkeys.Join("jail."+j.Name, "packs"); pack != Others && !slices.Contains(packs, pack) {
				missing(pack, key, key+"["+strconv.Itoa(i)+"]")
			}
		}
	}
	for key, feed := range c.feeds() {
		for i, pack := range feed.Packs {
			if !slices.Contains(packs, pack) {
				missing(pack, key+".packs", key+".packs["+strconv.Itoa(i)+"]")
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Units)) {
		if key := tomlkeys.Join("pack", name); !slices.Contains(packs, name) {
			missing(name, key, key)
		}
	}
	if err := sorted(errs); err != nil {
		return nil, err
	}
	others := slices.DeleteFunc(slices.Clone(common), func(p string) bool { return named[p] })
	out := *c
	out.Jails = slices.Clone(c.Jails)
	for i := range out.Jails {
		j := &out.Jails[i]
		if at := slices.Index(j.Packs, Others); at >= 0 {
			j.Packs = slices.Replace(slices.Clone(j.Packs), at, at+1, others...)
		}
	}
	return &out, nil
}
