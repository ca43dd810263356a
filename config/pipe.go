package config

import (
	"fmt"
	"os/user"
	"slices"
	"strconv"
	"strings"

	"bailiff/ingest/stream"
)

// Pipe is a named pipe as a source.
type Pipe struct {
	Feed
	// Name is the name of the source.
	Name string
	Path string
	// Format is what the lines are, and Identifier that of lines without one.
	Format     stream.Format
	Identifier string
	// Group is the number of the group whose members may write; -1 for none.
	Group int
}

// pipes reads every [[source.pipe]].
func pipes(source *table) []Pipe {
	var all []Pipe
	first := make(map[string]string) // path or name → table that has it
	for _, t := range source.subs("pipe") {
		p, ok := pipe(t)
		if !ok {
			continue
		}
		for _, name := range slices.Compact([]string{p.Path, p.Name}) {
			if other, twice := first[name]; twice {
				t.fail(t.path, "give each a path and a name of its own", "line %d has a source %q", t.lines[other], name)
				ok = false
				break
			}
			first[name] = t.path
		}
		if ok {
			all = append(all, p)
		}
	}
	return all
}

// pipe reads one [[source.pipe]].
func pipe(t *table) (p Pipe, ok bool) {
	defer t.done()
	before := len(t.errors)
	p.Format, p.Group = stream.Auto, -1
	if !t.absolute("path", &p.Path) && !t.has("path") {
		t.fail(t.path, `add path = "/run/bailiff/log.fifo", say`, "the source has no path")
	}
	p.Name = p.Path
	if t.string("name", &p.Name) && strings.TrimSpace(p.Name) == "" {
		t.fail(t.key("name"), "", "is empty")
	}
	if t.string("format", (*string)(&p.Format)) {
		opts := stream.DefaultOptions()
		opts.Format = p.Format
		if err := opts.Validate(); err != nil {
			t.fail(t.key("format"), "", "%v", err)
		}
	}
	t.identifier(&p.Identifier)
	t.feed(&p.Feed)
	var group string
	if t.string("group", &group) {
		var err error
		if p.Group, err = lookupGroup(group); err != nil {
			t.fail(t.key("group"), "name a group of this machine, or the number of one", "%v", err)
		}
	}
	return p, len(t.errors) == before
}

// lookupGroup returns the number of a group, which may be given by number.
func lookupGroup(name string) (int, error) {
	if n, err := strconv.ParseUint(name, 10, 31); err == nil {
		return int(n), nil
	}
	g, err := user.LookupGroup(name)
	if err != nil {
		return -1, fmt.Errorf("there is no group %q", name)
	}
	return strconv.Atoi(g.Gid)
}

// Options returns the options of the source.
func (p *Pipe) Options() stream.FifoOptions {
	opts := stream.FifoOptions{Options: stream.DefaultOptions(), Path: p.Path, Group: p.Group}
	opts.Name, opts.Format, opts.Identifier = p.Name, p.Format, p.Identifier
	if p.Trust != nil {
		opts.Trust = *p.Trust
	}
	opts.Stamps = stream.ZonedStamps
	return opts
}
