//go:build linux && cgo

package journald

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/sdjournal"

	"bailiff/ingest"
)

const (
	// poll is how long the reader sleeps at the end of the journal. journald
	// announces new entries up to 250 ms late (it coalesces the inotify
	// event), but they can be read from the mapped file at once. With 8 ms a
	// line is seen within 10 ms, for 1 % of a core.
	poll = 8 * time.Millisecond
	// process is a Wait that only lets libsystemd take in files that came or
	// went.
	process = time.Millisecond
	// maxBad is how often an unreadable entry is tried before the journal is
	// opened afresh.
	maxBad = 100
	// maxCut bounds the streams remembered for the rest of a split line.
	maxCut = 1024
	// maxBack is how many entries before the first one a reader looks at for
	// such lines.
	maxBack = 256
)

// tail follows the journal on one thread.
type tail struct {
	j     *sdjournal.Journal
	sink  sink
	names []string // of the fields that were asked for
	found bool     // the journal stands on an entry that is to be handed out

	at       position // the last entry dealt with; zero before the first
	cursor   string   // its cursor
	stranded bool     // at is no longer in the journal
	retried  position // the position a gap was last looked at again from
	counts   counts
	seen     *seen // in collected journals

	cut map[string]bool // streams whose last line journald split
	rec record
}

// follow reads from q until ctx is done. An *Error is for good; any other
// error may pass when the journal is opened again.
func follow(ctx context.Context, q query, s sink) error {
	// sd-journal(3) wants each journal used by one thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	if err := checkAccess(q); err != nil {
		return err
	}
	if q.dir != "" {
		return followDir(ctx, q, s)
	}
	j, err := open(q)
	if err != nil {
		return err
	}
	defer j.Close()
	// The first Wait sets up inotify; without it files that are deleted stay
	// open and new ones stay unknown.
	j.Wait(process)

	t := newTail(j, q, s)
	t.found, err = t.start(q)
	for err == nil && ctx.Err() == nil {
		var more bool
		if more, err = t.read(1); err == nil && !more {
			err = t.sink.flush()
			t.wait(poll)
		}
	}
	return errors.Join(err, t.sink.flush())
}

func newTail(j *sdjournal.Journal, q query, s sink) *tail {
	return &tail{j: j, sink: s, names: q.fields, cut: map[string]bool{}, counts: counts{}}
}

// read deals with up to n entries and reports whether there may be more.
func (t *tail) read(n int) (more bool, err error) {
	for ; n > 0; n-- {
		if !t.found {
			if t.found, err = t.next(); err != nil || !t.found {
				return false, err
			}
		}
		if t.found, err = t.take(); err != nil {
			return false, err
		}
	}
	return true, nil
}

// open opens the journal of q, or of the files if there are any.
func open(q query, files ...string) (j *sdjournal.Journal, err error) {
	switch {
	case len(files) > 0:
		j, err = sdjournal.NewJournalFromFiles(files...)
	case q.namespace != "":
		// sd_journal_open_namespace is not wrapped; it would look in both
		// directories, of which one is written to.
		j, err = sdjournal.NewJournalFromDir(q.active())
	default:
		j, err = sdjournal.NewJournal()
	}
	var errno syscall.Errno
	switch {
	case err == nil:
	case errors.As(err, &errno):
		return nil, fmt.Errorf("open journal: %w", err)
	default:
		return nil, &Error{
			Problem: fmt.Sprintf("the journal library is missing: %v", err),
			Remedy:  "install libsystemd0, or disable the journald source",
		}
	}
	// One byte more than is handed out tells a cut message from a full one.
	const longestName = 64
	if err := j.SetDataThreshold(uint64(longestName + len("=") + ingest.MaxMessage + 1)); err != nil {
		j.Close()
		return nil, fmt.Errorf("open journal: %w", err)
	}
	return j, nil
}

