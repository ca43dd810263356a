package file

import (
	"errors"
	"maps"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/fsnotify/fsnotify"
)

// watch tells when something happened in the directories of log files. It is a
// hint that makes waiting short, and nothing relies on it: events are lost when
// the kernel's queue overflows, and network file systems have none.
type watch struct {
	w        *fsnotify.Watcher
	patterns []string
	dirs     map[string]id // that are watched
	wake     chan struct{} // holds one
	moved    atomic.Bool   // a name came, went or changed its rights

	mu    sync.Mutex
	names map[string]bool // whether a name is of a file that is followed, as far as asked
	links map[string]bool // the same of what links lead to
}

func newWatch(patterns []string) (*watch, error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	return &watch{
		w: w, patterns: patterns, dirs: make(map[string]id), wake: make(chan struct{}, 1),
		names: make(map[string]bool),
	}, nil
}

// run takes events until the watch is closed.
func (w *watch) run() {
	for {
		select {
		case ev, ok := <-w.w.Events:
			if !ok {
				return
			}
			if !w.concerns(ev.Name) {
				continue
			}
			if ev.Op&^fsnotify.Write != 0 {
				w.moved.Store(true)
			}
		case err, ok := <-w.w.Errors:
			if !ok {
				return
			}
			if errors.Is(err, fsnotify.ErrEventOverflow) {
				w.moved.Store(true)
			}
		}
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}

// maxNames bounds what is remembered of names.
const maxNames = 4096

// concerns says that an event on path is of a file that may be followed.
func (w *watch) concerns(path string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.links[path] {
		return true
	}
	known, ok := w.names[path]
	if ok {
		return known
	}
	for _, p := range w.patterns {
		if match, _ := filepath.Match(p, path); match || filepath.Dir(p) == path {
			known = true
		}
	}
	if len(w.names) < maxNames {
		w.names[path] = known
	}
	return known
}

// set makes dirs the directories that are watched, and links the files outside
// the patterns whose events count. It says whether there are more than before, and
// what could not be watched.
func (w *watch) set(dirs map[string]id, links map[string]bool) (more bool, failed error) {
	w.mu.Lock()
	w.links = links
	w.mu.Unlock()
	maps.DeleteFunc(w.dirs, func(dir string, was id) bool {
		if dirs[dir] == was {
			return false
		}
		_ = w.w.Remove(dir) // it is gone, or another has its name
		return true
	})
	for dir, is := range dirs {
		if _, ok := w.dirs[dir]; ok {
			continue
		}
		if err := w.w.Add(dir); err != nil {
			failed = err
			continue
		}
		w.dirs[dir] = is
		more = true
	}
	return more, failed
}

func (w *watch) close() { _ = w.w.Close() }
