package file

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestRename(t *testing.T) {
	for _, glob := range []string{"a.log", "a.log*"} {
		t.Run(glob, func(t *testing.T) {
			r := newRig(t, glob)
			old := r.open("a.log")
			r.start(nil)
			r.write("a.log", "1\n")
			r.want("1")
			r.write("a.log", "2\n")
			r.rename("a.log", "a.log.1")
			r.write("a.log.1", "3\n")
			r.want("2", "3")
			r.write("a.log", "5\n")
			old.WriteString("4\n")
			r.want("4", "5")
			r.rename("a.log.1", "a.log.2")
			r.rename("a.log", "a.log.1")
			r.write("a.log", "6\n")
			r.want("6")
			old.WriteString("late\n")
			r.want("late")
		})
	}
}

// TestLinger holds how long a file without a name is read.
func TestLinger(t *testing.T) {
	r := newRig(t, "a.log")
	old := r.open("a.log")
	r.start(nil)
	r.rename("a.log", "b")
	r.step()
	r.now = r.now.Add(linger - 5*time.Second)
	r.write("a.log", "new\n")
	old.WriteString("old\nno end")
	r.want("old", "new")
	r.now = r.now.Add(linger - 2*time.Second)
	r.want()
	r.now = r.now.Add(2 * time.Second)
	r.want("no end")
	if len(r.src.tails) != 1 {
		t.Errorf("%d files are followed", len(r.src.tails))
	}
	r.restart()
	r.want()
}

func TestLingerWithoutSuccessor(t *testing.T) {
	r := newRig(t, "a.log")
	old := r.open("a.log")
	r.start(nil)
	r.do(os.Remove(r.path("a.log")))
	r.step()
	r.now = r.now.Add(longLinger / 2)
	r.want()
	old.WriteString("still\n")
	r.want("still")
	r.now = r.now.Add(longLinger)
	r.step()
	if len(r.src.tails) != 0 {
		t.Errorf("%d files are followed", len(r.src.tails))
	}
}

func TestDeleteAndRecreate(t *testing.T) {
	r := newRig(t, "a.log")
	r.write("a.log", "0\n")
	r.start(nil)
	r.write("a.log", "1\n")
	r.do(os.Remove(r.path("a.log")))
	r.write("a.log", "2\n")
	r.want("1", "2")
}

// TestOvertaken holds that files are found which had the name of the log between
// two looks only.
func TestOvertaken(t *testing.T) {
	for _, glob := range []string{"a.log", "a.log*"} {
		t.Run(glob, func(t *testing.T) {
			r := newRig(t, glob)
			r.write("a.log.9", "archive\n")
			r.write("a.log", "")
			r.start(nil)
			r.write("a.log", "1\n")
			r.rename("a.log", "a.log.1")
			r.write("a.log", "2\n")
			r.rename("a.log", "a.log.2")
			r.write("a.log", "3\n")
			r.rename("a.log", "a.log.3")
			r.write("a.log", "4\n")
			r.step()
			slices.Sort(r.seen) // the time of files is too coarse for their order
			r.want("1", "2", "3", "4")
		})
	}
}

func TestCopyTruncate(t *testing.T) {
	for _, glob := range []string{"a.log", "a.log*"} {
		for _, look := range []bool{false, true} { // between copy and truncation
			t.Run(glob, func(t *testing.T) {
				r := newRig(t, glob)
				r.write("a.log", "0\n")
				r.start(nil)
				r.write("a.log", "1\n")
				r.want("1")
				for i := range 4 {
					n := string(rune('a' + i))
					r.write("a.log", "unread "+n+"\n")
					r.copy("a.log", "a.log."+string(rune('1'+i)))
					want := []string{"unread " + n}
					if look {
						r.want(want...)
						want = nil
					}
					r.truncate("a.log")
					r.write("a.log", "more "+n+"\n")
					r.want(append(want, "more "+n)...)
				}
				if n := r.count("gaps", "rotated away"); n != 0 {
					t.Errorf("%d gaps", n)
				}
			})
		}
	}
}

// TestCopyTruncateAndLonger holds that a file is not taken for the old one because
// it has become longer than that was.
func TestCopyTruncateAndLonger(t *testing.T) {
	r := newRig(t, "a.log")
	r.write("a.log", "old\n")
	r.start(nil)
	text, lines := numbered(1, 100)
	r.truncate("a.log")
	r.write("a.log", text)
	r.want(lines...)
}

