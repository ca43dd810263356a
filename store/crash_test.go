package store

import (
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
	"syscall"
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
		var plan crashPlan
		if _, err = fmt.Sscan(os.Getenv("STORE_TEST_PLAN"), &plan.size, &plan.commits, &plan.after); err == nil {
			err = plan.run(dir)
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

// crashPlan is what a process does before it is killed.
type crashPlan struct {
	size    int    // bans a commit
	commits uint64 // how many are acknowledged; 0: it has not opened the store
	after   int64  // microseconds from then to the kill
}

// run commits bans and the number of the commit as a mark, says the number, and
// goes on until it kills itself.
func (p crashPlan) run(dir string) error {
	kill := func() {
		time.AfterFunc(time.Duration(p.after)*time.Microsecond, func() { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL) })
	}
	if p.commits == 0 {
		kill()
	}
	opts := DefaultOptions()
	opts.Dir, opts.MinFree = dir, 4<<20
	s, err := Open(opts)
	if err != nil {
		return err
	}
	for commit := uint64(1); ; commit++ {
		b := Batch{Marks: []ingest.Mark{{Source: "test", Cursor: binary.BigEndian.AppendUint64(nil, commit)}}}
		for n := range p.size {
			b.Decisions = append(b.Decisions, crashBan(commit, n))
		}
		if err := s.Commit(b); err != nil {
			return err
		}
		fmt.Println(commit)
		if commit == p.commits {
			kill()
		}
	}
}

func TestKill(t *testing.T) {
	plans := []crashPlan{{1, 5000, 0}, {1, 1000, 500}}
	for after := int64(0); after < 20_000; after += 1500 { // a commit of this size takes 10 ms
		plans = append(plans, crashPlan{1000, 3, after})
	}
	for after := int64(0); after < 8000; after += 1000 { // opening takes 5 ms
		plans = append(plans, crashPlan{1, 0, after})
	}
	for _, plan := range plans {
		t.Run(fmt.Sprintf("%d bans %d times and %d us", plan.size, plan.commits, plan.after), func(t *testing.T) {
			dir := t.TempDir()
			acknowledged := runPlan(t, dir, plan)

			opts := testOptions(t)
			opts.Dir = dir
			began := time.Now()
			s := mustOpen(t, opts)
			t.Logf("%d commits acknowledged; reopened in %v", acknowledged, time.Since(began))

			cursor, ok, err := s.Mark("test")
			if err != nil || !ok && acknowledged > 0 {
				t.Fatalf("Mark = %v, %v", ok, err)
			}
			var last uint64
			if ok {
				last = binary.BigEndian.Uint64(cursor)
			}
			if last < acknowledged {
				t.Errorf("the mark says %d, acknowledged were %d", last, acknowledged)
			}
			for commit := uint64(1); commit <= last; commit++ {
				for n := range plan.size {
					want := crashBan(commit, n)
					if got := strikes(t, s, want.Prefix.String(), "", time.Time{}); len(got) != 1 {
						t.Fatalf("ban %d of commit %d of %d is not there", n, commit, last)
					}
				}
			}
			bans, err := s.Bans(now)
			if err != nil || len(bans) != int(last)*plan.size {
				t.Errorf("%d bans, %v, want %d × %d: a commit is there in part", len(bans), err, last, plan.size)
			}
		})
	}
}

// runPlan runs a plan in another process and returns the last commit that it
// acknowledged.
func runPlan(t *testing.T, dir string, plan crashPlan) (last uint64) {
	t.Helper()
	cmd := self(t.Context(), "commit", dir)
	cmd.Env = append(cmd.Env, fmt.Sprintf("STORE_TEST_PLAN=%d %d %d", plan.size, plan.commits, plan.after))
	out, err := cmd.Output()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("the process was not killed: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		n, err := strconv.ParseUint(strings.TrimSpace(line), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		last = n
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
					return scan(txn, []byte{kindRedo}, func(it *badger.Item) error {
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
