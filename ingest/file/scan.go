package file

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
)

const (
	// afterTurn is how long after a rotation a file that turns up beside the log
	// is taken for one that was rotated away before anybody saw it.
	afterTurn = 2 * time.Second
	// remembered is how long a file that is not followed is known for not being
	// new when it is no longer found.
	remembered = time.Hour
)

// match is a file that a glob finds.
type match struct {
	path    string
	st      stat
	pattern int
}

// find returns the files that the globs find, each once, the oldest first.
func (s *Source) find(first bool) []match {
	var all []match
	known := make(map[id]bool)
	for i, pattern := range s.opts.Paths {
		paths, err := expand(pattern)
		if err != nil {
			s.ail(pattern, err)
			if first && !missing(err) {
				s.shut[pattern] = true
			}
		} else if len(paths) == 0 {
			s.ail(pattern, nil)
		}
		for _, path := range paths {
			if compressed(path) {
				continue
			}
			st, err := look(path)
			switch {
			case err != nil:
				s.ail(path, err)
			case st.regular() && !known[st.id]:
				known[st.id] = true
				all = append(all, match{path, st, i})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b match) int { return a.st.older(&b.st) })
	return all
}

// scan finds out what became of the names. On the first scan the files that are
// there are followed from their end.
func (s *Source) scan(first bool) {
	now := s.now()
	found := s.find(first)
	names := make(map[id]string)
	for _, m := range found {
		names[m.st.id] = m.path
	}
	for _, t := range s.tails {
		path := names[t.id]
		if t.path != "" && path != t.path {
			s.turned[t.path] = now
			s.rotations.Add(1)
		}
		switch {
		case path != "":
			t.path, t.base, t.lost = path, path, time.Time{}
		case t.path != "":
			t.path, t.lost = "", now
		}
	}
	// What was open under the name is opened first: from then on it cannot get
	// away, and what got away before is among the siblings.
	var appeared []*tail
	for _, m := range found {
		if s.ids[m.st.id] == nil {
			if t := s.follow(m, first); t != nil {
				appeared = append(appeared, t)
			}
		}
	}
	if !first {
		s.opened()
	}
	older := len(s.tails)
	s.tails = append(s.tails, appeared...)
	s.tails = slices.Insert(s.tails, older, s.siblings(found, now, first)...)
	s.before, s.swept = s.swept, now
	s.scans++
	s.release(now)
	s.retire(found)
	s.followed.Store(int64(len(s.tails)))
	s.diagnose()
}

// retire tells the files that were rotated away from those that are written to.
func (s *Source) retire(found []match) {
	logs := make(map[string]bool, len(found))
	for _, m := range found {
		logs[m.path] = true
	}
	for _, t := range s.tails {
		t.retired = t.path == "" || originated(t.path, logs)
	}
}

// follow opens a file that a glob found. It returns nil if that fails, or it is
// followed already.
func (s *Source) follow(m match, first bool) *tail {
	if len(s.ids) >= maxFiles {
		s.ail(m.path, errTooMany)
		return nil
	}
	t, st, err := openTail(m.path)
	if err != nil {
		s.ail(m.path, err)
		if first && !missing(err) {
			s.shut[m.path] = true // it was there: it is no new file when it can be opened
		}
		return nil
	}
	if s.ids[st.id] != nil || !st.regular() {
		_ = t.f.Close()
		return nil
	}
	t.path, t.fresh = m.path, true
	if p, ok := s.waiting[t.id]; ok {
		delete(s.waiting, t.id)
		if t.goTo(p.offset, p.mid) == nil && t.place().sum == p.sum {
			s.ids[t.id] = t
			return t
		}
		t.fresh = true
	}
	late := s.shut[m.path] || s.shut[s.opts.Paths[m.pattern]]
	if (first || late) && !s.opts.FromStart {
		if err := t.toEnd(); err != nil {
			s.ail(m.path, err)
			_ = t.f.Close()
			return nil
		}
	}
	if !first && !late {
		t.looked = s.swept // it was not there when the globs were last asked
	}
	delete(s.shut, m.path)
	s.ids[t.id] = t
	return t
}

// opened forgets which globs could not be asked at first, if they can be now.
func (s *Source) opened() {
	for _, p := range s.opts.Paths {
		if s.shut[p] && !slices.ContainsFunc(s.ailments, func(a ailment) bool { return a.path == p && a.err != nil }) {
			delete(s.shut, p)
		}
	}
}

// siblings looks beside the logs for files that were rotated away before they were
// seen, and returns them, the oldest first.
func (s *Source) siblings(found []match, now time.Time, first bool) (missed []*tail) {
	bases := make(map[string]bool)
	for base, at := range s.turned {
		if now.Sub(at) > afterTurn {
			delete(s.turned, base)
		}
		bases[base] = true
	}
	dirs := make(directory)
	for _, m := range found {
		dirs.omit(m.path)
		bases[m.path] = true
	}
	for _, base := range slices.Sorted(maps.Keys(bases)) {
		for _, c := range s.beside(base, dirs) {
			if _, known := s.seen[c.st.birth()]; !known && !first && !s.old(&c.st) {
				t, judged := s.judge(base, c)
				if t != nil {
					missed = append(missed, t)
				}
				if !judged {
					continue
				}
			}
			s.seen[c.st.birth()] = now
		}
	}
	maps.DeleteFunc(s.seen, func(_ birth, at time.Time) bool { return now.Sub(at) > remembered })
	return missed
}

// sibling is a file that a rotation may have made, and that is not followed.
type sibling struct {
	path string
	st   stat
}

// directory holds the names in directories, so that each is read once a scan.
type directory map[string][]string

func (d directory) names(dir string) []string {
	names, ok := d[dir]
	if !ok {
		entries, _ := os.ReadDir(dir) // find says why it cannot be read
		for _, e := range entries {
			names = append(names, e.Name())
		}
		d[dir] = names
	}
	return names
}

// omit takes a path out that is known already.
func (d directory) omit(path string) {
	dir, name := filepath.Split(path)
	if i, ok := slices.BinarySearch(d.names(dir), name); ok {
		d[dir] = slices.Delete(d[dir], i, i+1)
	}
}

// beside returns the siblings of a log, the oldest first.
func (s *Source) beside(base string, dirs directory) []sibling {
	dir, name := filepath.Split(base)
	var out []sibling
	for _, n := range dirs.names(dir) {
		if !rotated(name, n) || compressed(n) {
			continue
		}
		path := dir + n
		if st, err := look(path); err == nil && st.regular() && s.ids[st.id] == nil {
			out = append(out, sibling{path, st})
		}
	}
	slices.SortStableFunc(out, func(a, b sibling) int { return a.st.older(&b.st) })
	return out
}

// judge opens a new sibling if it had the name of the log for a moment. It is not
// judged as long as it may be a copy that is being made, or the log itself has
// been truncated and that is still to be noticed.
func (s *Source) judge(base string, c sibling) (t *tail, judged bool) {
	t = s.adopt(base, c)
	if t == nil {
		return nil, false
	}
	head, err := t.begin(headSize)
	if err != nil || packed(head) {
		_ = t.f.Close()
		return nil, true
	}
	for _, o := range s.tails {
		if o.base != base {
			continue
		}
		copied, known := t.copies(o)
		if copied || o.offset > 0 && t.continues(o, o.head) {
			_ = t.f.Close()
			return nil, known
		}
	}
	if _, turned := s.turned[base]; !turned {
		_ = t.f.Close()
		return nil, c.st.born.IsZero()
	}
	t.looked = s.swept
	s.ids[t.id] = t
	return t, true
}

// adopt opens a sibling, without a name of its own.
func (s *Source) adopt(base string, c sibling) *tail {
	if len(s.ids) >= maxFiles {
		s.ail(c.path, errTooMany)
		return nil
	}
	t, st, err := openTail(c.path)
	if err != nil {
		return nil // rotated on; it will be found under its next name
	}
	// An empty one may be a copy that is being made.
	if st.birth() != c.st.birth() || s.ids[st.id] != nil || st.size == 0 {
		_ = t.f.Close()
		return nil
	}
	t.base, t.lost = base, s.now()
	return t
}
