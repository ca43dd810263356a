// Package journald reads the local systemd journal.
//
// Of all transports the journal alone can say who wrote a line: the fields
// whose names begin with an underscore are set by systemd-journald from the
// kernel's credentials of the sender (systemd.journal-fields(7)), so the
// entries of this source are vouched for. That holds for the system journal
// of this machine only, which is the only one a [Source] opens unless
// Options.Dir says otherwise.
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
// # Build
//
// Reading needs cgo and, at build time only, the headers of libsystemd. Built
// without them, Run says so and everything else works.
package journald

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"sync/atomic"
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
	// Dir is a directory of journal files to read instead of the system
	// journal of this machine. Its entries are vouched for like those of the
	// system journal, so it must be one that only journald writes to.
	Dir string
	// Cursor resumes behind the entry that carried it. Empty means a first
	// start.
	Cursor []byte
	// Since is how far a first start reads back; zero starts with the next
	// line written. A Cursor that cannot be read counts as a first start.
	Since time.Duration
	// Logger reports gaps and restarts; nil discards.
	Logger *slog.Logger
}

// DefaultOptions returns the options for the system journal, read within the
// process from its end.
func DefaultOptions() Options {
	return Options{Name: "journald"}
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
	return errors.Join(errs...)
}

// Source reads the journal. It implements ingest.Source and ingest.Counter.
type Source struct {
	opts Options
	log  *slog.Logger

	// Owned by Run.
	cursor []byte       // of the last entry handed to the handler
	entry  ingest.Entry // reused for every call of the handler

	delivered, truncated, lost, gaps, restarts atomic.Uint64
}

// New returns a source. It opens nothing and starts nothing.
func New(opts Options) (*Source, error) {
	if err := opts.Validate(); err != nil {
		return nil, fmt.Errorf("journald source: %w", err)
	}
	if len(opts.Reader) > 0 {
		if _, err := exec.LookPath(opts.Reader[0]); err != nil {
			return nil, fmt.Errorf("journald source: reader: %w", err)
		}
	}
	log := opts.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Source{
		opts:   opts,
		log:    log.With("source", opts.Name),
		cursor: append([]byte(nil), opts.Cursor...),
	}, nil
}

// Name returns Options.Name.
func (s *Source) Name() string { return s.opts.Name }

// Counts tells delivered and truncated entries, entries lost to vacuuming as
// far as their number is known, gaps, and restarts of the reader. It may be
// called at any time.
func (s *Source) Counts() []ingest.Count {
	return []ingest.Count{
		{Name: "delivered", N: s.delivered.Load()},
		{Name: "truncated", N: s.truncated.Load()},
		{Name: "lost", Reason: "vacuumed", N: s.lost.Load()},
		{Name: "gaps", Reason: "vacuumed", N: s.gaps.Load()},
		{Name: "restarts", Reason: "reader died", N: s.restarts.Load()},
	}
}

// Run reads until ctx is done and calls h for every entry from the calling
// goroutine, in the order of the journal, each entry with its Cursor. A
// journal that does not exist or may not be read is an *Error; every other
// failure is retried behind the last entry handed on.
func (s *Source) Run(ctx context.Context, h ingest.Handler) error {
	return errNotYet
}

var errNotYet = errors.New("journald: not implemented")
