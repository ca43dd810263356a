package journald

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// A shelf is the journal files of one machine among collected ones. Each is read
// for itself: in one sd_journal over all of them, an entry whose stamp lies before
// the last one read, because its machine's clock is behind or it was uploaded late, would
// be passed over in silence.

// archived is what journald and journal-remote put behind the name of a file that
// is full (journal_file_archive: series, number and time of the first entry) or
// broken (time and a random number, and ~ at the end).
var archived = regexp.MustCompile(`@[0-9a-f]+-[0-9a-f]+(-[0-9a-f]+)?$`)

// shelfName says to which shelf a file belongs, given its path in the directory.
// Files of one journald (system, user-1000) share one count of entries and are
// one shelf, that of their directory.
func shelfName(file string) (name string, ok bool) {
	name, ok = strings.CutSuffix(strings.TrimSuffix(file, "~"), ".journal")
	if !ok {
		return "", false
	}
	name = archived.ReplaceAllString(name, "")
	dir, base := filepath.Split(name)
	if base == "system" || strings.HasPrefix(base, "user-") {
		return dir, true
	}
	return name, true
}

// uploader is the machine that uploaded a shelf: journal-remote names the file of each
// by its address, by the name that DNS has for that, or by its certificate
// (--split-mode=host; journal-remote.c, open_output). A directory of one journald, copied
// by other means, has its own name.
func uploader(shelf string) string {
	return strings.TrimPrefix(filepath.Base(shelf), "remote-")
}

// shelfFiles are the files of a shelf, by their path, and which file each is.
type shelfFiles map[string]os.FileInfo

func (f shelfFiles) same(g shelfFiles) bool {
	if len(f) != len(g) {
		return false
	}
	for path, info := range f {
		if other, ok := g[path]; !ok || !os.SameFile(info, other) {
			return false
		}
	}
	return true
}

// shelves are the journals in a directory and in the directories in it, by name.
func shelves(dir string) (map[string]shelfFiles, error) {
	if _, err := os.ReadDir(dir); err != nil {
		return nil, err
	}
	all := make(map[string]shelfFiles)
	for _, pattern := range []string{"*.journal", "*.journal~", "*/*.journal", "*/*.journal~"} {
		paths, _ := filepath.Glob(filepath.Join(escapeGlob(dir), pattern))
		for _, path := range paths {
			rel, err := filepath.Rel(dir, path)
			if err != nil {
				continue
			}
			name, ok := shelfName(rel)
			info, err := os.Stat(path)
			if !ok || err != nil || !info.Mode().IsRegular() {
				continue // vacuumed meanwhile
			}
			if all[name] == nil {
				all[name] = make(shelfFiles)
			}
			all[name][path] = info
		}
	}
	return all, nil
}

func escapeGlob(dir string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(dir)
}

// seen remembers the last entries of a machine. systemd-journal-upload that was killed
// sends some again that it had sent already, and journal-remote writes them again.
// They are equal in everything that the machine's journald gave them: boot, times and
// fields. Two lines that a daemon wrote in one go may be equal as well, and count as
// one. A nil *seen has seen nothing.
type seen struct {
	last map[stamp]bool
	ring [maxSeen]stamp
	next int
}

// stamp tells entries apart.
type stamp struct {
	boot                string
	mono, realtime, xor uint64
}

// maxSeen is how far back an entry is known again.
const maxSeen = 4096

// again reports whether p was seen, and remembers it.
func (s *seen) again(p position) bool {
	if s == nil {
		return false
	}
	is := stamp{p.boot, p.mono, p.realtime, p.xor}
	if s.last[is] {
		return true
	}
	if s.last == nil {
		s.last = make(map[stamp]bool)
	}
	delete(s.last, s.ring[s.next])
	s.ring[s.next] = is
	s.last[is] = true
	s.next = (s.next + 1) % maxSeen
	return false
}
