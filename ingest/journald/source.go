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
	"bailiff/ingest/sender"
)

// Source reads the journal. It implements ingest.Source and ingest.Counter.
type Source struct {
	opts Options
	log  *slog.Logger

	asked asked

	// Owned by Run.
	handler ingest.Handler
	fields  values
	cursor  []byte       // behind the last entry dealt with
	places  places       // what it is made of, in collected journals
	entry   ingest.Entry // reused for every call of the handler
	signs   *ingest.Signs
	// In collected journals: the one of the last entry, who uploaded it, and the sign
	// of that machine.
	journal  []byte
	uploader string
	origin   ingest.Sign
	row      *sender.Sender
	senders  *sender.Table // the machines of collected journals

	lines                     ingest.Ledger
	page                      *ingest.Page // written by Run alone
	delivered, gaps, restarts atomic.Uint64
	lastGap                   atomic.Pointer[gap]
	broken                    broken
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
	s := &Source{
		opts:   opts,
		log:    log.With("source", opts.Name),
		asked:  asked{names: union(nil, opts.Fields)},
		cursor: append([]byte(nil), opts.Cursor...),
	}
	if opts.Dir != "" {
		s.cursor = s.places.restore(opts.Cursor)
	}
	earned := ingest.TrustHigh
	if opts.Dir != "" {
		earned = ingest.TrustNormal
	}
	s.signs = ingest.NewSigns(opts.Origins, earned, opts.Trust)
	s.origin = s.signs.Named(nil, "")
	s.senders = sender.NewTable()
	s.page = s.lines.Page()
	return s, nil
}

// Name returns Options.Name.
func (s *Source) Name() string { return s.opts.Name }

// Senders returns what is known of the machines whose journals were collected; of
// their clocks it is nothing, since their entries may be on their way for long.
func (s *Source) Senders() *sender.Table { return s.senders }

// Counts tells what became of the entries; see ingest.Balance. Refused ones are the
// rest of a line that journald split, and what a machine sent again. Lost ones were vacuumed away, as far as their
// number is known; gaps counts the holes that they left, and restarts how often the
// reader had to be started again. It may be called at any time.
func (s *Source) Counts() []ingest.Count {
	return append(s.lines.Counts(ingest.Truncated, ingest.RefusedRest, ingest.LostVacuumed),
		ingest.Count{Name: "gaps", Reason: "vacuumed", N: s.gaps.Load()},
		ingest.Count{Name: "restarts", Reason: "reader died", N: s.restarts.Load()})
}

// Detail tells of the gaps, in a sentence; it is empty while there is none.
func (s *Source) Detail() string {
	g := s.lastGap.Load()
	if g == nil {
		return ""
	}
	lost := "nobody knows how many entries"
	if g.lost > 0 {
		lost = fmt.Sprintf("%d entries", g.lost)
	}
	text := fmt.Sprintf("gap of %v up to %s: %s were removed before they were read",
		g.length().Round(time.Millisecond), time.UnixMicro(int64(g.to)).UTC().Format(time.RFC3339), lost)
	if n := s.gaps.Load(); n > 1 {
		text = fmt.Sprintf("%d gaps, the last a %s", n, text)
	}
	return text
}

const (
	minBackoff = 50 * time.Millisecond
	maxBackoff = 10 * time.Second
)

