//go:build linux && cgo

package journald

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"
)

const (
	// rescan is how often the directory is looked at for files that came or went.
	rescan = time.Second
	// turn is how many entries one machine may have before it is the next one's
	// turn.
	turn = 256
	// maxLooks bounds how often the directory is looked at in a row.
	maxLooks = 10
)

// shelf is the journal of one machine at work.
type shelf struct {
	name  string
	files shelfFiles
	tail  *tail // nil while it cannot be read
	wrong string
}

// library follows collected journals on one thread.
type library struct {
	q       query
	sink    sink
	marks   marks
	shelves map[string]*shelf
}

// followDir is follow for collected journals.
func followDir(ctx context.Context, q query, s sink) error {
	m, err := parseMarks(q.cursor)
	if err != nil {
		m = marks{} // a first start
	}
	l := &library{q: q, sink: s, marks: m, shelves: make(map[string]*shelf)}
	defer l.close()
	for looked := (time.Time{}); err == nil && ctx.Err() == nil; {
		if now := time.Now(); now.Sub(looked) >= rescan {
			looked = now
			if err = l.look(); err != nil {
				break
			}
		}
		var busy bool
		if busy, err = l.round(ctx); err == nil && !busy {
			err = s.flush()
			time.Sleep(poll)
		}
	}
	return errors.Join(err, s.flush())
}

// round gives each machine its turn and reports whether there is more to read.
func (l *library) round(ctx context.Context) (busy bool, err error) {
	for _, name := range slices.Sorted(maps.Keys(l.shelves)) {
		sh := l.shelves[name]
		if sh.tail == nil || ctx.Err() != nil {
			continue
		}
		more, err := sh.tail.read(turn)
		if broken := (*sinkError)(nil); errors.As(err, &broken) {
			return false, broken.error
		}
		if err != nil { // theirs alone; it is tried again with the next look
			if err := l.drop(sh, err); err != nil {
				return false, err
			}
		}
		busy = busy || more
	}
	return busy, nil
}

// look opens what there is to open, until the files were the same before and after:
// one that was renamed between the two would be passed over.
func (l *library) look() error {
	for range maxLooks {
		changed, err := l.lookOnce()
		if err != nil || !changed {
			return err
		}
	}
	return nil
}

// lookOnce opens the journals that are new or whose files have changed: the list of
// files of an open one is fixed.
func (l *library) lookOnce() (changed bool, err error) {
	found, err := shelves(l.q.dir)
	if err != nil {
		return false, err
	}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		sh := l.shelves[name]
		if sh == nil {
			sh = &shelf{name: name}
			l.shelves[name] = sh
		}
		if sh.tail != nil && sh.files.same(found[name]) {
			continue
		}
		if err := l.open(sh, found[name]); err != nil {
			if err := l.drop(sh, err); err != nil {
				return false, err
			}
			continue
		}
		changed = true
	}
	for name, sh := range l.shelves {
		if _, there := found[name]; !there {
			sh.shut(l.marks)
			delete(l.shelves, name)
			delete(l.marks, name)
			if err := l.sink.notice(notice{kind: noticeGone, journal: name}); err != nil {
				return false, err
			}
		}
	}
	return changed, nil
}

// open opens a journal, or opens it again where it was.
func (l *library) open(sh *shelf, files shelfFiles) error {
	old := sh.tail
	sh.shut(l.marks)
	q := l.q
	q.cursor = l.marks[sh.name]
	j, err := open(q, slices.Sorted(maps.Keys(files))...)
	if err != nil {
		return err
	}
	t := newTail(j, q, shelfSink{l.sink, sh.name})
	t.seen = &seen{}
	if old != nil {
		t.cut, t.counts, t.seen = old.cut, old.counts, old.seen
	}
	if t.found, err = t.start(q); err != nil {
		j.Close()
		return err
	}
	sh.tail, sh.files = t, files
	if sh.wrong == "" {
		return nil
	}
	sh.wrong = ""
	return l.sink.notice(notice{kind: noticeWell, journal: sh.name})
}

// drop gives a journal up until the next look, and says why once.
func (l *library) drop(sh *shelf, why error) error {
	sh.shut(l.marks)
	if sh.wrong == why.Error() {
		return nil
	}
	sh.wrong = why.Error()
	return l.sink.notice(notice{kind: noticeWrong, journal: sh.name, why: sh.wrong})
}

// shut closes a journal and keeps its position.
func (sh *shelf) shut(m marks) {
	if sh.tail == nil {
		return
	}
	if sh.tail.cursor != "" {
		m[sh.name] = sh.tail.cursor
	}
	sh.tail.j.Close()
	sh.tail = nil
}

func (l *library) close() {
	for _, sh := range l.shelves {
		sh.shut(l.marks)
	}
}

// sinkError is a failure of the one who takes the entries, not of a journal.
type sinkError struct{ error }

// shelfSink writes on everything whose journal it is from.
type shelfSink struct {
	sink
	name string
}

func (s shelfSink) record(r *record) error {
	r.journal = append(r.journal[:0], s.name...)
	return fromSink(s.sink.record(r))
}

func (s shelfSink) notice(n notice) error {
	n.journal = s.name
	return fromSink(s.sink.notice(n))
}

func (s shelfSink) flush() error { return fromSink(s.sink.flush()) }

func fromSink(err error) error {
	if err != nil {
		return &sinkError{err}
	}
	return nil
}
