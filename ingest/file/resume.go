package file

import (
	"path/filepath"
	"slices"
	"time"
)

// resume goes on at a position. What a glob finds besides appeared meanwhile,
// unless the glob is a new one.
func (s *Source) resume(p position) {
	found := s.find(false)
	all := s.candidates(found)
	var unresolved []place
	for _, one := range p.places {
		switch {
		case one.offset == 0:
		case s.resumeAt(one, all, func(st *stat) bool { return st.id == one.id }):
		case s.resumeAt(one, all, func(st *stat) bool { return st.id.ino == one.id.ino }): // devices are numbered anew when a machine starts
		default:
			unresolved = append(unresolved, one)
		}
	}
	for _, one := range unresolved {
		switch {
		case s.resumeAt(one, all, func(*stat) bool { return true }): // a copy
		case len(s.ailments) > 0 && len(s.waiting) < maxLost:
			s.waiting[one.id] = one // it may be what cannot be read now
		case !one.done:
			s.gaps.Add(1)
			s.log.Warn("a log was rotated away before it was read to its end, and cannot be found",
				"device", one.id.dev, "inode", one.id.ino, "offset", one.offset)
		}
	}
	// Of these nothing was read, and some may be the copies that were just found.
	for _, one := range p.places {
		if one.offset == 0 {
			s.resumeAt(one, all, func(st *stat) bool { return st.id == one.id })
		}
	}
	s.between(found)
	for _, m := range found {
		if s.ids[m.st.id] != nil {
			continue
		}
		t := s.follow(m, !slices.Contains(p.patterns, s.patterns[m.pattern]))
		if t != nil {
			t.looked = time.Time{}
			s.tails = append(s.tails, t)
		}
	}
}

// candidates returns the files that the globs find, and all others in their
// directories: under which name a log was rotated away, its place does not tell.
func (s *Source) candidates(found []match) []match {
	known := make(map[id]bool)
	dirs := make(map[string]bool)
	for _, m := range found {
		known[m.st.id] = true
		if real, err := filepath.EvalSymlinks(m.path); err == nil {
			dirs[filepath.Dir(real)] = true
		}
	}
	for _, p := range s.opts.Paths {
		for _, dir := range directories(p) {
			dirs[dir] = true
		}
	}
	all := slices.Clone(found)
	names := make(directory)
	for dir := range dirs {
		for _, name := range names.names(dir) {
			path := filepath.Join(dir, name)
			if compressed(name) {
				continue
			}
			if st, err := look(path); err == nil && st.regular() && !known[st.id] {
				known[st.id] = true
				all = append(all, match{path, st, -1})
			}
		}
	}
	return all
}

// resumeAt follows the candidate of which the place is, among those that fit.
func (s *Source) resumeAt(p place, all []match, fits func(*stat) bool) bool {
	for i := range all {
		m := &all[i]
		if s.ids[m.st.id] != nil || !fits(&m.st) || m.st.size < p.offset {
			continue
		}
		t, st, err := openTail(m.path)
		if err != nil {
			s.ail(m.path, err)
			continue
		}
		if st.id != m.st.id || t.goTo(p.offset, p.mid) != nil || t.place().sum != p.sum {
			_ = t.f.Close()
			continue
		}
		t.fresh = p.offset == 0
		if m.pattern >= 0 {
			t.path = m.path
		} else {
			t.lost = s.now()
		}
		s.ids[t.id] = t
		s.tails = append(s.tails, t)
		return true
	}
	return false
}

// between follows what was rotated away after the last file that was followed and
// before the one that has its name now.
func (s *Source) between(found []match) {
	names := make(directory)
	for _, m := range found {
		names.omit(m.path)
	}
	for _, m := range found {
		var last *tail
		for _, t := range s.tails {
			if t.path == "" && rotationOf(m.path, t.base) && (last == nil || t.mtime.After(last.mtime)) {
				last = t
			}
		}
		if last == nil {
			continue
		}
		for _, t := range s.tails {
			if t.path == "" && rotationOf(m.path, t.base) {
				t.base = m.path
			}
		}
		for _, c := range s.beside(m.path, names) {
			if !c.st.mtime.After(last.mtime) || c.st.id == m.st.id {
				continue
			}
			if t := s.adopt(m.path, c); t != nil {
				s.ids[t.id] = t
				s.tails = append(s.tails, t)
			}
		}
	}
}
