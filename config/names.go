package config

import "fmt"

// apart checks that no two sources have one name, by which positions are found,
// lines are counted and jails choose. It is for a file without errors: what is left
// out of a list does not count there.
func (c *Config) apart(r *reader) {
	if len(r.errors) > 0 {
		return
	}
	first := make(map[string]string) // name → path of the table that has it
	take := func(name, path string) {
		if other, twice := first[name]; twice {
			at := "the built-in source"
			if line := r.lines[other]; line > 0 {
				at = fmt.Sprintf("that of line %d", line)
			}
			r.fail(path, "give each a name of its own: name = \"pbx\"", "the source has the name %q, and so has %s", name, at)
			return
		}
		first[name] = path
	}
	for i := range c.Journald {
		if j := &c.Journald[i]; j.Enabled {
			take(j.Name, j.path)
		}
	}
	for i := range c.Syslog {
		take(c.Syslog[i].source(), fmt.Sprintf("source.syslog[%d]", i))
	}
	for i := range c.Files {
		take(c.Files[i].Name, fmt.Sprintf("source.file[%d]", i))
	}
	for i := range c.Pipes {
		take(c.Pipes[i].Name, fmt.Sprintf("source.pipe[%d]", i))
	}
}
