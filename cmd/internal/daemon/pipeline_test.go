package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"bailiff/decide"
	"bailiff/ingest"
	"bailiff/rules"
	"bailiff/store"
)

// diary is a ledger, an enforcer and a listener that note what they are asked
// for, in order.
type diary struct {
	mu      sync.Mutex
	events  []string
	batches []store.Batch
	broken  chan struct{}

	commitErr, applyErr, syncErr error
}

func (d *diary) note(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.events = append(d.events, fmt.Sprintf(format, args...))
}

// read returns what was noted since it was last asked.
func (d *diary) read() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	events := d.events
	d.events = nil
	return events
}

func (d *diary) Commit(b store.Batch) error {
	d.note("commit %d decisions %d marks", len(b.Decisions), len(b.Marks))
	d.batches = append(d.batches, b)
	return d.commitErr
}

// disk is the diary as a ledger: both a ledger and an enforcer have a Sync.
type disk struct{ *diary }

func (d disk) Sync() error {
	d.note("fsync")
	return nil
}

// wall is the diary as an enforcer.
type wall struct{ *diary }

func (w wall) Apply(_ context.Context, ds []decide.Decision) error {
	for i := range ds {
		w.note("apply %s %s", ds[i].Action, ds[i].Jail)
	}
	return w.applyErr
}

func (w wall) Sync(_ context.Context, bans []decide.Decision) error {
	w.note("sync %d", len(bans))
	return w.syncErr
}

func (w wall) Broken() <-chan struct{} { return w.broken }
func (w wall) Close() error            { return nil }

// shipped are the shipped packs, compiled once.
var shipped = sync.OnceValues(func() (*rules.Set, error) {
	packs, err := rules.Embedded()
	if err != nil {
		return nil, err
	}
	return rules.Compile(packs...)
})

// newSpine returns a pipeline between nothing and a diary.
func newSpine(t *testing.T, jails ...decide.Jail) (*pipeline, *diary) {
	t.Helper()
	set, err := shipped()
	if err != nil {
		t.Fatal(err)
	}
	opt := decide.DefaultOptions()
	opt.Ceiling = decide.Ceiling{} // the spine carries what it is given
	opt.Jails = jails
	engine, err := decide.New(opt, nil)
	if err != nil {
		t.Fatal(err)
	}
	d := &diary{broken: make(chan struct{}, 1)}
	p := newPipeline(engine, disk{d}, &police{firewall: wall{d}, log: quiet, now: time.Now}, set)
	p.tell = func(decision *decide.Decision) { d.note("tell %s %s", decision.Action, decision.Jail) }
	p.tick = func(context.Context, time.Time) {}
	return p, d
}

// guess is an entry of one refused password; without a cursor it is from the
// network.
func guess(addr, cursor string) *ingest.Entry {
	return &ingest.Entry{
		Source: "log", Time: time.Now(), Received: time.Now(), Identifier: []byte("sshd"), UID: -1, PID: -1, Repeat: 1,
		Message: []byte("Failed password for root from " + addr + " port 4711 ssh2"), Cursor: []byte(cursor),
	}
}

// guesses hands n of them to a source's handler.
func guesses(h ingest.Handler, addr, cursor string, n int) {
	for i := range n {
		if cursor != "" {
			h(guess(addr, fmt.Sprint(cursor, i)))
		} else {
			h(guess(addr, ""))
		}
	}
}

// total is the sum of one count of an account.
func total(a *account, name string) (n uint64) {
	for _, c := range a.counts() {
		if c.Name == name {
			n += c.N
		}
	}
	return n
}

// finish lets the judge decide all that is queued.
func finish(ctx context.Context, p *pipeline) {
	close(p.queue)
	p.judge(ctx)
}