// Run reads until ctx is done and calls h for every entry from the calling
// goroutine, in the order of the journal, each entry with its Cursor. A
// journal that does not exist or may not be read is an *Error; every other
// failure is retried behind the last entry handed out. A later Run goes on
// where this one stopped.
func (s *Source) Run(ctx context.Context, h ingest.Handler) error {
	s.handler = h
	read := s.readHere
	if len(s.opts.Reader) > 0 {
		read = s.readChild
	}
	since := time.Now().Add(-s.opts.Since)
	backoff := minBackoff
	for {
		before := s.delivered.Load()
		names, reading, stop := s.asked.begin(ctx)
		s.fields = values{names: names}
		err := read(reading, query{dir: s.opts.Dir, namespace: s.opts.Namespace, cursor: string(s.cursor), since: since, fields: names})
		again := reading.Err() != nil
		stop()
		if ctx.Err() != nil {
			return nil
		}
		if again {
			continue
		}
		if last := (*Error)(nil); errors.As(err, &last) {
			return fmt.Errorf("read journal: %w", err)
		}
		s.restarts.Add(1)
		if s.delivered.Load() > before {
			backoff = minBackoff
		}
		if backoff == minBackoff { // say it once, not at every attempt
			s.log.Warn("journal reader died, starting it again", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(backoff):
			backoff = min(2*backoff, maxBackoff)
		}
	}
}

// readHere reads within this process.
func (s *Source) readHere(ctx context.Context, q query) error {
	return follow(ctx, q, s)
}

// record makes an entry of r and calls the handler.
func (s *Source) record(r *record) error {
	s.page.Add(ingest.Received)
	cursor := r.cursor
	if s.opts.Dir != "" {
		cursor = s.places.set(r.journal, r.cursor)
	}
	if r.continued || r.again {
		fate := ingest.RefusedRest
		if r.again {
			fate = ingest.RefusedAgain
		}
		s.page.Add(fate)
		s.cursor = append(s.cursor[:0], cursor...)
		return nil
	}
	received := time.Now()
	written := time.UnixMicro(int64(r.realtime))
	if written.After(received) {
		written = received
	}
	s.entry = ingest.Entry{
		Source:     s.opts.Name,
		Time:       written,
		Received:   received,
		Host:       r.host,
		Identifier: r.identifier,
		Vouched:    true,
		Unit:       r.unit,
		UID:        r.uid,
		PID:        r.pid,
		Cursor:     cursor,
		Dialect:    ingest.Journal,
		Truncated:  r.truncated,
	}
	if s.fields.values = r.values; s.fields.some() {
		s.entry.Fields = &s.fields
	}
	s.sign(r.journal)
	s.entry.SetMessage(r.message)
	s.entry.Length = max(s.entry.Length, r.length)
	s.page.Entry(&s.entry)
	s.handler(&s.entry)
	s.cursor = append(s.cursor[:0], cursor...)
	s.page.Add(ingest.Delivered)
	s.delivered.Add(1)
	return nil
}

// sign says whose entry it is and how far that is known. Among collected journals it is
// whoever uploaded the one that the entry is in: the host in the entry is what that
// machine says of itself.
func (s *Source) sign(journal []byte) {
	if s.opts.Dir != "" && (s.origin.Origin == "" || string(s.journal) != string(journal)) {
		s.journal = append(s.journal[:0], journal...)
		s.uploader = uploader(string(journal))
		s.origin = s.signs.Named(s.opts.Origins.Uploader(s.uploader), s.uploader)
		s.row = nil
	}
	s.entry.Origin, s.entry.Trust = s.origin.Origin, s.origin.Trust
	for heard := s.opts.Dir == ""; !heard; {
		if s.row == nil {
			s.row = s.senders.Of(sender.Key{Name: s.uploader}, s.origin, s.entry.Received)
		}
		line := sender.Line{Received: s.entry.Received, Dialect: s.entry.Dialect}
		if _, heard = s.row.Heard(&line); !heard {
			s.row = nil // forgotten meanwhile
		}
	}
}

// notice takes down what befell the reader.
func (s *Source) notice(n notice) error {
	switch n.kind {
	case noticeGap:
		s.gap(n.gap, n.journal)
	case noticeWrong:
		if s.broken.set(n.journal, n.why) {
			s.log.Warn("a collected journal is not read", "journal", n.journal, "err", n.why)
		}
	case noticeWell:
		s.broken.clear(n.journal)
		s.log.Info("a collected journal is read again", "journal", n.journal)
	case noticeGone:
		s.broken.clear(n.journal)
		s.cursor = append(s.cursor[:0], s.places.remove(n.journal)...)
	}
	return nil
}

// gap accounts for entries that were removed before they were read.
func (s *Source) gap(g gap, journal string) {
	s.gaps.Add(1)
	s.lastGap.Store(&g)
	s.page.AddN(ingest.LostVacuumed, g.lost)
	lost := any(g.lost)
	if g.lost == 0 {
		lost = "unknown"
	}
	log := s.log
	if journal != "" {
		log = log.With("journal", journal)
	}
	log.Warn("journal entries were removed before they were read", "lost", lost,
		"length", g.length(), "from", time.UnixMicro(int64(g.from)), "to", time.UnixMicro(int64(g.to)))
}

func (s *Source) flush() error { return nil }
