package store

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"bailiff/decide"
	"bailiff/ingest"
)

// onDisk opens a resilient store on a file system whose room the test sets.
func onDisk(t *testing.T, bytes uint64) (*Resilient, *disk, Options) {
	t.Helper()
	opts := testOptions(t)
	room := &disk{bytes: bytes, inodes: 1 << 20}
	opts.free = func(dir string) (uint64, uint64, error) { return room.free(dir) }
	r, err := OpenResilient(opts)
	if err != nil {
		t.Fatal(err)
	}
	return r, room, opts
}

func (r *Resilient) commit(t *testing.T, decisions ...decide.Decision) {
	t.Helper()
	if err := r.Commit(Batch{Decisions: decisions}); err != nil {
		t.Fatal(err)
	}
}

const plenty = 1 << 40

// history is what a store answers about what was committed to it.
type history struct {
	Bans, Record []decide.Decision
	Strikes      []decide.Strike
	Mark         string
}

// answers asks for everything that TestResilient commits.
func answers(t *testing.T, s interface {
	Bans(time.Time) ([]decide.Decision, error)
	Record(netip.Prefix, int) ([]decide.Decision, error)
	Strikes(netip.Prefix, string, time.Time) ([]decide.Strike, error)
	Mark(string) ([]byte, bool, error)
},
) (h history) {
	t.Helper()
	var err [4]error
	var mark []byte
	h.Bans, err[0] = s.Bans(now)
	h.Record, err[1] = s.Record(netip.MustParsePrefix("192.0.2.0/24"), 100)
	h.Strikes, err[2] = s.Strikes(netip.MustParsePrefix("192.0.2.1/32"), "", now.Add(-time.Hour))
	mark, _, err[3] = s.Mark("journald")
	h.Mark = string(mark)
	if e := errors.Join(err[:]...); e != nil {
		t.Fatal(e)
	}
	return h
}

func byKey(a, b decide.Decision) int {
	return bytes.Compare(banKey(a.Prefix, a.Jail), banKey(b.Prefix, b.Jail))
}

// commits are batches that depend on each other across any cut.
func commits() []Batch {
	standing := ban("192.0.2.1/32", "sshd", now)
	long := ban("192.0.2.1/32", "pbx", now.Add(-time.Minute))
	long.Until = time.Time{}
	old := ban("192.0.2.1/32", "old", now.Add(-3*time.Hour))
	alarm := ban("192.0.2.9/32", "sshd", now.Add(-2*time.Minute))
	alarm.Action = decide.Alarm
	spent := ban("192.0.2.1/32", "spent", now.Add(-20*time.Minute))
	spent.Spent = true
	simulated := ban("192.0.2.1/32", "simulated", now.Add(-5*time.Minute))
	simulated.Simulated = true
	gone := ban("192.0.2.1/32", "gone", now.Add(-30*time.Minute))
	var batches []Batch
	for i, d := range []decide.Decision{
		old, gone, simulated, spent, alarm, long, standing,
		lift("192.0.2.1/32", "pbx", now.Add(-30*time.Second)),
		ban("192.0.2.2/32", "sshd", now.Add(-time.Second)),
		lift("192.0.2.1/32", "spent", now.Add(-2*time.Second)),
		lift("192.0.2.1/32", "gone", now.Add(-3*time.Second)),
	} {
		batches = append(batches, Batch{
			Decisions: []decide.Decision{d},
			Marks:     []ingest.Mark{{Source: "journald", Cursor: []byte{byte('a' + i)}}},
		})
	}
	return batches
}

