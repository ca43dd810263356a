package file

import (
	"os"
	"strings"
	"testing"
	"time"
)

// TestResume stops a source, rotates the log, and goes on.
func TestResume(t *testing.T) {
	for _, c := range []struct {
		name   string
		rotate func(r *rig)
		want   []string
		glob   string // besides a.log and a.log*
	}{
		{name: "nothing", rotate: func(*rig) {}, want: []string{"2"}},
		{name: "rename", rotate: func(r *rig) {
			r.rename("a.log", "a.log.1")
			r.write("a.log", "3\n")
		}, want: []string{"2", "3"}},
		{name: "rename without a successor", rotate: func(r *rig) { r.rename("a.log", "a.log-20261123") }, want: []string{"2"}},
		{name: "rename twice", rotate: func(r *rig) {
			r.rename("a.log", "a.log.2")
			past := time.Now().Add(-time.Minute)
			r.do(os.Chtimes(r.path("a.log.2"), past, past))
			r.write("a.log.1", "3\n")
			past = past.Add(time.Second)
			r.do(os.Chtimes(r.path("a.log.1"), past, past))
			r.write("a.log", "4\n")
		}, want: []string{"2", "3", "4"}},
		{name: "copytruncate", rotate: func(r *rig) {
			r.copy("a.log", "a.log.1")
			r.truncate("a.log")
			r.write("a.log", "3\n")
		}, want: []string{"2", "3"}},
		{name: "copytruncate, longer", rotate: func(r *rig) {
			r.copy("a.log", "a.log.1")
			r.truncate("a.log")
			r.write("a.log", strings.Repeat("3", 500)+"\n")
		}, want: []string{"2", strings.Repeat("3", 500)}},
		{name: "copy", rotate: func(r *rig) { r.copy("a.log", "a.log.1") }, want: []string{"2"}},
		{name: "edited", rotate: func(r *rig) {
			r.copy("a.log", "b")
			r.rename("b", "a.log")
		}, want: []string{"2"}},
		{name: "compressed", rotate: func(r *rig) {
			r.do(os.Remove(r.path("a.log")))
			r.write("a.log.1.gz", "\x1f\x8b")
			r.write("a.log", "3\n")
		}, want: []string{"3"}},
	} {
		for _, glob := range []string{"a.log", "a.log*"} {
			t.Run(c.name+" "+glob, func(t *testing.T) {
				r := newRig(t, glob)
				text, lines := numbered(1, 5)
				r.write("a.log", text)
				r.opts.FromStart = true
				r.start(nil)
				r.want(lines...)
				r.write("a.log", "2\n")
				r.src.end()
				c.rotate(r)
				r.opts.FromStart = false
				r.start(r.cursors[len(r.cursors)-1])
				r.want(c.want...)
				if gaps := r.count("gaps", "rotated away"); gaps != 0 != (c.name == "compressed") {
					t.Errorf("%d gaps", gaps)
				}
				r.write("a.log", "on\n")
				r.want("on")
			})
		}
	}
}

// TestResumeAnywhere goes on at each position that there was.
func TestResumeAnywhere(t *testing.T) {
	r := newRig(t, "*.log", "*.log.[0-9]")
	text, lines := numbered(1, 40)
	r.opts.FromStart = true
	r.start(nil)
	for i, part := range strings.SplitAfter(text, "\n") {
		name := []string{"a.log", "b.log", "c.log"}[i%3]
		r.write(name, part)
		r.step()
		if i%10 == 9 {
			_ = os.Rename(r.path(name), r.path(name+"."+string(rune('0'+i/10))))
		}
	}
	if len(r.seen) != len(lines) {
		t.Fatalf("%d of %d lines", len(r.seen), len(lines))
	}
	order, cursors := r.seen, r.cursors
	for i, cursor := range cursors {
		r.src.end()
		r.seen = nil
		r.start(cursor)
		r.step()
		got := make(map[string]int)
		for _, line := range r.seen {
			got[line]++
		}
		for _, line := range order[i+1:] {
			if got[line] != 1 {
				t.Errorf("after %q: %q came %d times", order[i], line, got[line])
			}
		}
		if len(r.seen) != len(order)-i-1 {
			t.Errorf("after %q: %d lines, want %d: %q", order[i], len(r.seen), len(order)-i-1, r.seen)
		}
	}
}

// TestResumeUnreadCopy stops a source that has seen a copy and not looked into it.
func TestResumeUnreadCopy(t *testing.T) {
	r := newRig(t, "a.log*")
	text, lines := numbered(1, 100)
	r.write("a.log", "")
	r.start(nil)
	r.write("a.log", text)
	r.want(lines...)
	r.copy("a.log", "a.log.1")
	r.src.scan(false)
	r.src.end()
	r.truncate("a.log")
	r.write("a.log", "new\n")
	r.start(r.src.cursor)
	r.want("new")
	if n := r.count("gaps", "rotated away"); n != 0 {
		t.Errorf("%d gaps", n)
	}
}

func TestReusedNumber(t *testing.T) {
	r := newRig(t, "a.log")
	text, lines := numbered(1, 50)
	r.opts.FromStart = true
	r.write("a.log", text)
	r.start(nil)
	r.want(lines...)
	// Another content under the same number, at least as long.
	r.src.end()
	r.do(os.WriteFile(r.path("a.log"), []byte(strings.Repeat("other line\n", 200)), 0o644))
	r.start(r.cursors[len(r.cursors)-1])
	r.step()
	if len(r.seen) != 200 {
		t.Errorf("%d lines", len(r.seen))
	}
}

func TestNewGlobBeginsAtTheEnd(t *testing.T) {
	r := newRig(t, "a.log")
	r.write("a.log", "")
	r.write("b.log", "history\n")
	r.start(nil)
	r.write("a.log", "1\n")
	r.want("1")
	r.opts.Paths = append(r.opts.Paths, r.path("b.log"), r.path("c.log"))
	r.restart()
	r.want()
	r.write("b.log", "new\n")
	r.want("new")
	r.src.end()
	r.write("c.log", "appeared\n")
	r.start(r.cursors[len(r.cursors)-1])
	r.want("appeared")
}

func TestBadCursor(t *testing.T) {
	r := newRig(t, "a.log")
	r.write("a.log", "old\n")
	r.start([]byte("nonsense"))
	r.write("a.log", "new\n")
	r.want("new")
	if r.count("gaps", "rotated away") != 1 || !strings.Contains(r.log.String(), "position cannot be read") {
		t.Errorf("log: %s", &r.log)
	}
}
