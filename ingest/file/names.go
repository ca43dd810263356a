package file

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// expand returns the paths that match a glob, in their order, and what kept it
// from looking. It is filepath.Glob, which keeps silent about directories that
// it cannot read.
func expand(pattern string) (paths []string, err error) {
	dirs := []string{"/"}
	parts := strings.Split(strings.TrimPrefix(filepath.Clean(pattern), "/"), "/")
	for i, part := range parts {
		last := i == len(parts)-1
		var next []string
		for _, dir := range dirs {
			names, e := level(dir, part, last)
			if e != nil && err == nil {
				err = e
			}
			for _, name := range names {
				next = append(next, filepath.Join(dir, name))
			}
		}
		dirs = next
	}
	if len(dirs) > 0 && missing(err) {
		err = nil // not every directory that a glob finds needs to have the file
	}
	return dirs, err
}

// level returns the names in dir that match part; those of directories unless it
// is the last.
func level(dir, part string, last bool) ([]string, error) {
	if !magic(part) {
		if !last {
			return []string{part}, nil
		}
		if _, err := os.Stat(filepath.Join(dir, part)); err != nil {
			return nil, err
		}
		return []string{part}, nil
	}
	entries, err := os.ReadDir(dir)
	var names []string
	for _, e := range entries {
		if ok, _ := filepath.Match(part, e.Name()); !ok {
			continue
		}
		// What a link leads to is told by whoever goes there.
		if last || e.IsDir() || e.Type()&fs.ModeSymlink != 0 {
			names = append(names, e.Name())
		}
	}
	return names, err
}

// magic says that a part of a path is not a plain name.
func magic(part string) bool { return strings.ContainsAny(part, `*?[\`) }

// directories returns the directories in which files that match a glob may
// appear.
func directories(pattern string) []string {
	dir := filepath.Dir(pattern)
	if dir == "/" {
		return []string{dir}
	}
	dirs, _ := expand(dir) // those that cannot be read are told by expand of the whole
	return dirs
}

// compressions are the endings of compressed files.
var compressions = []string{".gz", ".bz2", ".xz", ".zst", ".lz4", ".lzma", ".lzo", ".zip", ".z", ".br", ".7z"}

// compressed says so of a name.
func compressed(name string) bool {
	name = strings.ToLower(name)
	for _, ext := range compressions {
		if strings.HasSuffix(name, ext) || strings.HasSuffix(name, ext+".tmp") {
			return true
		}
	}
	return false
}

// signatures are what compressed files begin with.
var signatures = [][]byte{
	[]byte("\x1f\x8b"), []byte("BZh"), []byte("\xfd7zXZ\x00"), []byte("\x28\xb5\x2f\xfd"),
	[]byte("\x04\x22\x4d\x18"), []byte("PK\x03\x04"), []byte("\x1f\x9d"),
}

// packed says so of the beginning of a file.
func packed(head []byte) bool {
	for _, s := range signatures {
		if bytes.HasPrefix(head, s) {
			return true
		}
	}
	return false
}

// rotated says that name is what a rotation makes of base: app.log becomes
// app.log.1, app.log-20261123, app.log.old, app.1.log or app-2026-11-23.log.
func rotated(base, name string) bool {
	if rest, ok := strings.CutPrefix(name, base); ok {
		return counter(rest)
	}
	ext := filepath.Ext(base)
	stem := strings.TrimSuffix(base, ext)
	if ext == "" || stem == "" {
		return false
	}
	rest, ok := strings.CutPrefix(name, stem)
	if !ok {
		return false
	}
	rest, ok = strings.CutSuffix(rest, ext)
	return ok && counter(rest)
}

// aged says that path has a name that a rotation gives.
func aged(path string) bool {
	name := filepath.Base(path)
	ext := filepath.Ext(name)
	for i, c := range name {
		if strings.ContainsRune(".-_~", c) && (counter(name[i:]) || counter(strings.TrimSuffix(name[i:], ext))) {
			return true
		}
	}
	return false
}

// originated says that path is what a rotation makes of one of the logs.
func originated(path string, logs map[string]bool) bool {
	dir, name := filepath.Split(path)
	ext := filepath.Ext(name)
	for i, c := range name {
		if !strings.ContainsRune(".-_~", c) {
			continue
		}
		for _, base := range []string{name[:i], name[:i] + ext} {
			if logs[dir+base] && rotated(base, name) {
				return true
			}
		}
	}
	return false
}

// counter says that s is a number or a date with a separator in front, or one of
// the words that stand for one.
func counter(s string) bool {
	switch s {
	case ".old", ".bak", ".prev", ".save", "~":
		return true
	}
	if len(s) < 2 || !strings.ContainsRune(".-_", rune(s[0])) {
		return false
	}
	digits := 0
	for _, c := range s {
		switch {
		case c >= '0' && c <= '9':
			digits++
		case !strings.ContainsRune(".-_:+TZ", c):
			return false
		}
	}
	return digits > 0
}

// missing says that err is of a path that is not there.
func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
