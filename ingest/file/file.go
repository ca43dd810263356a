// Package file follows log files.
//
// It finds files by glob and hands out what is appended to them, through every
// way in which logs are rotated, and goes on after a restart where it stopped.
//
// # What a file is
//
// A file is known by its number (device and inode), not by its name: one that
// was renamed is read to its end, and as long as somebody writes to it. Its
// number is taken by another file some day, and copytruncate puts another content
// under the same number, so that what a file begins with belongs to its position
// as well.
//
// # Rotation
//
// A file that a glob finds under a new name is not read again, and neither is a
// copy of one. Of a file that was truncated, the copy is read from where reading
// had come to, so that copytruncate costs only what its writer writes between
// copy and truncation. Compressed files are never read. If several rotations
// happen at once, the files in between are looked for by their names: they are
// that of the file and a number or a date.
//
// # Positions
//
// Every entry carries the places of all files of the source, in about 15 bytes
// for each. They are looked for by number when reading goes on, under whatever
// name in the directories of the globs.
//
// # Time
//
// What was written while the source looked on happened when it was read. For what
// was written before, the stamp of the line tells, or else the last change of the
// file.
package file

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"bailiff/ingest"
	"bailiff/ingest/stream"
)

// Source follows the files of some globs. It implements ingest.Source and
// ingest.Counter.
type Source struct {
	opts     Options
	log      *slog.Logger
	patterns []uint32 // checksums of Options.Paths

	// Owned by Run.
	handler    ingest.Handler
	tails      []*tail // in the order in which they are read
	ids        map[id]*tail
	waiting    map[id]place // of files that could not be read when they were due
	seen       map[birth]time.Time
	turned     map[string]time.Time // when a name last went from one file to another
	shut       map[string]bool      // what could not be opened when it was first seen
	ailments   []ailment            // of the scan under way
	swept      time.Time            // when the globs were last asked,
	before     time.Time            // and the time before that
	scans      int                  // how often they were
	told       int                  // after how many scans the watch was told
	unwatched  bool                 // it was said that a directory cannot be watched
	buf        []byte
	cursor     []byte // of the last entry
	others     int    // how much of cursor is of other files than the one that is read
	scanner    *stream.Scanner
	identifier []byte

	trouble atomic.Pointer[Error]
	ledger  ingest.Ledger
	page    *ingest.Page // written by Run alone

	followed                atomic.Int64
	skipped                 atomic.Uint64 // bytes of lines that were cut
	rotations, gaps, denied atomic.Uint64
}