// TestCopyOfTheNew is of a copy that is made before anybody saw that the log it is of
// is another than the last.
func TestCopyOfTheNew(t *testing.T) {
	for _, glob := range []string{"a.log", "a.log*"} {
		t.Run(glob, func(t *testing.T) {
			r := newRig(t, glob)
			r.write("a.log", "")
			r.start(nil)
			r.write("a.log", "1\n")
			r.want("1")
			r.copy("a.log", "a.log.1")
			r.truncate("a.log")
			r.write("a.log", "second\n")
			r.copy("a.log", "a.log.2")
			r.want("second")
			r.write("a.log", "third\n")
			r.want("third")
			r.truncate("a.log")
			r.write("a.log", "fourth\n")
			r.want("fourth")
		})
	}
}

// TestTruncatedWhileRead truncates a log between reading from it and asking whether
// it is still the same.
func TestTruncatedWhileRead(t *testing.T) {
	text, lines := numbered(1, 100)
	for _, c := range []struct {
		name, after string
		copied      bool
	}{
		{"shorter", "new\n", true},
		{"emptied", "", false}, // what was read is of the old content for certain
		{"longer", strings.Repeat("new\n", 1000), true},
	} {
		for _, known := range []string{"", "0\n"} { // read before
			t.Run(c.name+known, func(t *testing.T) {
				r := newRig(t, "a.log")
				r.write("a.log", "")
				r.start(nil)
				if known != "" {
					r.write("a.log", known)
					r.want("0")
				}
				r.write("a.log", text)
				once := true
				r.src.opts.afterRead = func() {
					if once {
						once = false
						if c.copied {
							r.copy("a.log", "a.log.1")
						}
						r.truncate("a.log")
						r.write("a.log", c.after)
					}
				}
				r.want(append(slices.Clone(lines), strings.Fields(c.after)...)...)
			})
		}
	}
}

// TestSparse is of a writer that does not append: after truncation it goes on
// where it was.
func TestSparse(t *testing.T) {
	r := newRig(t, "a.log")
	f, err := os.Create(r.path("a.log"))
	r.do(err)
	defer f.Close()
	text, lines := numbered(1, 20_000)
	r.start(nil)
	f.WriteString(text)
	r.want(lines...)
	for range 3 {
		r.truncate("a.log")
		f.WriteString("on\n")
		r.want("on")
	}
	r.truncate("a.log")
	r.step()
	f.WriteString("after\n")
	r.want("after")
	r.restart()
	f.WriteString("again\n")
	r.want("again")
}

func TestCopyIsNotRead(t *testing.T) {
	r := newRig(t, "a.log*")
	text, lines := numbered(1, 100)
	r.write("a.log", "")
	r.start(nil)
	r.write("a.log", text)
	r.want(lines...)
	r.copy("a.log", "a.log.1")
	r.want()
	r.restart()
	r.write("a.log", "x\n")
	r.want("x")
}

// TestReplaced is of a log that somebody edits, or copies here again and again.
func TestReplaced(t *testing.T) {
	r := newRig(t, "a.log")
	text, lines := numbered(1, 100)
	r.write("a.log", "")
	r.start(nil)
	r.write("a.log", text)
	r.want(lines...)
	r.copy("a.log", "new")
	r.write("new", "more\n")
	r.rename("new", "a.log")
	r.want("more")
}

func TestLinks(t *testing.T) {
	r := newRig(t, "link", "a.log", "hard")
	r.write("a.log", "")
	r.do(os.Symlink("a.log", r.path("link")), os.Link(r.path("a.log"), r.path("hard")))
	r.start(nil)
	r.write("a.log", "once\n")
	r.want("once")
}

func TestLinkSwap(t *testing.T) {
	r := newRig(t, "link")
	r.do(os.Mkdir(r.path("d"), 0o755))
	r.write("d/1", "")
	r.do(os.Symlink("d/1", r.path("link")))
	r.start(nil)
	r.write("d/1", "1\n")
	r.want("1")
	r.write("d/1", "2\n")
	r.write("d/2", "3\n")
	r.do(os.Remove(r.path("link")), os.Symlink("d/2", r.path("link")))
	r.want("2", "3")
	r.write("d/2", "4\n")
	r.want("4")
}

func TestTruncatedUnread(t *testing.T) {
	r := newRig(t, "a.log")
	r.write("a.log", "")
	r.start(nil)
	r.write("a.log", strings.Repeat("x", 100)) // no line yet
	r.want()
	r.truncate("a.log")
	r.write("a.log", "new\n")
	r.want("new")
}
