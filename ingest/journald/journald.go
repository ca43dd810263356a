// Package journald reads the systemd journal: that of this machine, one of its
// namespaces, or journals that were collected from other machines.
//
// Of all transports the journal alone can say who wrote a line: the fields
// whose names begin with an underscore are set by systemd-journald from the
// kernel's credentials of the sender (systemd.journal-fields(7)), so the
// entries of this source are vouched for. That holds for the journals of this
// machine. In collected ones (Options.Dir) every field is what the other machine
// says, and whoever may upload there may say anything of any machine.
//
// # Two processes
//
// Up to systemd 254 a journal file that is truncated while it is mapped kills
// the reader with SIGBUS, and a Go program cannot survive that. So the journal
// is read by a child process ([ReaderMain]) that writes frames into a pipe;
// when it dies it is started again behind the last entry that was handed on.
// A full pipe makes the child wait.
//
// # What can be lost
//
// Vacuuming can overtake a reader, and a stored position can be gone when it
// is resumed. libsystemd says nothing in either case. The reader compares the
// sequence numbers that journald gives to neighbouring entries, so such a gap
// is counted, line by line where the numbers allow it, and logged with its
// length; reading goes on with the oldest entry behind it.
//
// # Collected journals
//
// libsystemd merges the files of a directory by the stamps in them and never goes
// back: of two machines the lines of the one whose clock is behind, or that uploads
// late, would not be seen. So each machine's journal is followed for itself, and
// the Cursor of an entry holds the positions in all of them.
//
// # Matches
//
// No match is set in libsystemd, though one can pay: if one entry of 100 is wanted,
// reading the rest costs 5.8 µs an entry more, one of 4 saves two thirds, and all wanted
// saves nothing (BenchmarkMatch). But entries that nobody sees leave holes in
// the numbers, and then a hole that vacuuming made is no longer told from them; nor could
// status count what came. 170,000 entries a second on one core are twice what journald
// takes in.
//
// # Fields
//
// The reader ships what every entry needs, and of the other fields those that
// Options.Fields and Source.AddFields name. Entry.Fields gives them and no others.
// A field that is there twice is not given, because journald keeps no order by
// which one could be told from the other, nor one longer than ingest.MaxMessage.
//
// # Build
//
// Reading needs cgo and, at build time only, the headers of libsystemd. Built
// without them, Run says so and everything else works.
package journald

import (
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"time"

	"bailiff/ingest"
)

// Options configures a Source. The zero value is not valid; start from
// DefaultOptions.
type Options struct {
	// Name is the name of the source.
	Name string
	// Reader is the command line of a program that calls ReaderMain with
	// what is appended to it. Empty reads within this process, for programs
	// that embed the source and accept the SIGBUS described above.
	Reader []string
	// Namespace is the namespace whose journal is read (LogNamespace= of
	// systemd.exec(5)); empty is the system journal.
	Namespace string
	// Dir is a directory of journals that were collected from other machines,
	// to read instead of those of this one. Their units and users are the
	// claims of those machines, as is the host that names their origin.
	Dir string
	// Origins names the machines whose journals are in Dir; nil names none.
	Origins *ingest.Origins
	// Trust takes the place of the trust in the system journal, TrustHigh, or
	// in those of Dir, TrustNormal; nil leaves that.
	Trust *ingest.Trust
	// Cursor resumes behind the entry that carried it. Empty means a first
	// start.
	Cursor []byte
	// Since is how far a first start reads back; zero starts with the next
	// line written. A Cursor that cannot be read counts as a first start.
	Since time.Duration
	// Fields names the fields that Entry.Fields gives. Each costs a search in
	// every entry.
	Fields []string
	// Logger reports gaps and restarts; nil discards.
	Logger *slog.Logger
}

// DefaultOptions returns the options for the system journal, read within the
// process from its end.
func DefaultOptions() Options {
	return Options{Name: "journald"}
}

// namespaceName is what a unit can be an instance of (systemd-journald@.service)
// and a directory can end in.
var namespaceName = regexp.MustCompile(`^[A-Za-z0-9:_-][A-Za-z0-9:_.-]{0,127}$`)

// CheckNamespace returns an error if name cannot be that of a namespace.
func CheckNamespace(name string) error {
	if !namespaceName.MatchString(name) {
		return fmt.Errorf("%q is no name of a namespace", name)
	}
	return nil
}

// Validate reports every option that cannot work.
func (o Options) Validate() error {
	var errs []error
	if o.Name == "" {
		errs = append(errs, errors.New("name is empty"))
	}
	if o.Since < 0 {
		errs = append(errs, fmt.Errorf("since is negative: %v", o.Since))
	}
	if o.Namespace != "" {
		if o.Dir != "" {
			errs = append(errs, errors.New("a directory has no namespaces"))
		}
		errs = append(errs, CheckNamespace(o.Namespace))
	}
	return errors.Join(append(errs, checkNames(o.Fields))...)
}
