// Package stream reads log lines from files, pipes and standard input.
//
// [Scanner] is the plain loop over a reader, with line numbers; [Source] makes
// an ingest.Source of it. Lines are trusted as far as whoever named the file
// trusts them: no entry is vouched for, and a stamp in a line is when it
// happened.
package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"bailiff/ingest"
)

// Source reads one stream to its end. It implements ingest.Source and
// ingest.Counter.
type Source struct {
	opts Options
	r    io.Reader

	lines *ingest.Ledger
	page  *ingest.Page // written by Run alone
}

// New returns a source that reads r. It reads nothing yet and never closes r.
func New(r io.Reader, opts Options) (*Source, error) {
	if err := opts.Validate(); err != nil {
		return nil, fmt.Errorf("stream source: %w", err)
	}
	s := &Source{opts: opts, r: r, lines: new(ingest.Ledger)}
	s.page = s.lines.Page()
	return s, nil
}

// Name returns Options.Name.
func (s *Source) Name() string { return s.opts.Name }

// Counts tells what became of the entries; see ingest.Balance.
func (s *Source) Counts() []ingest.Count {
	return s.lines.Counts(ingest.Truncated, ingest.MalformedExport, ingest.MalformedJSON)
}

// Run hands out every entry from the calling goroutine. It returns nil at the
// end of the stream or when ctx is done. A reader that blocks is woken by ctx
// only if it has a SetReadDeadline that works, as pipes and sockets have.
func (s *Source) Run(ctx context.Context, h ingest.Handler) error {
	sc, err := NewScanner(s.r, s.opts)
	if err != nil {
		return err
	}
	if d, ok := s.r.(interface{ SetReadDeadline(time.Time) error }); ok {
		_ = d.SetReadDeadline(time.Time{}) // of a run before
		woken := make(chan struct{})
		stop := context.AfterFunc(ctx, func() { defer close(woken); _ = d.SetReadDeadline(time.Unix(1, 0)) })
		defer func() {
			if !stop() {
				<-woken // so that it does not wake a run that comes after
			}
		}()
	}
	s.scan(sc, h, func() bool { return ctx.Err() == nil })
	if err := sc.Err(); err != nil && !(ctx.Err() != nil && errors.Is(err, os.ErrDeadlineExceeded)) {
		return fmt.Errorf("read %s: %w", s.opts.Name, err)
	}
	return nil
}

// scan hands out what there is, as long as on says so.
func (s *Source) scan(sc *Scanner, h ingest.Handler, on func() bool) {
	for on() {
		e, _, ok := sc.Next()
		// Malformed ones were passed over on the way to this entry.
		s.malformed(ingest.MalformedExport, &sc.malformed.export)
		s.malformed(ingest.MalformedJSON, &sc.malformed.json)
		if !ok {
			return
		}
		s.page.Add(ingest.Received)
		s.page.Entry(e)
		h(e)
		s.page.Add(ingest.Delivered)
		sc.dealt()
	}
}

// malformed counts n more entries that are none, and sets n to 0.
func (s *Source) malformed(f ingest.Fate, n *uint64) {
	s.page.AddN(ingest.Received, *n)
	s.page.AddN(f, *n)
	*n = 0
}