func TestDecisionsHoldBeforeTheyAreTold(t *testing.T) {
	short, long := decide.DefaultJail("short", "sshd"), decide.DefaultJail("long", "sshd")
	long.BanTime = time.Hour
	p, d := newSpine(t, short, long)
	account := newAccount()
	guesses(p.read(nil, account), "198.51.100.8", "c", 5)
	finish(t.Context(), p)
	want := []string{
		"commit 2 decisions 1 marks",
		"apply ban long", "apply ban long", // the longest end holds
		"fsync", "tell ban short", "tell ban long",
	}
	if diff := cmp.Diff(want, d.events); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestPositionRidesWithItsMatches(t *testing.T) {
	p, d := newSpine(t, decide.DefaultJail("ssh", "sshd"))
	account := newAccount()
	h := p.read(nil, account)
	n := batchMatches + 3 // two batches
	guesses(h, "198.51.100.8", "c", n)
	finish(t.Context(), p)
	if len(d.batches) != 2 {
		t.Fatalf("%d commits, want 2", len(d.batches))
	}
	for i, last := range []int{batchMatches - 1, n - 1} {
		want := []ingest.Mark{{Source: "log", Cursor: fmt.Append(nil, "c", last)}}
		if diff := cmp.Diff(want, d.batches[i].Marks); diff != "" {
			t.Errorf("commit %d (-want +got)\n%s", i, diff)
		}
	}
	if got := d.batches[0].Decisions; len(got) != 1 || len(d.batches[0].Windows) != 1 {
		t.Errorf("first commit: %+v, want the ban and its window beside the position", d.batches[0])
	}
}

// TestQuietSourceIsMarked has lines that match nothing.
func TestQuietSourceIsMarked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, d := newSpine(t, decide.DefaultJail("ssh", "sshd"))
		account := newAccount()
		h := p.read(nil, account)
		for i := range 21 {
			e := guess("198.51.100.8", fmt.Sprint("c", i))
			e.Message = []byte("Server listening on 0.0.0.0 port 22.")
			h(e)
			time.Sleep(markEvery / 10)
		}
		if n := len(p.queue); n != 3 {
			t.Errorf("%d positions in two seconds, want 3", n)
		}
		finish(t.Context(), p)
		if len(d.batches) != 1 || string(d.batches[0].Marks[0].Cursor) != "c20" {
			t.Errorf("commits: %+v", d.batches)
		}
	})
}

func TestFullQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, d := newSpine(t, decide.DefaultJail("ssh", "sshd"))
		p.queue = make(chan finding, 2)
		account := newAccount()
		h := p.read(nil, account)
		guesses(h, "198.51.100.8", "", 5) // a network source never waits
		if n := total(account, "dropped"); n != 3 {
			t.Errorf("%d counted as dropped, want 3", n)
		}
		handed := 0
		go func() {
			for i := range 3 {
				h(guess("198.51.100.8", fmt.Sprint("c", i)))
				handed++
			}
			close(p.queue)
		}()
		if synctest.Wait(); handed != 0 {
			t.Error("a source that can resume did not wait")
		}
		p.judge(t.Context())
		if handed != 3 || total(account, "dropped") != 3 {
			t.Errorf("%d handed over, %d dropped", handed, total(account, "dropped"))
		}
		if !slices.Contains(d.events, "tell ban ssh") {
			t.Errorf("the five that were not lost made no ban: %v", d.events)
		}
	})
}

// TestStopPassesOverNoLine stops while a line waits for room. What comes after it
// finds room, and must not be taken: its position would pass over the first.
func TestStopPassesOverNoLine(t *testing.T) {
	for range 20 { // select chooses by chance
		synctest.Test(t, func(t *testing.T) {
			p, _ := newSpine(t, decide.DefaultJail("ssh", "sshd"))
			p.queue = make(chan finding, 1)
			done := make(chan struct{})
			account := newAccount()
			h := p.read(done, account)
			h(guess("198.51.100.8", "c0"))
			go h(guess("198.51.100.8", "c1"))
			synctest.Wait()
			close(done)
			synctest.Wait()
			<-p.queue
			h(guess("198.51.100.8", "c2"))
			if len(p.queue) != 0 {
				t.Error("a line after one that was given up is queued")
			}
		})
	}
}