// start goes to where q says and reports whether the journal stands on an
// entry that is to be handed out.
func (t *tail) start(q query) (found bool, err error) {
	if q.cursor != "" {
		at, err := parsePosition(q.cursor)
		if err == nil {
			t.at, t.cursor = at, q.cursor
			if found, err = t.resume(); err != nil || t.stranded {
				return found, err
			}
			if err := t.lookBack(); err != nil {
				return false, err
			}
			return t.resume()
		}
	}
	if err := t.j.SeekRealtimeUsec(uint64(q.since.UnixMicro())); err != nil {
		return false, err
	}
	if found, err = t.next(); found || err != nil {
		return found, err
	}
	return false, t.end()
}

// resume goes back to t.at. It reports true if the journal then stands on
// another entry, the first behind it, because t.at has been removed.
func (t *tail) resume() (found bool, err error) {
	if err := t.j.SeekCursor(t.cursor); err != nil {
		return false, err
	}
	// A file that knows neither the series nor the time since boot is searched by
	// the clock, and if that was set back, older entries come first.
	var here position
	for before := true; before; before = here.before(t.at) {
		if found, err = t.next(); err != nil {
			return false, err
		}
		if !found {
			t.stranded = true
			return false, t.end()
		}
		if here, _, err = t.position(); err != nil {
			return false, err
		}
	}
	if here.same(t.at) {
		t.at = here
		return false, nil
	}
	t.stranded = true
	return true, nil
}

// end goes behind the last entry. A seek to the tail must be followed by a
// step back: Next would return an older entry (systemd issue 9934).
func (t *tail) end() error {
	if err := t.j.SeekTail(); err != nil {
		return err
	}
	n, err := t.j.Previous()
	if err == nil && n == 0 {
		err = t.j.SeekHead() // an empty journal: everything is new
	}
	return err
}

// next steps to the next entry and reports whether there is one. "Bad
// message" is what comes when vacuuming removes the file under the reader; it
// stays until libsystemd has processed that.
func (t *tail) next() (found bool, err error) {
	for range maxBad {
		var n uint64
		if n, err = t.j.Next(); err == nil {
			return n > 0, nil
		}
		t.wait(process)
	}
	return false, err
}

// wait sleeps until the journal changes, at most d. Wait fails at once when
// no inotify instance is left; that must not become a busy loop.
func (t *tail) wait(d time.Duration) {
	if t.j.Wait(d) < 0 {
		time.Sleep(d)
	}
}

// take hands out the entry that the journal stands on. It reports true if it
// had to look again and the journal stands on another one now.
func (t *tail) take() (found bool, err error) {
	here, cursor, err := t.position()
	if err == nil {
		err = t.fields(cursor)
	}
	if err != nil {
		// Removed while it was read. If so, the next one shows the gap.
		t.wait(process)
		return false, nil
	}
	lost, known := t.counts.missing(t.at, here)
	if lost > 0 && t.retried != t.at {
		// What is missing may be in a file that came after the last look
		// at the directory.
		t.retried = t.at
		t.wait(process)
		return t.resume()
	}
	if lost > 0 || t.stranded && !known {
		if err := t.sink.notice(notice{kind: noticeGap, gap: gap{lost: lost, from: t.at.realtime, to: here.realtime}}); err != nil {
			return false, err
		}
	}
	t.at, t.cursor, t.stranded = here, cursor, false
	t.counts.add(here)
	t.rec.again = t.seen.again(here)
	return false, t.sink.record(&t.rec)
}

func (t *tail) position() (position, string, error) {
	cursor, err := t.j.GetCursor()
	if err != nil {
		return position{}, "", err
	}
	p, err := parsePosition(cursor)
	return p, cursor, err
}

