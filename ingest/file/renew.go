package file

import (
	"errors"
	"slices"
	"time"
)

var errTooMany = errors.New("too many files")

// admit decides of a file of which nothing was read whether it is read, now that
// it begins with chunk: not if it is compressed, or a copy of another.
func (s *Source) admit(t *tail, chunk []byte) bool {
	if aged(t.base) && packed(chunk) { // a client may write the first line of a log
		t.packed, t.fresh = true, false
		return false
	}
	for _, o := range s.tails {
		if o == t || o.copyOf != nil || o.packed {
			continue
		}
		if o.path == "" && o.base == t.base && o.offset > 0 && t.continues(o, o.head) {
			// Another file under the same name that holds what was read: somebody
			// edited the log, or copies it here again and again.
			looked := o.looked
			if err := t.goTo(o.offset, o.mid); err == nil {
				t.looked = looked
				s.drop(o)
				return false
			}
		}
		if !rotationOf(o.base, t.base) {
			continue
		}
		copied, _ := t.copies(o)
		if copied || o.offset > 0 && t.continues(o, o.head) {
			t.copyOf, t.fresh = o, false
			return false
		}
	}
	return true
}

// renewed deals with a file that has another content than it had: it was
// truncated. What was not read of the old content is in the copy that was made
// before, if one was.
func (s *Source) renewed(t *tail) {
	s.rotations.Add(1)
	now := s.now()
	s.turned[t.base] = now
	was := *t
	t.head, t.back, t.offset, t.mid = nil, nil, 0, false
	var rest *tail
	var missed []*tail
	for _, c := range s.copiesOf(t) {
		st, err := lookOpen(c.f)
		if err != nil {
			s.leave(c)
			continue
		}
		if st.size == 0 {
			continue // perhaps a copy that is being made
		}
		_, known := s.seen[st.birth()]
		s.seen[st.birth()] = now
		copied, _ := c.copies(t)
		switch {
		case rest == nil && c.continues(&was, was.head) && c.goTo(was.offset, was.mid) == nil:
			rest = c
		case c.path == "" && (copied || known || s.old(&st)):
			s.leave(c)
			continue
		case copied:
			c.copyOf, c.fresh = t, false
			continue
		case c.copyOf == t && st.size <= was.offset && c.toEnd() == nil:
			continue // it was not copied to its end
		default:
			c.copyOf, c.fresh = nil, false
			missed = append(missed, c)
		}
		c.looked = t.looked
	}
	if rest == nil && t.size > was.offset+t.pending {
		s.gaps.Add(1)
		s.log.Warn("a log was truncated before it was read to its end, and there is no copy of it",
			"path", t.base, "lost_bytes_at_least", t.size-was.offset)
	}
	t.pending, t.size, t.mtime = 0, 0, time.Time{}
	if rest != nil {
		missed = append([]*tail{rest}, missed...)
	}
	// The old comes before the new.
	for _, c := range missed {
		s.tails = slices.DeleteFunc(s.tails, func(o *tail) bool { return o == c })
		s.ids[c.id] = c
	}
	s.tails = slices.Insert(s.tails, slices.Index(s.tails, t), missed...)
}

// old says that a file is older than what the last scan can have missed.
func (s *Source) old(st *stat) bool {
	return !st.born.IsZero() && st.born.Before(s.before.Add(-afterTurn))
}

// copiesOf returns what may be copies of a log that was truncated: files that are
// followed and of which nothing was read, and files beside it.
func (s *Source) copiesOf(t *tail) []*tail {
	var out []*tail
	for _, c := range s.tails {
		if c != t && (c.copyOf == t || c.fresh && rotationOf(t.base, c.base)) {
			out = append(out, c)
		}
	}
	for _, c := range s.beside(t.base, make(directory)) {
		if o := s.adopt(t.base, c); o != nil {
			out = append(out, o)
		}
	}
	return out
}

// leave closes a file that is not followed after all.
func (s *Source) leave(t *tail) {
	if s.ids[t.id] == t {
		s.drop(t)
		return
	}
	_ = t.f.Close()
}

// drop follows a file no more.
func (s *Source) drop(t *tail) {
	if st, err := lookOpen(t.f); err == nil {
		s.seen[st.birth()] = s.now()
	}
	_ = t.f.Close()
	delete(s.ids, t.id)
	s.tails = slices.DeleteFunc(s.tails, func(o *tail) bool { return o == t })
	for _, o := range s.tails {
		if o.copyOf == t { // and stays one: it was read under the other name
			o.copyOf = nil
			_ = o.toEnd()
		}
	}
}

const (
	// linger is how long a file that was rotated away must be quiet before it is
	// given up, if its successor has lines; a process that was not told to open
	// the new log may still write to it.
	linger = time.Minute
	// longLinger is the same without a successor.
	longLinger = time.Hour
	// maxLost is how many such files are kept open at most.
	maxLost = 64
)

// release gives up files that were rotated away and to which nobody writes any
// more.
func (s *Source) release(now time.Time) {
	var lost []*tail
	for _, t := range s.tails {
		if t.path == "" && t.drained() {
			lost = append(lost, t)
		}
	}
	for i, t := range lost {
		since := t.lost
		if t.grew.After(since) {
			since = t.grew
		}
		quiet := now.Sub(since)
		if quiet < longLinger && (quiet < linger || !s.succeeded(t)) && len(lost)-i <= maxLost {
			continue
		}
		s.last(t)
		s.drop(t)
	}
}

// drained says that nothing is left to read, as far as the last look told.
func (t *tail) drained() bool {
	st, err := lookOpen(t.f)
	return err != nil || t.copyOf != nil || t.packed || st.size <= t.offset+t.pending
}

// succeeded says that the name of t is another file's, which has lines.
func (s *Source) succeeded(t *tail) bool {
	return slices.ContainsFunc(s.tails, func(o *tail) bool { return o.path == t.base && o.size > 0 })
}
