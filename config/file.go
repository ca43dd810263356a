package config

import (
	"slices"
	"strconv"
	"strings"

	"bailiff/ingest/file"
	"bailiff/ingest/stream"
)

// File is a source of log files.
type File struct {
	Feed

	// Name is the name of the source, which positions are found by.
	Name string
	// Paths are paths or globs.
	Paths []string
	// Format is what the lines are, and Identifier that of lines without one.
	Format, Identifier string
	// FromStart reads files that are there on the first start from their
	// beginning.
	FromStart bool
}

// files reads every [[source.file]].
func files(source *table) []File {
	var all []File
	for _, t := range source.subs("file") {
		if f, ok := logFile(t); ok {
			all = append(all, f)
		}
	}
	return all
}

// logFile reads one [[source.file]].
func logFile(t *table) (f File, ok bool) {
	defer t.done()
	before := len(t.errors)
	defaults := file.DefaultOptions()
	f.Format = string(defaults.Format)
	t.string("name", &f.Name)
	if t.has("name") && strings.TrimSpace(f.Name) == "" {
		t.fail(t.key("name"), "", "is empty")
	}
	there := t.each("path", false, func(path, glob string) {
		if err := file.CheckPath(glob); err != nil {
			t.fail(path, `write it like "/var/log/asterisk/security_log" or "/var/log/*/access.log"`, "%v", err)
			return
		}
		f.Paths = append(f.Paths, glob)
	})
	if !t.has("path") || there && len(f.Paths) == 0 && len(t.errors) == before {
		t.fail(t.path, `add path = ["/var/log/asterisk/security_log"], say`, "the source has no path")
	}
	if t.string("format", &f.Format) && !slices.Contains(file.Formats, stream.Format(f.Format)) {
		var names []string
		for _, name := range file.Formats {
			names = append(names, strconv.Quote(string(name)))
		}
		t.fail(t.key("format"), "", "must be %s; it is %q", strings.Join(names, " or "), f.Format)
	}
	t.identifier(&f.Identifier)
	t.feed(&f.Feed)
	t.bool("from_start", &f.FromStart)
	if f.Name == "" && len(f.Paths) > 0 {
		f.Name = f.Paths[0]
	}
	return f, len(t.errors) == before
}

// Options returns the options of the source. Its position is the caller's to set.
func (f *File) Options() file.Options {
	opts := file.DefaultOptions()
	opts.Name, opts.Paths = f.Name, f.Paths
	opts.Format, opts.Identifier = stream.Format(f.Format), f.Identifier
	opts.FromStart = f.FromStart
	if f.Trust != nil {
		opts.Trust = *f.Trust
	}
	return opts
}
