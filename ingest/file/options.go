package file

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"bailiff/ingest"
	"bailiff/ingest/stream"
)

// Formats are those that a file can have; see stream.Format.
var Formats = []stream.Format{stream.Auto, stream.Syslog, stream.Message, stream.NDJSON}

// Options configures a Source. The zero value is not valid; start from
// DefaultOptions.
type Options struct {
	// Name is the name of the source.
	Name string
	// Paths are absolute paths or globs (path/filepath.Match) of log files.
	Paths []string
	// Format says what the lines are.
	Format stream.Format
	// Identifier is the identifier of lines that carry none.
	Identifier string
	// Trust is how far the lines are believed.
	Trust ingest.Trust
	// FromStart reads the files that are there on a first start from their
	// beginning instead of from their end.
	FromStart bool
	// Cursor resumes behind the entry that carried it; empty is a first
	// start.
	Cursor []byte
	// Logger reports gaps and what cannot be read; nil discards.
	Logger *slog.Logger
	// Now is the clock; nil means time.Now. Its zone is the zone of stamps that
	// name none.
	Now func() time.Time

	// For tests: polled turns notification off, and every is how often the globs
	// are asked in any case.
	polled bool
	every  time.Duration
	// afterRead is called between reading a chunk and asking whether it is still
	// of the file that was meant.
	afterRead func()
}

// DefaultOptions returns options that tell the format by themselves.
func DefaultOptions() Options { return Options{Name: "file", Format: stream.Auto} }

// Validate reports every option that cannot work.
func (o Options) Validate() error {
	var errs []error
	if o.Name == "" {
		errs = append(errs, errors.New("name is empty"))
	}
	if len(o.Paths) == 0 {
		errs = append(errs, errors.New("no path is given"))
	}
	for _, p := range o.Paths {
		errs = append(errs, CheckPath(p))
	}
	if !slices.Contains(Formats, o.Format) {
		var names []string
		for _, f := range Formats {
			names = append(names, string(f))
		}
		errs = append(errs, fmt.Errorf("format %q is unknown: want %s", o.Format, strings.Join(names, ", ")))
	}
	return errors.Join(errs...)
}

// CheckPath says what is wrong with a path or glob, nil if nothing is.
func CheckPath(p string) error {
	switch _, err := filepath.Match(p, ""); {
	case err != nil:
		return fmt.Errorf("%q is no glob: a bracket is not closed, or nothing follows a backslash", p)
	case !filepath.IsAbs(p):
		return fmt.Errorf("%q is not an absolute path", p)
	case strings.HasSuffix(p, "/"):
		return fmt.Errorf("%q is a directory: write %q for the files in it", p, p+"*")
	case strings.Contains(p, "**"):
		return fmt.Errorf("%q has **, which means no more than *: write one * for each directory", p)
	}
	return nil
}