// fields fills t.rec from the entry that the journal stands on.
func (t *tail) fields(cursor string) error {
	r := &t.rec
	*r = record{cursor: append(r.cursor[:0], cursor...), journal: r.journal[:0], values: r.values[:0]}
	var err error
	if r.realtime, err = t.j.GetRealtimeUsec(); err != nil {
		return err
	}
	get := func(name string) []byte {
		if err != nil {
			return nil
		}
		var value []byte
		value, err = t.field(name)
		return value
	}
	r.message = get("MESSAGE")
	r.length, r.truncated = ingest.Stripped(get("SYSLOG_RAW"), r.message)
	r.unit = get("_SYSTEMD_UNIT")
	r.uid = number(get("_UID"))
	r.pid = number(get("_PID"))
	r.host = get("_HOSTNAME")
	if r.identifier = get("SYSLOG_IDENTIFIER"); r.identifier == nil {
		r.identifier = get("_COMM")
	}
	if err != nil {
		return err
	}
	if len(r.message) > ingest.MaxMessage {
		r.truncated = true
	}
	r.continued, err = t.continued()
	r.message = r.message[:min(len(r.message), ingest.MaxMessage)]
	if err == nil {
		err = t.values()
	}
	return err
}

// values adds what the entry has of the fields that were asked for, once and whole.
func (t *tail) values() error {
	var entry *sdjournal.JournalEntry
	for _, name := range t.names {
		value, err := t.field(name)
		if err != nil {
			return err
		}
		if value != nil && name[0] != '_' { // only journald writes those, and once
			// libsystemd gives one of several values, and GetEntry another: they
			// stand in the order of their first use in the file.
			if entry == nil {
				if entry, err = t.j.GetEntry(); err != nil {
					entry = &sdjournal.JournalEntry{} // who cannot tell gives none
				}
			}
			if entry.Fields[name] != string(value) {
				value = nil
			}
		}
		if len(value) > ingest.MaxMessage {
			value = nil
		}
		t.rec.values = append(t.rec.values, value)
	}
	return nil
}

// stream names the stream of lines that the entry is of, "" if it is of none, and says
// whether the message ended before the line did: journald ends one that grows longer
// than LineMax, at a NUL, or because another process writes on (systemd.journal-fields(7),
// _LINE_BREAK=); Docker and conmon hand on the output of a container in
// pieces (moby, daemon/logger/journald/journald.go; conmon, src/ctr_logging.c).
func (t *tail) stream() (id string, broken bool, err error) {
	stream, err := t.field("_STREAM_ID")
	if err != nil {
		return "", false, err
	}
	if stream != nil {
		why, err := t.field("_LINE_BREAK")
		return string(stream), why != nil && string(why) != "eof", err
	}
	container, err := t.field("CONTAINER_ID_FULL")
	if err != nil || container == nil {
		return "", false, err
	}
	more, err := t.field("CONTAINER_PARTIAL_MESSAGE")
	if err != nil {
		return "", false, err
	}
	channel, err := t.field("PRIORITY") // of its output, or of its errors
	return string(container) + " " + string(channel), string(more) == "true", err
}

// continued reports whether the entry is the rest of a line that journald split, which
// begins wherever its writer liked, and marks one that another follows as cut.
func (t *tail) continued() (bool, error) {
	id, broken, err := t.stream()
	if err != nil || id == "" {
		return false, err
	}
	rest := t.cut[id]
	delete(t.cut, id)
	if broken {
		t.rec.truncated = true
		if len(t.cut) >= maxCut {
			clear(t.cut)
		}
		t.cut[id] = true
	}
	return rest, nil
}

// lookBack learns from the entries before the one that the journal stands on which
// lines it is in the middle of, for a reader that starts there. Go to t.at afterwards.
func (t *tail) lookBack() error {
	last := map[string]bool{}
	for range maxBack {
		id, broken, err := t.stream()
		if err != nil {
			return nil // removed meanwhile, and so are those before it
		}
		if _, later := last[id]; !later && id != "" {
			if last[id] = broken; broken {
				t.cut[id] = true
			}
		}
		if n, err := t.j.Previous(); err != nil || n == 0 {
			return err
		}
	}
	return nil
}

// field returns the value of a field as a copy, nil if the entry has none.
func (t *tail) field(name string) ([]byte, error) {
	data, err := t.j.GetDataBytes(name)
	if err != nil {
		if errors.Is(err, syscall.ENOENT) {
			err = nil
		}
		return nil, err
	}
	return data[min(len(name)+1, len(data)):], nil
}

func number(b []byte) int {
	n, err := strconv.Atoi(string(b))
	if err != nil {
		return -1
	}
	return n
}