// TestResilient cuts the disk off after each commit in turn. What is answered
// is the same with it, without it and after it came back.
func TestResilient(t *testing.T) {
	s := mustOpen(t, testOptions(t))
	for _, b := range commits() {
		if err := s.Commit(b); err != nil {
			t.Fatal(err)
		}
	}
	want := answers(t, s)
	if len(want.Bans) != 3 || len(want.Record) != 11 || len(want.Strikes) != 4 || want.Mark != "k" {
		t.Fatalf("the case is not what it was meant to be: %+v", want)
	}
	for cut := range len(commits()) + 1 {
		r, room, opts := onDisk(t, plenty)
		for i, b := range commits() {
			if i == cut {
				room.bytes = 0
			}
			if err := r.Commit(b); err != nil {
				t.Fatal(err)
			}
			if i >= cut != (r.Degraded() != nil) {
				t.Errorf("cut %d, commit %d: Degraded = %v", cut, i, r.Degraded())
			}
		}
		got := answers(t, r)
		slices.SortFunc(got.Bans, byKey) // only a store has them in order
		if d := diff(want, got); d != "" {
			t.Errorf("cut after %d commits, without the disk (-want +got):\n%s", cut, d)
		}
		room.bytes = plenty
		r.Retry()
		if err := r.Degraded(); err != nil {
			t.Errorf("Degraded = %v with room again", err)
		}
		if d := diff(want, answers(t, r)); d != "" {
			t.Errorf("cut after %d commits, with the disk back (-want +got):\n%s", cut, d)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if d := diff(want, answers(t, mustOpen(t, opts))); d != "" {
			t.Errorf("cut after %d commits, reopened (-want +got):\n%s", cut, d)
		}
	}
}

func TestStartWithoutRoom(t *testing.T) {
	opts := testOptions(t)
	before := mustOpen(t, opts)
	err := before.Commit(Batch{
		Decisions: []decide.Decision{ban("192.0.2.1/32", "sshd", now)},
		Windows:   []decide.Window{window("192.0.2.1/32", "sshd", 3), window("192.0.2.2/32", "sshd", 3)},
	})
	if err := errors.Join(err, before.Close()); err != nil {
		t.Fatal(err)
	}
	room := &disk{}
	opts.free = func(dir string) (uint64, uint64, error) { return room.free(dir) }
	r, err := OpenResilient(opts)
	if err != nil || !errors.Is(r.Degraded(), ErrNoSpace) {
		t.Fatalf("OpenResilient: %v, Degraded: %v", err, r.Degraded())
	}
	for lines := range 3 {
		if err := r.Commit(Batch{Windows: []decide.Window{window("192.0.2.2/32", "sshd", lines)}}); err != nil {
			t.Fatal(err)
		}
	}
	r.commit(t, ban("192.0.2.2/32", "sshd", now))
	if windows, err := r.Windows(); len(windows) != 0 || err != nil {
		t.Errorf("windows = %v, %v, want none that an earlier process left", windows, err)
	}
	if err := r.Sync(); err != nil {
		t.Error(err)
	}
	if err := r.Maintain(t.Context()); err != nil {
		t.Error(err)
	}
	if bans, err := r.Bans(now); len(bans) != 1 || err != nil {
		t.Errorf("bans = %v, %v, want the new one", bans, err)
	}
	if waiting, forgotten := r.Kept(); waiting != 1 || forgotten != 0 {
		t.Errorf("Kept = %d, %d", waiting, forgotten)
	}
	r.Retry()
	select {
	case <-r.Opened():
		t.Error("opened without room")
	default:
	}
	*room = disk{bytes: plenty, inodes: 1 << 20}
	r.Retry()
	select {
	case <-r.Opened():
	default:
		t.Error("not opened with room")
	}
	if bans, err := r.Bans(now); len(bans) != 2 || err != nil {
		t.Errorf("bans = %v, %v, want both", bans, err)
	}
	for _, want := range [][]decide.Window{
		{window("192.0.2.1/32", "sshd", 3), window("192.0.2.2/32", "sshd", 3)}, // as found
		{window("192.0.2.1/32", "sshd", 3), window("192.0.2.2/32", "sshd", 2)}, // as stored since
	} {
		windows, err := r.Windows()
		if d := diff(want, windows); d != "" || err != nil {
			t.Errorf("windows (-want +got): %v\n%s", err, d)
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if err := r.Commit(Batch{}); !errors.Is(err, ErrClosed) {
		t.Errorf("Commit after Close = %v", err)
	}
}

func TestOpenResilientRefusesWhatOpenRefuses(t *testing.T) {
	opts := testOptions(t)
	mustOpen(t, opts)
	if _, err := OpenResilient(opts); !errors.Is(err, ErrLocked) {
		t.Errorf("OpenResilient = %v, want ErrLocked", err)
	}
}

func TestCloseSaysWhatIsLost(t *testing.T) {
	r, room, _ := onDisk(t, plenty)
	room.bytes = 0
	r.commit(t, ban("192.0.2.1/32", "sshd", now))
	if err := r.Close(); !errors.Is(err, ErrNoSpace) {
		t.Errorf("Close = %v, want ErrNoSpace", err)
	}
}

func TestBacklogIsBounded(t *testing.T) {
	r, _, _ := onDisk(t, 0)
	const n = 3 * maxKept
	for i := range n {
		r.commit(t, crashBan(uint64(i>>12), i&0xfff))
		if waiting, forgotten := r.Kept(); waiting > maxKept || waiting+forgotten != i+1 {
			t.Fatalf("after %d: %d wait, %d forgotten", i+1, waiting, forgotten)
		}
	}
	newest := crashBan((n-1)>>12, (n-1)&0xfff)
	strikes, err := r.Strikes(newest.Prefix, "", time.Time{})
	if d := diff([]decide.Strike{strikeOf(newest)}, strikes); d != "" || err != nil {
		t.Errorf("the newest was forgotten: %v\n%s", err, d)
	}
}

// TestRunCatchesUp lets time pass by itself. The store is never opened, because
// Badger's goroutines would keep a bubble from ending.
func TestRunCatchesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		opts := DefaultOptions()
		opts.Dir = t.TempDir()
		opts.free = func(string) (uint64, uint64, error) { asked++; return 0, 0, nil }
		r, err := OpenResilient(opts)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- r.Run(ctx) }()
		time.Sleep(10*retryEvery + retryEvery/2)
		synctest.Wait()
		if asked != 11 {
			t.Errorf("looked %d times in %v, want once at the start and then every %v", asked, 10*retryEvery, retryEvery)
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}
