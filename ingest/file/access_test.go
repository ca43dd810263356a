package file

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// asNobody makes the file system take this goroutine for a user who may nothing.
func asNobody(t *testing.T, dir string) (back func()) {
	if os.Getuid() != 0 {
		t.Skip("only root can be somebody else")
	}
	runtime.LockOSThread()
	set := func(uid int) {
		_ = unix.Setfsuid(uid)
		// It returns the one before, whatever happens.
		if got, _ := unix.SetfsuidRetUid(-1); got != uid {
			t.Fatalf("file system user %d", got)
		}
	}
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil { // the one above that of the test
		t.Fatal(err)
	}
	set(65534)
	back = func() { set(0) }
	t.Cleanup(func() { back(); runtime.UnlockOSThread() })
	return back
}

// TestNoPermission holds that a file that cannot be read is told, tried again, and
// not read from its beginning when it can be: it is no new file.
func TestNoPermission(t *testing.T) {
	for _, glob := range []string{"a.log", "*.log"} {
		r := newRig(t, glob)
		r.do(os.Chmod(r.dir, 0o755))
		r.write("a.log", "history\n")
		r.do(os.Chmod(r.path("a.log"), 0o600))
		back := asNobody(t, r.dir)
		r.start(nil)
		r.want()
		err := r.src.Trouble()
		if err == nil || !strings.Contains(err.Error(), "a.log: permission denied") {
			t.Errorf("trouble: %v", err)
		}
		if hint, ok := err.(interface{ Hint() string }); !ok || !strings.Contains(hint.Hint(), "as root") {
			t.Errorf("no hint: %v", err)
		}
		r.step()
		if n := r.count("files", "not readable, tries"); n < 3 {
			t.Errorf("%d tries", n)
		}
		back()
		r.do(os.Chmod(r.path("a.log"), 0o644))
		r.want()
		r.write("a.log", "new\n")
		r.want("new")
		if err := r.src.Trouble(); err != nil {
			t.Error(err)
		}
		if n := strings.Count(r.log.String(), "files are not read"); n != 1 {
			t.Errorf("it was logged %d times", n)
		}
	}
}

// TestClosedDirectory is the same of a directory.
func TestClosedDirectory(t *testing.T) {
	r := newRig(t, "d/*.log")
	r.do(os.Chmod(r.dir, 0o755), os.Mkdir(r.path("d"), 0o700))
	r.write("d/a.log", "history\n")
	back := asNobody(t, r.dir)
	r.start(nil)
	r.want()
	if err := r.src.Trouble(); err == nil || !strings.Contains(err.Error(), "d/*.log: permission denied") {
		t.Errorf("trouble: %v", err)
	}
	back()
	r.want()
	r.write("d/a.log", "new\n")
	r.want("new")
	r.write("d/b.log", "late\n")
	r.want("late")
}

// TestResumeWithoutPermission holds that a position waits for a file that cannot be
// read for the moment.
func TestResumeWithoutPermission(t *testing.T) {
	r := newRig(t, "d/a.log")
	r.do(os.Chmod(r.dir, 0o755), os.Mkdir(r.path("d"), 0o755))
	r.write("d/a.log", "")
	r.start(nil)
	r.write("d/a.log", "1\n")
	r.want("1")
	r.write("d/a.log", "2\n")
	r.do(os.Chmod(r.path("d"), 0o700))
	back := asNobody(t, r.dir)
	r.restart()
	r.want()
	r.src.end()
	r.start(r.src.cursor) // waits through another restart
	r.want()
	back()
	r.want("2")
	if n := r.count("gaps", "rotated away"); n != 0 {
		t.Errorf("%d gaps", n)
	}
}

func TestMissing(t *testing.T) {
	r := newRig(t, "d/a.log").start(nil)
	r.step()
	if err := r.src.Trouble(); err == nil || !strings.Contains(err.Error(), "d/a.log: no such file") {
		t.Errorf("trouble: %v", err)
	}
	r.do(os.Mkdir(r.path("d"), 0o755))
	r.write("d/a.log", "late\n")
	r.want("late")
}

func TestTooManyFiles(t *testing.T) {
	r := newRig(t, "*")
	for i := range maxFiles + 1 {
		r.do(os.WriteFile(r.path(time.Duration(i).String()), nil, 0o644))
	}
	r.start(nil)
	if err := r.src.Trouble(); err == nil || !strings.Contains(err.Error(), "more than 1024 files match") {
		t.Errorf("trouble: %v", err)
	}
	r.src.end()
}

func TestWriters(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give files away")
	}
	r := newRig(t)
	r.do(os.Chmod(r.dir, 0o755))
	for name, mode := range map[string]os.FileMode{"fine": 0o640, "own": 0o660, "all": 0o646, "group": 0o664, "old.gz": 0o666} {
		r.write(name, "")
		r.do(os.Chmod(r.path(name), mode))
	}
	r.do(os.Chown(r.path("own"), 65534, 65534), os.Chown(r.path("group"), 0, 65534))
	r.do(os.Mkdir(r.path("open"), 0o755), os.Chmod(r.path("open"), 0o777))
	r.write("open/log", "")
	r.do(os.Mkdir(r.path("sticky"), 0o755), os.Chmod(r.path("sticky"), os.ModeSticky|0o777), os.Mkdir(r.path("sticky/d"), 0o755))
	r.write("sticky/d/log", "")
	r.do(os.Symlink("../../open/log", r.path("sticky/d/link")))
	nobody := groupName(65534)
	for _, c := range []struct {
		paths string
		want  string
	}{
		{"fine own old.gz", ""},
		{"*", "all everybody, group group " + nobody},
		{"open/*", "open everybody"},
		{"open/missing", "open everybody"},
		{"sticky/d/log", ""},
		{"sticky/d/link", "open everybody"},
		{"sticky/missing", "sticky everybody"},
	} {
		var paths, got []string
		for p := range strings.FieldsSeq(c.paths) {
			paths = append(paths, r.path(p))
		}
		for _, w := range Writers(paths) {
			w = strings.ReplaceAll(w, r.dir+"/", "")
			w = strings.Replace(w, " can be written to by", "", 1)
			got = append(got, strings.TrimSuffix(w, ", who can so have any address banned"))
		}
		if d := cmp.Diff(c.want, strings.Join(got, ", ")); d != "" {
			t.Errorf("%s: %s", c.paths, d)
		}
	}
}