func TestStopDecidesWhatIsQueued(t *testing.T) {
	p, d := newSpine(t, decide.DefaultJail("ssh", "sshd"))
	account := newAccount()
	h := p.read(nil, account)
	for i := range 2000 {
		guesses(h, fmt.Sprintf("198.51.%d.%d", i/250, i%250+1), "", 5)
	}
	finish(t.Context(), p)
	bans := 0
	for _, b := range d.batches {
		if len(b.Decisions) > batchMatches {
			t.Errorf("%d decisions in one commit", len(b.Decisions))
		}
		bans += len(b.Decisions)
	}
	if bans != 2000 || total(account, "dropped") != 0 {
		t.Errorf("%d bans, %d dropped, want 2000 and none", bans, total(account, "dropped"))
	}
	if err := p.ask(t.Context(), func() {}); !errors.Is(err, errStopping) {
		t.Errorf("asking a judge that has gone: %v", err)
	}
}

func TestBatchIsBoundedInBytes(t *testing.T) {
	p, _ := newSpine(t)
	for range 300 {
		p.queue <- finding{matches: []rules.Match{{Line: string(make([]byte, 1000))}}}
	}
	if n := len(p.take([]finding{<-p.queue})); n != batchBytes/1000+1 {
		t.Errorf("%d lines of 1000 bytes in one batch", n)
	}
}

func TestNothingIsCommittedForNothing(t *testing.T) {
	p, d := newSpine(t, decide.DefaultJail("ssh", "sshd"))
	p.settle(t.Context(), nil, nil)
	if len(d.events) != 0 {
		t.Errorf("%v", d.events)
	}
	d.commitErr = errors.New("closed")
	account := newAccount()
	guesses(p.read(nil, account), "198.51.100.8", "", 5)
	finish(t.Context(), p)
	want := []string{"commit 1 decisions 0 marks", "apply ban ssh", "fsync", "tell ban ssh"}
	if diff := cmp.Diff(want, d.events); diff != "" || p.tally.unsaved.Load() != 1 {
		t.Errorf("without a record, %d unsaved (-want +got)\n%s", p.tally.unsaved.Load(), diff)
	}
}

// TestMarksAreTheNewest has three sources in one batch.
func TestMarksAreTheNewest(t *testing.T) {
	mark := func(source, cursor string) finding {
		return finding{mark: ingest.Mark{Source: source, Cursor: []byte(cursor)}}
	}
	got := marks([]finding{mark("a", "1"), mark("b", "1"), mark("a", "2"), {}, mark("b", "3"), mark("b", "2")})
	want := []ingest.Mark{{Source: "b", Cursor: []byte("2")}, {Source: "a", Cursor: []byte("2")}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// A source that may feed some packs feeds no others, and each line is accounted for.
func TestSourceFeedsItsPacks(t *testing.T) {
	for _, tt := range []struct {
		packs          []string
		matched, other uint64
	}{{nil, 5, 0}, {[]string{"sshd"}, 5, 0}, {[]string{"asterisk"}, 0, 5}} {
		p, _ := newSpine(t, decide.DefaultJail("ssh", "sshd"))
		a := newAccount()
		a.packs = tt.packs
		guesses(p.read(nil, a), "198.51.100.8", "", 5)
		finish(t.Context(), p)
		var other uint64
		for _, c := range a.counts() {
			if c.Name == "unmatched" && c.Reason == "pack" {
				other = c.N
			}
		}
		if total(a, "decided") != tt.matched || other != tt.other {
			t.Errorf("%v: %d decided, %d for another pack", tt.packs, total(a, "decided"), other)
		}
	}
}