// New returns a source. It opens nothing and starts nothing.
func New(opts Options) (*Source, error) {
	if err := opts.Validate(); err != nil {
		return nil, fmt.Errorf("file source %s: %w", opts.Name, err)
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	log := opts.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	opts.Paths = slices.Clone(opts.Paths)
	s := &Source{opts: opts, log: log.With("source", opts.Name), cursor: slices.Clone(opts.Cursor)}
	for i, p := range opts.Paths {
		opts.Paths[i] = filepath.Clean(p)
		s.patterns = append(s.patterns, checksum([]byte(opts.Paths[i]), nil))
	}
	lines := stream.DefaultOptions()
	lines.Name, lines.Format, lines.Identifier, lines.Now = opts.Name, opts.Format, opts.Identifier, opts.Now
	scanner, err := stream.NewScanner(nil, lines)
	if err != nil {
		return nil, fmt.Errorf("file source %s: %w", opts.Name, err)
	}
	s.scanner = scanner
	s.page = s.ledger.Page()
	return s, nil
}

// Name returns Options.Name.
func (s *Source) Name() string { return s.opts.Name }

// Counts tells what became of the lines; see ingest.Balance. Gaps are logs that
// were gone or truncated before they were read, as far as that could be seen.
func (s *Source) Counts() []ingest.Count {
	return append(s.ledger.Counts(ingest.Truncated, ingest.MalformedEmpty),
		ingest.Count{Name: "truncated", Reason: "bytes not read", N: s.skipped.Load()},
		ingest.Count{Name: "files", Reason: "followed", N: uint64(s.followed.Load())}, // now, and no total
		ingest.Count{Name: "files", Reason: "rotated", N: s.rotations.Load()},
		ingest.Count{Name: "files", Reason: "not readable, tries", N: s.denied.Load()},
		ingest.Count{Name: "gaps", Reason: "rotated away", N: s.gaps.Load()})
}

// Trouble returns what keeps the source from reading all its files, nil if
// nothing does. It is an *Error.
func (s *Source) Trouble() error {
	if err := s.trouble.Load(); err != nil {
		return err
	}
	return nil
}

// Detail says how many files are followed.
func (s *Source) Detail() string {
	if n := s.followed.Load(); n != 1 {
		return fmt.Sprintf("%d files", n)
	}
	return "1 file"
}

// Begin returns the position at which Run will begin, which is that of now. It is
// for a first start, to be put on record before there is an entry with a cursor.
func (s *Source) Begin() []byte {
	s.begin(nil)
	s.end()
	return slices.Clone(s.cursor)
}

const (
	// sweep is how often the globs are asked in any case, and polled the same
	// where nothing tells of changes.
	sweep  = time.Second
	polled = 200 * time.Millisecond
)

func (s *Source) now() time.Time { return s.opts.Now() }

// Run follows the files until ctx is done and calls h for every line from the
// calling goroutine, each entry with its Cursor. What cannot be read is tried
// again with every sweep, and Trouble says so. A later Run goes on where this one
// stopped.
func (s *Source) Run(ctx context.Context, h ingest.Handler) error {
	s.begin(h)
	defer s.end()
	w := s.watch()
	every, wake := polled, (chan struct{})(nil)
	if w != nil {
		defer w.close()
		every, wake = cmp.Or(s.opts.every, sweep), w.wake
	}
	timer := time.NewTimer(every)
	defer timer.Stop()
	for ctx.Err() == nil {
		if w != nil {
			s.tell(w)
		}
		more := s.read(ctx)
		due := w != nil && w.moved.Swap(false)
		if !more && !due {
			select {
			case <-ctx.Done():
				return nil
			case <-wake:
				due = w.moved.Swap(false)
			case <-timer.C:
				timer.Reset(every)
				due = true
			}
		} else if more && !due {
			select {
			case <-timer.C:
				timer.Reset(every)
				due = true
			default:
			}
		}
		if due {
			s.scan(false)
		}
	}
	return nil
}

// begin opens the files that are there.
func (s *Source) begin(h ingest.Handler) {
	s.handler = h
	s.tails, s.ids, s.waiting = nil, make(map[id]*tail), make(map[id]place)
	s.seen, s.turned, s.shut = make(map[birth]time.Time), make(map[string]time.Time), make(map[string]bool)
	s.buf = make([]byte, bufferSize)
	s.swept, s.before = s.now(), s.now()
	s.scans, s.told = 0, 0
	first := true
	if len(s.cursor) > 0 {
		p, err := parsePosition(s.cursor)
		if err == nil {
			s.resume(p)
			first = false
		} else {
			s.gaps.Add(1)
			s.log.Error("the stored position cannot be read, beginning at the end of the files", "err", err)
		}
	}
	s.scan(first)
}

// end closes all files and keeps the position for a later Run.
func (s *Source) end() {
	s.cursor = s.position(s.cursor[:0], nil)
	for _, t := range s.tails {
		_ = t.f.Close()
	}
	s.tails, s.ids, s.buf = nil, nil, nil
	s.followed.Store(0)
}

// read takes a turn at every file and says whether there may be more.
func (s *Source) read(ctx context.Context) (more bool) {
	for _, t := range slices.Clone(s.tails) { // a turn may add and drop some
		if ctx.Err() != nil {
			return false
		}
		if s.ids[t.id] == t && s.turn(ctx, t) {
			more = true
		}
	}
	return more
}

// position appends the places of all files but one.
func (s *Source) position(b []byte, but *tail) []byte {
	b = appendHeader(b, s.patterns)
	for _, t := range s.tails {
		if t == but || t.copyOf != nil {
			continue
		}
		p := t.place()
		p.done = t.retired && t.size <= t.offset+t.pending
		b = appendPlace(b, &p)
	}
	for is, p := range s.waiting {
		if s.ids[is] == nil {
			b = appendPlace(b, &p)
		}
	}
	return b
}

// prefix prepares the cursors of entries of t.
func (s *Source) prefix(t *tail) {
	s.cursor = s.position(s.cursor[:0], t)
	s.others = len(s.cursor)
}

// watch starts to be told of changes; it returns nil where that is not possible.
func (s *Source) watch() *watch {
	if s.opts.polled {
		return nil
	}
	w, err := newWatch(s.opts.Paths)
	if err != nil {
		s.log.Warn("changes of files are not notified, looking five times a second instead", "err", err)
		return nil
	}
	go w.run()
	return w
}

// tell makes w watch the directories of the files that are followed, and of the
// globs.
func (s *Source) tell(w *watch) {
	if s.told == s.scans {
		return
	}
	s.told = s.scans
	dirs, links := make(map[string]id), make(map[string]bool)
	add := func(dir string) {
		if st, err := look(dir); err == nil {
			dirs[dir] = st.id
		}
	}
	for _, p := range s.opts.Paths {
		for _, dir := range directories(p) {
			add(dir)
		}
	}
	for _, t := range s.tails {
		if t.path == "" {
			continue
		}
		if real, err := filepath.EvalSymlinks(t.path); err == nil && real != t.path {
			add(filepath.Dir(real))
			links[real] = true
		}
	}
	more, err := w.set(dirs, links)
	if more {
		w.moved.Store(true) // something may have changed since it was scanned
	}
	if err != nil && !s.unwatched {
		s.unwatched = true
		s.log.Warn("a directory cannot be watched, its files are looked at once a second", "err", err)
	}
}
