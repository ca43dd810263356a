//go:build linux && cgo

package journald_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bailiff/ingest"
	"bailiff/ingest/journald"
)

const remote = "/lib/systemd/systemd-journal-remote"

// host is a machine whose journal is collected.
type host struct {
	t    *testing.T
	dir  string
	name string // that the receiver gives it
	says string // what it says of itself
	boot string
	mono int
}

func newHost(t *testing.T, dir, name string, number int) *host {
	t.Helper()
	if _, err := os.Stat(remote); err != nil {
		if os.Getenv("BAILIFF_REQUIRE") == "all" {
			t.Fatal(err)
		}
		t.Skip("systemd-journal-remote is not installed: ", err)
	}
	return &host{t: t, dir: dir, name: name, says: name, boot: fmt.Sprintf("%032x", number)}
}

// file is where journal-remote puts the host's journal.
func (h *host) file() string { return filepath.Join(h.dir, "remote-"+h.name+".journal") }

// upload writes entries as journal-remote does that receives them, with the
// stamps that the host's clock gave them.
func (h *host) upload(at time.Time, messages ...string) {
	h.t.Helper()
	var export bytes.Buffer
	for i, m := range messages {
		h.mono++
		fmt.Fprintf(&export, "__REALTIME_TIMESTAMP=%d\n__MONOTONIC_TIMESTAMP=%d\n_BOOT_ID=%s\n_HOSTNAME=%s\n_SYSTEMD_UNIT=ssh.service\n_UID=0\nSYSLOG_IDENTIFIER=test\nMESSAGE=%s\n\n",
			at.Add(time.Duration(i)*time.Millisecond).UnixMicro(), h.mono, h.boot, h.says, m)
	}
	cmd := exec.Command(remote, "--output="+h.file(), "-")
	cmd.Stdin = &export
	if out, err := cmd.CombinedOutput(); err != nil {
		h.t.Fatalf("%v: %s", err, out)
	}
}

func collected(child bool, dir string) journald.Options {
	o := options(child)
	o.Dir, o.Since = dir, 24*time.Hour
	return o
}

// Each machine's journal is read for itself: what it uploads late, or has stamped
// with a clock that is behind, is not passed over because another was read further.
func TestCollectedLate(t *testing.T) {
	for name, child := range map[string]bool{"in process": false, "child": true} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			now := time.Now()
			ahead, behind := newHost(t, dir, "ahead", 1), newHost(t, dir, "behind", 2)
			behind.says = "ahead" // which nobody has to believe
			ahead.upload(now, "ahead 0")
			origins := map[string]bool{}
			r := read(t, collected(child, dir), func(e *ingest.Entry) {
				if e.Trust != ingest.TrustNormal {
					t.Errorf("trust %v", e.Trust)
				}
				origins[e.Origin] = true
			})
			r.until("ahead 0")
			behind.upload(now.Add(-time.Hour), "behind 0") // a new file
			r.until("behind 0")
			ahead.upload(now.Add(time.Minute), "ahead 1")
			r.until("ahead 1")
			behind.upload(now.Add(-30*time.Minute), "behind 1", "behind 2")
			lines := messages(r.until("behind 2"))
			slices.Sort(lines)
			want := []string{"ahead 0", "ahead 1", "behind 0", "behind 1", "behind 2"}
			if diff := cmp.Diff(want, lines); diff != "" {
				t.Error(diff)
			}
			if err := r.stop(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(map[string]bool{"ahead": true, "behind": true}, origins); diff != "" {
				t.Error(diff)
			}
			states, _, _ := r.src.Senders().States(time.Now())
			heard := map[string]uint64{}
			for _, s := range states {
				heard[s.Origin] = s.Lines
				if s.Clocked || s.Trust != ingest.TrustNormal {
					t.Errorf("%+v", s)
				}
			}
			if diff := cmp.Diff(map[string]uint64{"ahead": 2, "behind": 3}, heard); diff != "" {
				t.Error(diff)
			}
			if n := r.count("gaps"); n != 0 {
				t.Errorf("%d gaps: %s", n, r.src.Detail())
			}
		})
	}
}

// The positions of all machines are in one cursor: each goes on where it was, also
// when its file was renamed meanwhile, or while it is read.
func TestCollectedResume(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	a, b := newHost(t, dir, "a", 1), newHost(t, dir, "b", 2)
	rotate := func(h *host, n int) {
		t.Helper()
		to := fmt.Sprintf("remote-%s@%032x-%016x-%016x.journal", h.name, n, n, n)
		if err := os.Rename(h.file(), filepath.Join(dir, to)); err != nil {
			t.Fatal(err)
		}
	}
	opts := collected(true, dir)
	a.upload(now, "a 0")
	b.upload(now.Add(-time.Minute), "b 0")
	r := read(t, opts, nil)
	r.until("a 0")
	first := r.until("b 0")
	opts.Cursor = []byte(first[1].Cursor)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	b.upload(now, "b 1")
	rotate(b, 1)
	b.upload(now, "b 2")
	a.upload(now, "a 1")
	r = read(t, opts, nil)
	r.until("a 1")
	r.until("b 2")
	rotate(a, 2)
	a.upload(now.Add(-time.Minute), "a 2")
	r.until("a 2")
	rotate(a, 3)
	a.upload(now, "a 3")
	got := messages(r.until("a 3"))
	slices.Sort(got)
	if diff := cmp.Diff([]string{"a 1", "a 2", "a 3", "b 1", "b 2"}, got); diff != "" {
		t.Error(diff)
	}
}

// What was removed before it was read is a gap in the journal of its machine, and
// in no other.
func TestCollectedGap(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	a, b := newHost(t, dir, "a", 1), newHost(t, dir, "b", 2)
	opts := collected(true, dir)
	a.upload(now, "a 0")
	b.upload(now, "b 0")
	r := read(t, opts, nil)
	r.until("a 0")
	r.until("b 0")
	lines := r.until("b 0")
	opts.Cursor = []byte(lines[1].Cursor)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(a.file()); err != nil {
		t.Fatal(err)
	}
	a.upload(now.Add(time.Minute), "a 1")
	b.upload(now, "b 1")
	r = read(t, opts, nil)
	r.until("a 1")
	got := messages(r.until("b 1"))
	slices.Sort(got)
	if diff := cmp.Diff([]string{"a 1", "b 1"}, got); diff != "" {
		t.Error(diff)
	}
	want := "gap of 1m0s up to "
	if n, text := r.count("gaps"), r.src.Detail(); n != 1 || !strings.HasPrefix(text, want) {
		t.Errorf("%d gaps, %q; want 1, %q", n, text, want)
	}
}

// A file that is no journal stands in nobody's way, and is told of.
func TestCollectedBroken(t *testing.T) {
	dir := t.TempDir()
	a := newHost(t, dir, "a", 1)
	a.upload(time.Now(), "a 0")
	bad := filepath.Join(dir, "remote-bad.journal")
	if err := os.WriteFile(bad, bytes.Repeat([]byte("no journal"), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	r := read(t, collected(true, dir), nil)
	r.until("a 0")
	if err := r.src.Trouble(); err == nil || !strings.Contains(err.Error(), "remote-bad") {
		t.Errorf("trouble: %v", err)
	}
	if err := os.Remove(bad); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(30 * time.Second); r.src.Trouble() != nil; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(r.src.Trouble())
		}
	}
	a.upload(time.Now(), "a 1")
	r.until("a 1")
}
