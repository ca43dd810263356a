package store

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"bailiff/decide"
)

// mountTmpfs mounts a tmpfs on dir for the rest of the test.
func mountTmpfs(t *testing.T, dir string, flags uintptr, data string) {
	t.Helper()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", flags, data); err != nil {
		if os.Getenv("BAILIFF_REQUIRE") == "all" {
			t.Fatalf("mount tmpfs: %v: this test needs root (CAP_SYS_ADMIN)", err)
		}
		t.Skipf("mount tmpfs: %v: this test needs root (CAP_SYS_ADMIN)", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
}

// disk is a file system whose room a test sets.
type disk struct {
	bytes, inodes uint64
	err           error
}

func (d *disk) free(string) (uint64, uint64, error) { return d.bytes, d.inodes, d.err }

func TestNoRoom(t *testing.T) {
	for _, tc := range []struct {
		name string
		disk disk
		want error
	}{
		{"just enough", disk{bytes: 16 << 20, inodes: minInodes}, nil},
		{"one byte short", disk{bytes: 16<<20 - 1, inodes: minInodes}, ErrNoSpace},
		{"one inode short", disk{bytes: 1 << 40, inodes: minInodes - 1}, ErrNoSpace},
		{"unknown", disk{err: syscall.EIO}, ErrUnwritable},
	} {
		t.Run(tc.name, func(t *testing.T) {
			opts := testOptions(t)
			room := disk{bytes: 1 << 40, inodes: 1 << 20}
			opts.free = func(dir string) (uint64, uint64, error) { return room.free(dir) }
			s := mustOpen(t, opts)
			room = tc.disk
			err := s.Commit(Batch{Decisions: bare(ban("192.0.2.1/32", "sshd", now))})
			if !errors.Is(err, tc.want) {
				t.Errorf("Commit = %v, want %v", err, tc.want)
			}
			if err := s.Maintain(t.Context()); !errors.Is(err, tc.want) {
				t.Errorf("Maintain = %v, want %v", err, tc.want)
			}
			want := 1
			if tc.want != nil {
				want = 0
			}
			if got := strikes(t, s, "192.0.2.1/32", "", time.Time{}); len(got) != want {
				t.Errorf("%d strikes, want %d", len(got), want)
			}
			room = disk{bytes: 1 << 40, inodes: 1 << 20}
			mustCommit(t, s, ban("192.0.2.1/32", "sshd", now))
		})
	}
}

func TestMaintainNeedsRoomForTheTables(t *testing.T) {
	opts := closedStore(t)
	room := disk{bytes: opts.MinFree, inodes: 1 << 20}
	opts.free = func(dir string) (uint64, uint64, error) { return room.free(dir) }
	s := mustOpen(t, opts)
	mustCommit(t, s, ban("192.0.2.1/32", "sshd", now))
	if err := s.Maintain(t.Context()); !errors.Is(err, ErrNoSpace) {
		t.Errorf("Maintain = %v, want ErrNoSpace", err)
	}
	room.bytes *= 2
	if err := s.Maintain(t.Context()); err != nil {
		t.Errorf("Maintain = %v with room", err)
	}
}

func TestOpenWithoutRoomLeavesNoTrace(t *testing.T) {
	opts := testOptions(t)
	opts.free = (&disk{bytes: 1}).free
	refused(t, opts, ErrNoSpace)
	if entries, err := os.ReadDir(opts.Dir); len(entries) != 0 || err != nil {
		t.Errorf("the directory holds %v, %v, want nothing", entries, err)
	}
}

// TestFullDisk fills a real file system under the store. Badger would die of
// SIGBUS, and the test with it.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	mountTmpfs(t, dir, 0, "size=40m")
	opts := DefaultOptions()
	opts.Dir = filepath.Join(dir, "state")
	s := mustOpen(t, opts)

	var n int
	commit := func() error {
		d := ban(fmt.Sprintf("10.0.%d.%d/32", n>>8, n&255), "sshd", now)
		d.Evidence = []string{strings.Repeat("y", 4<<10)}
		err := s.Commit(Batch{Decisions: []decide.Decision{d}})
		if err == nil {
			n++
		}
		return err
	}
	for range 1000 {
		if err := commit(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Maintain(t.Context()); err != nil { // or it would compact while the disk is full
		t.Fatal(err)
	}

	// Somebody else takes all that is left.
	ballast := filepath.Join(dir, "ballast")
	if out, err := exec.CommandContext(t.Context(), "dd", "if=/dev/zero", "of="+ballast, "bs=64k").CombinedOutput(); err == nil {
		t.Fatalf("the file system is not full: %s", out)
	}
	for range 1000 {
		if err := commit(); !errors.Is(err, ErrNoSpace) {
			t.Fatalf("Commit = %v, want ErrNoSpace", err)
		}
	}
	if bans, err := s.Bans(now); len(bans) != n || err != nil {
		t.Errorf("%d bans on the full disk, %v, want %d", len(bans), err, n)
	}

	// There is room again.
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	s.opts.MinFree = 4 << 20
	mustCommit(t, s, bare(ban("192.0.2.1/32", "sshd", now))...)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	opts.MinFree = 4 << 20
	if bans, err := mustOpen(t, opts).Bans(now); len(bans) != n+1 || err != nil {
		t.Errorf("%d bans afterwards, %v, want %d", len(bans), err, n+1)
	}
}

// TestCloseWithoutRoom looks at what Close leaves through a copy, because the
// files stay locked.
func TestCloseWithoutRoom(t *testing.T) {
	opts := testOptions(t)
	room := disk{bytes: 1 << 40, inodes: 1 << 20}
	opts.free = func(dir string) (uint64, uint64, error) { return room.free(dir) }
	s := mustOpen(t, opts)
	mustCommit(t, s, ban("192.0.2.1/32", "sshd", now))
	room.bytes = 0
	before := files(t, opts.Dir)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if d := diff(before, files(t, opts.Dir)); d != "" {
		t.Error("Close wrote to the full disk")
	}
	room.bytes = 1 << 40
	refused(t, opts, ErrLocked)

	copied := opts.Dir + ".copy"
	if err := os.CopyFS(copied, os.DirFS(opts.Dir)); err != nil {
		t.Fatal(err)
	}
	opts.Dir = copied
	if bans, err := mustOpen(t, opts).Bans(now); len(bans) != 1 || err != nil {
		t.Errorf("bans = %v, %v, want one", bans, err)
	}
}

// TestUnwritableMeanwhile takes the files away under a store. Were Badger asked to
// write then, it would try for ever.
func TestUnwritableMeanwhile(t *testing.T) {
	opts := testOptions(t)
	s := mustOpen(t, opts)
	mustCommit(t, s, ban("192.0.2.1/32", "sshd", now))
	dir := filepath.Join(opts.Dir, "badger")
	move := func(from, to string) {
		t.Helper()
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	move(dir, dir+".away")
	if err := s.Commit(Batch{Decisions: bare(ban("192.0.2.2/32", "sshd", now))}); !errors.Is(err, ErrUnwritable) {
		t.Errorf("Commit = %v, want %v", err, ErrUnwritable)
	}
	move(dir+".away", dir)
	mustCommit(t, s, ban("192.0.2.3/32", "sshd", now))
	if bans, err := s.Bans(now); len(bans) != 2 || err != nil {
		t.Errorf("bans = %v, %v, want those of the first and the last commit", bans, err)
	}
	move(dir, dir+".away")
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
