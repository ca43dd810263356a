package journald

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// checkAccess tells a journal that is empty by nature from one that is merely
// quiet: libsystemd opens a missing or unreadable journal without an error and
// then has no entries for ever.
func checkAccess(q query) error {
	dirs := q.dirs()
	var denied error
	for _, d := range dirs {
		found, err := readable(d)
		if errors.Is(err, fs.ErrPermission) {
			denied = err
		}
		if found && err == nil {
			return nil
		}
	}
	if denied != nil {
		return &Error{
			Problem: fmt.Sprintf("the journal is not readable: %v", denied),
			Remedy:  "run as root or add the user to group systemd-journal",
		}
	}
	return &Error{
		Problem: "no journal in " + strings.Join(dirs, " or "),
		Remedy:  q.remedy(),
	}
}

func (q query) remedy() string {
	switch {
	case q.dir != "":
		return "let systemd-journal-remote write there, or disable the source"
	case q.namespace != "":
		return "start a unit with LogNamespace=" + q.namespace + ", or disable the source"
	}
	return "start systemd-journald with Storage=persistent or volatile, or disable the journald source"
}

// dirs are the directories of the journal, on disk and volatile
// (systemd-journald.service(8), FILES).
func (q query) dirs() []string {
	if q.dir != "" {
		return []string{q.dir}
	}
	id, err := os.ReadFile("/etc/machine-id")
	machine := strings.TrimSpace(string(id))
	if err != nil || machine == "" {
		machine = "*" // shows in the message; no directory has that name
	}
	if q.namespace != "" {
		machine += "." + q.namespace
	}
	return []string{
		filepath.Join("/var/log/journal", machine),
		filepath.Join("/run/log/journal", machine),
	}
}

// readable opens the journal files of d and of the directories in it, and
// reports the first that it may not read.
func readable(d string) (found bool, err error) {
	if _, err := os.ReadDir(d); err != nil {
		return false, err
	}
	for _, pattern := range []string{"*.journal", "*/*.journal"} {
		names, _ := filepath.Glob(filepath.Join(d, pattern))
		for _, name := range names {
			f, err := os.Open(name)
			if errors.Is(err, fs.ErrNotExist) {
				continue // vacuumed meanwhile
			}
			if err != nil {
				return true, err
			}
			f.Close()
			found = true
		}
	}
	return found, nil
}

// active is the directory of the namespace's journal that is written to. A
// namespace has no early boot: its journald writes either to disk or not, and
// never moves one to the other (systemd, server_flush_to_var).
func (q query) active() string {
	dirs := q.dirs()
	var latest time.Time
	at := dirs[0]
	for _, d := range dirs {
		names, _ := filepath.Glob(filepath.Join(d, "*.journal"))
		for _, name := range names {
			if info, err := os.Stat(name); err == nil && info.ModTime().After(latest) {
				latest, at = info.ModTime(), d
			}
		}
	}
	return at
}
