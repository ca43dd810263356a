package config

import (
	"path/filepath"
	"strings"

	"bailiff/ingest/journald"
)

// Journald is one journal as a source.
type Journald struct {
	Feed

	// Name is the name of the source, which its position is found by.
	Name    string
	Enabled bool
	// Namespace is that of the journal; empty is the system's.
	Namespace string
	// Dir holds journals that were collected from other machines; empty is
	// this machine's.
	Dir string

	path string // of its table
}

// journals reads [source.journald] or every [[source.journald]].
func journals(source *table) []Journald {
	var tables []*table
	switch source.values["journald"].(type) {
	case []any, []map[string]any:
		tables = source.subs("journald")
	default:
		tables = []*table{source.sub("journald")}
	}
	var all []Journald
	places := make(map[string]string) // to the path of the table
	for _, t := range tables {
		j := journal(t)
		place := j.Namespace + "\x00" + j.Dir
		if other, twice := places[place]; twice {
			t.fail(t.path, "remove one of the two: an attempt would count twice", "this journal is read by line %d already", t.lines[other])
			continue
		}
		places[place] = t.path
		all = append(all, j)
	}
	return all
}

// journal reads one [source.journald].
func journal(t *table) Journald {
	j := Journald{Enabled: true, path: t.path}
	t.string("name", &j.Name)
	if t.has("name") && strings.TrimSpace(j.Name) == "" {
		t.fail(t.key("name"), "", "is empty")
	}
	t.bool("enabled", &j.Enabled)
	if t.string("namespace", &j.Namespace) {
		if err := journald.CheckNamespace(j.Namespace); err != nil {
			t.fail(t.key("namespace"), `write it as in LogNamespace= of the unit: "pbx"`, "%v", err)
		}
	}
	if t.absolute("dir", &j.Dir) && t.has("namespace") {
		t.fail(t.key("dir"), "make a [[source.journald]] of each", "means nothing beside namespace")
	}
	t.feed(&j.Feed)
	t.done()
	if strings.TrimSpace(j.Name) == "" {
		j.Name = journald.DefaultOptions().Name
		switch {
		case j.Namespace != "":
			j.Name += "-" + j.Namespace
		case j.Dir != "":
			j.Name += "-" + filepath.Base(j.Dir)
		}
	}
	return j
}

// Options returns the options of the source. Its position, how far to read back
// and the reader's command are the caller's to set.
func (j *Journald) Options() journald.Options {
	opts := journald.DefaultOptions()
	opts.Name, opts.Namespace, opts.Dir, opts.Trust = j.Name, j.Namespace, j.Dir, j.Trust
	return opts
}
