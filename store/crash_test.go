package store

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"

	"bailiff/decide"
	"bailiff/ingest"
)

// TestMain turns this binary into another process of a test: one that commits
// until it is killed, or one that opens a store and says what memory it takes.
func TestMain(m *testing.M) {
	var err error
	switch dir := os.Getenv("STORE_TEST_DIR"); os.Getenv("STORE_TEST_ROLE") {
	case "":
		os.Exit(m.Run())
	case "commit":
		var size int
		if size, err = strconv.Atoi(os.Getenv("STORE_TEST_SIZE")); err == nil {
			err = commitForEver(dir, size)
		}
	case "rest":
		err = rest(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// self returns the command that runs this binary in a role.
func self(ctx context.Context, role, dir string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), "STORE_TEST_ROLE="+role, "STORE_TEST_DIR="+dir)
	cmd.Stderr = os.Stderr
	return cmd
}

// crashBan is the n-th ban of one commit of commitForEver.
func crashBan(commit uint64, n int) decide.Decision {
	d := ban("192.0.2.1/32", "sshd", now.Add(time.Duration(n)))
	addr := netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, uint32(commit)<<12|uint32(n))))
	d.Prefix = netip.PrefixFrom(addr, 32)
	d.Evidence = []string{strings.Repeat("x", 500)}
	return d
}

// commitForEver commits size bans and the number of the commit as a mark, says
// the number, and goes on.
func commitForEver(dir string, size int) error {
	opts := DefaultOptions()
	opts.Dir, opts.MinFree = dir, 4<<20
	s, err := Open(opts)
	if err != nil {
		return err
	}
	for commit := uint64(1); ; commit++ {
		b := Batch{Marks: []ingest.Mark{{Source: "test", Cursor: binary.BigEndian.AppendUint64(nil, commit)}}}
		for n := range size {
			b.Decisions = append(b.Decisions, crashBan(commit, n))
		}
		if err := s.Commit(b); err != nil {
			return err
		}
		fmt.Println(commit)
	}
}

func TestKill(t *testing.T) {
	for _, tc := range []struct {
		name    string
		size    int // bans a commit
		commits uint64
	}{
		{"small commits", 1, 5000},
		{"commits beyond a transaction", 1000, 12},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			acknowledged := commitAndKill(t, dir, tc.size, tc.commits)

			opts := testOptions(t)
			opts.Dir = dir
			began := time.Now()
			s := mustOpen(t, opts)
			t.Logf("%d commits of %d bans acknowledged; reopened in %v", acknowledged, tc.size, time.Since(began))

			cursor, ok, err := s.Mark("test")
			if err != nil || !ok {
				t.Fatalf("Mark = %v, %v", ok, err)
			}
			last := binary.BigEndian.Uint64(cursor)
			if last < acknowledged {
				t.Errorf("the mark says %d, acknowledged were %d", last, acknowledged)
			}
			for commit := uint64(1); commit <= last; commit++ {
				for n := range tc.size {
					want := crashBan(commit, n)
					if got := strikes(t, s, want.Prefix.String(), "", time.Time{}); len(got) != 1 {
						t.Fatalf("ban %d of commit %d of %d is not there", n, commit, last)
					}
				}
			}
			bans, err := s.Bans(now)
			if err != nil || len(bans) != int(last)*tc.size {
				t.Errorf("%d bans, %v, want %d × %d: a commit is there in part", len(bans), err, last, tc.size)
			}
		})
	}
}

// commitAndKill lets another process commit to dir, kills it when it has
// acknowledged that many commits, and returns the last it acknowledged.
func commitAndKill(t *testing.T, dir string, size int, commits uint64) uint64 {
	t.Helper()
	cmd := self(t.Context(), "commit", dir)
	cmd.Env = append(cmd.Env, "STORE_TEST_SIZE="+strconv.Itoa(size))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var last uint64
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if last, err = strconv.ParseUint(lines.Text(), 10, 64); err != nil {
			t.Fatal(err)
		}
		if last == commits {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait() // it was killed
	if last < commits {
		t.Fatalf("the process ended after %d commits", last)
	}
	return last
}

// TestInterruptedLargeCommit stops a large commit at each of its steps.
func TestInterruptedLargeCommit(t *testing.T) {
	var b Batch
	for n := range 600 {
		b.Decisions = append(b.Decisions, crashBan(1, n))
	}
	for _, tc := range []struct {
		name string
		stop func(*Store, []change) error
		want int
	}{
		{"log written", func(s *Store, c []change) error {
			return s.writePieces(redoLog(c))
		}, 600},
		{"half done", func(s *Store, c []change) error {
			return errors.Join(s.writePieces(redoLog(c)), s.transact(c[:100]))
		}, 600},
		{"done", func(s *Store, c []change) error {
			return s.write(c)
		}, 600},
		{"log half written", func(s *Store, c []change) error {
			log := redoLog(c)
			return s.writePieces(log[:len(log)-1])
		}, 0},
		{"a chunk lost", func(s *Store, c []change) error {
			return s.writePieces(redoLog(c)[1:])
		}, 0},
		{"log written over a longer one", func(s *Store, c []change) error {
			long := redoLog(slices.Concat(c, c))
			return errors.Join(s.writePieces(long[:len(long)-1]), s.writePieces(redoLog(c)))
		}, 600},
	} {
		t.Run(tc.name, func(t *testing.T) {
			opts := testOptions(t)
			s := mustOpen(t, opts)
			changes, err := s.changes(b)
			if err != nil {
				t.Fatal(err)
			}
			if s.fits(changes) {
				t.Fatal("the commit fits into one transaction")
			}
			if err := errors.Join(tc.stop(s, changes), s.Close()); err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second finds nothing left to do
				s = mustOpen(t, opts)
				bans, err := s.Bans(now)
				if len(bans) != tc.want || err != nil {
					t.Errorf("%d bans, %v, want %d", len(bans), err, tc.want)
				}
				err = s.db.View(func(txn *badger.Txn) error {
					return scan(txn, []byte{kindRedo}, false, func(it *badger.Item) error {
						return fmt.Errorf("%q of the redo log is left", it.Key())
					})
				})
				if err != nil {
					t.Error(err)
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// TestWhatFitsIsAccepted holds fits to what Badger accepts.
func TestWhatFitsIsAccepted(t *testing.T) {
	for _, size := range []int{0, 40, 1 << 10, 60 << 10} {
		s := mustOpen(t, testOptions(t))
		var changes []change
		for {
			c := change{
				key:   binary.BigEndian.AppendUint32([]byte{kindMark}, uint32(len(changes))),
				value: make([]byte, size),
			}
			if !s.fits(append(changes, c)) {
				break
			}
			changes = append(changes, c)
		}
		if err := s.transact(changes); err != nil {
			t.Errorf("%d values of %d bytes: %v", len(changes), size, err)
		}
		t.Logf("%d values of %d bytes fit", len(changes), size)
	}
}
