package file

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Error is what keeps a source from reading, until somebody acts.
type Error struct {
	// Problem says what is wrong, in lower case.
	Problem string
	// Remedy is one line on what to do about it.
	Remedy string
}

// Error returns the problem.
func (e *Error) Error() string { return e.Problem }

// Hint returns the remedy, for the line below the error.
func (e *Error) Hint() string { return e.Remedy }

// ailment is a path that could not be read. Without an error nothing was found.
type ailment struct {
	path string
	err  error
}

// ail notes that a path could not be read; it is asked for again with every scan.
func (s *Source) ail(path string, err error) {
	s.denied.Add(1)
	s.ailments = append(s.ailments, ailment{path, err})
}

// diagnose makes an error of what the last scan met, and logs it when it is
// another than before.
func (s *Source) diagnose() {
	var problems []string
	remedy := "the files are read as soon as they are there; correct path in the configuration if they never will be"
	for _, a := range s.ailments {
		reason := a.err
		if path, ok := errors.AsType[*fs.PathError](reason); ok {
			reason = path.Err
		}
		switch {
		case a.err == nil:
			problems = append(problems, "no file matches "+a.path)
		case errors.Is(a.err, fs.ErrPermission):
			remedy = "run bailiff as root, or let its user read the files and search their directories"
			problems = append(problems, fmt.Sprintf("%s: %v", a.path, reason))
		case errors.Is(a.err, errTooMany):
			remedy = "name fewer files by the globs, or spread them over several sources"
			problems = append(problems, fmt.Sprintf("more than %d files match: %s and others are not read", maxFiles, a.path))
		default:
			problems = append(problems, fmt.Sprintf("%s: %v", a.path, reason))
		}
	}
	s.ailments = s.ailments[:0]
	slices.Sort(problems)
	problems = slices.Compact(problems)
	if more := len(problems) - 3; more > 0 {
		problems = append(problems[:3], fmt.Sprintf("and %d more", more))
	}
	if len(problems) == 0 {
		if s.trouble.Swap(nil) != nil {
			s.log.Info("all files are read")
		}
		return
	}
	now := &Error{Problem: strings.Join(problems, "; "), Remedy: remedy}
	if was := s.trouble.Swap(now); was == nil || was.Problem != now.Problem {
		s.log.Warn("files are not read", "err", now.Problem, "hint", now.Remedy)
	}
}

// Writers tells of the files that paths name, and of the directories on the way to
// them, who besides root and their owner can write to them, one sentence each.
// Who can write a line can have anybody banned.
func Writers(paths []string) []string {
	var out []string
	asked := make(map[string]bool)
	for _, pattern := range paths {
		found, _ := expand(pattern)
		found = slices.DeleteFunc(found, func(path string) bool {
			st, err := look(path)
			return err != nil || !st.regular()
		})
		for _, path := range append(found, directories(pattern)...) {
			real, err := filepath.EvalSymlinks(path)
			if err != nil {
				continue
			}
			for leaf := true; !asked[real]; leaf, real = false, filepath.Dir(real) {
				asked[real] = true
				if compressed(real) {
					continue
				}
				if who := writers(real, leaf); who != "" {
					out = append(out, fmt.Sprintf("%s can be written to by %s, who can so have any address banned", real, who))
				}
			}
		}
	}
	slices.Sort(out)
	return out
}

// writers names who can write to a path besides its owner. In a sticky directory
// on the way nobody can replace what is another's.
func writers(path string, leaf bool) string {
	st, err := look(path)
	switch {
	case err != nil, !leaf && st.mode&unix.S_ISVTX != 0:
		return ""
	case st.mode&0o002 != 0:
		return "everybody"
	case st.mode&0o020 != 0 && !trustedGroup(&st):
		return fmt.Sprintf("group %s", groupName(st.team))
	}
	return ""
}
