package stream

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"time"

	"bailiff/ingest"
	"bailiff/ingest/syslog"
)

// Scanner reads entries from a stream one by one. It is for one goroutine.
type Scanner struct {
	opts       Options
	identifier []byte
	in         lines
	parser     syslog.Parser
	block      block
	object     object
	text       []byte // of the message of an object
	entry      ingest.Entry
	line       int
	first      int // line that was not empty
	malformed  struct{ export, json uint64 }

	now     time.Time // when the buffer was last filled
	nowFill int       // and which filling that was

	stamp syslog.Stamp // of the last line,
	time  time.Time    // and what it says

	minute      syslog.Stamp // of the last line, without its seconds
	minuteStart time.Time
}

// NewScanner returns a scanner of r, which is nil if only Line is called.
func NewScanner(r io.Reader, opts Options) (*Scanner, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return &Scanner{
		opts:       opts,
		identifier: []byte(opts.Identifier),
		in:         newLines(r, opts.Live),
		entry:      ingest.Entry{Source: opts.Name, Trust: opts.Trust, UID: -1, PID: -1},
	}, nil
}

// Next returns the next entry and the number of the line where it begins,
// counted from 1, or false at the end of the stream. The entry is valid until
// Next is called again. Empty lines are passed over. A line beyond
// ingest.MaxMessage is cut and marked Truncated.
//
// Its Time is the stamp of the line, if it has one that is not in the future,
// and otherwise the time of reading. Nothing is allocated for a line; an entry
// of the journal costs no more than the growth of a buffer.
func (s *Scanner) Next() (e *ingest.Entry, line int, ok bool) {
	for {
		b, cut, ok := s.in.next()
		if !ok {
			return nil, 0, false
		}
		s.line++
		if len(b) == 0 || s.isMark(b) {
			s.dealt()
			continue
		}
		if s.first == 0 {
			s.first = s.line
		}
		line := s.line
		e := &s.entry
		e.Received = s.received()
		e.Time = e.Received
		e.Truncated = cut
		format := s.format(b)
		if format == JournalExport {
			if !s.export(b, e) {
				continue
			}
		} else if !s.one(format, b, e) {
			s.malformed.json++
			s.dealt()
			continue
		}
		e.Truncated = e.Truncated || cut
		return e, line, true
	}
}

// one makes e of a line that is an entry of its own. It returns false for what should
// be JSON and is not.
func (s *Scanner) one(format Format, b []byte, e *ingest.Entry) bool {
	switch format {
	case NDJSON:
		return s.json(b, e, true)
	case Syslog, Auto:
		if b[0] != '{' || s.opts.Format != Auto || !s.json(b, e, false) {
			s.syslog(b, e)
		}
	default:
		s.message(b, e)
	}
	return true
}

// Line makes an entry of a line that somebody else has delimited, and read at
// received; cut says that its end is missing. The line is not empty, and is cleaned in
// place. The entry is valid until the next call; its Time is as Next has it. It returns
// false for a line that should be JSON and is not. Entries of the journal, which have
// several lines, are read by Next alone.
func (s *Scanner) Line(b []byte, cut bool, received time.Time) (e *ingest.Entry, ok bool) {
	if !received.Equal(s.now) {
		s.now = received
		s.stamp, s.minute = syslog.Stamp{}, syslog.Stamp{} // its year depends on now
	}
	e = &s.entry
	*e = ingest.Entry{Source: s.opts.Name, Trust: s.opts.Trust, Received: received, Time: received, UID: -1, PID: -1}
	if !s.one(s.opts.Format, b, e) {
		return nil, false
	}
	e.Truncated = e.Truncated || cut
	return e, true
}

// MaxLine returns how much of a line that begins like line is kept of it.
func MaxLine(line []byte) int {
	if len(line) > 0 && line[0] == '{' {
		return maxObject
	}
	return maxLine
}

func (s *Scanner) isMark(b []byte) bool {
	return slices.ContainsFunc(s.opts.Marks, func(m string) bool { return string(b) == m })
}

// dealt says that a line of the stream needs no more attention.
func (s *Scanner) dealt() {
	if s.opts.Dealt != nil {
		s.opts.Dealt()
	}
}

// Err returns what ended the stream, nil for its regular end.
func (s *Scanner) Err() error {
	if errors.Is(s.in.err, io.EOF) {
		return nil
	}
	return s.in.err
}

// format tells what b is the first line of.
func (s *Scanner) format(b []byte) Format {
	switch {
	case s.opts.Format != Auto:
		return s.opts.Format
	case b[0] == '_' && bytes.HasPrefix(b, []byte("__CURSOR=")) && s.opts.Dealt == nil && (!s.opts.Live || s.first == s.line):
		// journalctl begins every entry with it (journal export format).
		if s.opts.Live {
			s.opts.Format = JournalExport
		}
		return JournalExport
	}
	// Lines that turn out to have no header are messages to the parser too.
	return Syslog
}

func (s *Scanner) syslog(b []byte, e *ingest.Entry) {
	h := s.parser.Parse(b, e)
	e.UID, e.PID, e.Unit = -1, -1, nil
	if len(e.Identifier) == 0 {
		e.Identifier = s.identifier
	}
	s.happened(&h.Stamp, e)
}

// happened sets the time of e to its stamp. Lines of one minute follow each
// other, and its start is worked out once.
func (s *Scanner) happened(stamp *syslog.Stamp, e *ingest.Entry) {
	if stamp.IsZero() || s.opts.Stamps == NoStamps || s.opts.Stamps == ZonedStamps && !stamp.Zoned {
		return
	}
	if *stamp == s.stamp {
		e.Time = s.time
		return
	}
	s.stamp = *stamp
	into := time.Duration(min(stamp.Second, 59))*time.Second + time.Duration(stamp.Nanosecond)
	minute := *stamp
	minute.Second, minute.Nanosecond = 0, 0
	if minute != s.minute {
		s.minute, s.minuteStart = minute, minute.Time(e.Received)
	}
	if t := s.minuteStart.Add(into); !s.minuteStart.IsZero() && t.Before(e.Received) {
		e.Time = t
	}
	s.time = e.Time
}

// received is when the current line was read.
func (s *Scanner) received() time.Time {
	if s.nowFill != s.in.fills {
		s.now, s.nowFill = s.opts.Now(), s.in.fills
		s.stamp, s.minute = syslog.Stamp{}, syslog.Stamp{} // its year depends on now
	}
	return s.now
}

func (s *Scanner) message(b []byte, e *ingest.Entry) {
	stamp := syslog.LeadingStamp(b)
	s.happened(&stamp, e)
	e.Host, e.ProcID, e.Unit, e.Fields = nil, nil, nil, nil
	e.Dialect = ingest.Bare
	e.UID, e.PID = -1, -1
	e.Identifier = s.identifier
	e.SetMessage(b)
}
