package ingest

import (
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func counts(pairs ...any) (out []Count) {
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, Count{Name: pairs[i].(string), N: uint64(pairs[i+1].(int))})
	}
	return out
}

func TestBalance(t *testing.T) {
	whole := counts("received", 10, "delivered", 7, "refused", 2, "malformed", 1, "parsed", 7, "unmatched", 4, "matched", 3, "decided", 1, "dropped", 2)
	for _, tc := range []struct {
		name        string
		early, late []Count
		want        []string
	}{
		{name: "at rest", early: whole, late: whole},
		{name: "a source by itself", early: counts("received", 1, "delivered", 1), late: counts("received", 1, "delivered", 1)},
		{
			name: "a line is in hand", early: counts("received", 2, "delivered", 1, InHand, 1), late: counts("received", 2, "delivered", 1, InHand, 1),
		},
		{
			name:  "lines moved between the readings",
			early: counts("received", 5, "delivered", 5), late: counts("received", 9, "delivered", 8, InHand, 1),
		},
		{
			name:  "a line waits",
			early: counts("matched", 3, "delivered", 3, "decided", 1, Queued, 2), late: counts("matched", 3, "delivered", 3, "decided", 1, Queued, 2),
		},
		{
			name: "a line vanished in the source", early: counts("received", 3, "delivered", 1, "refused", 1), late: counts("received", 3, "delivered", 1, "refused", 1),
			want: []string{"1 lines of received are not among delivered + refused + malformed"},
		},
		{
			name: "a line was delivered twice", early: counts("received", 3, "delivered", 4), late: counts("received", 3, "delivered", 4),
			want: []string{"1 lines of delivered + refused + malformed are not among received"},
		},
		{
			name:  "lines vanished in the queue",
			early: counts("matched", 4, "delivered", 4, "decided", 1), late: counts("matched", 4, "delivered", 4, "decided", 1, Queued, 1),
			want: []string{"2 lines of matched are not among decided + dropped"},
		},
		{
			name:  "one was not parsed, and one is neither matched nor unmatched",
			early: counts("received", 2, "delivered", 2, "parsed", 1, "unmatched", 1), late: counts("received", 2, "delivered", 2, "parsed", 1, "unmatched", 1),
			want: []string{"1 lines of delivered are not among parsed", "1 lines of delivered are not among matched + unmatched"},
		},
		{
			name:  "connections are not lines",
			early: []Count{{Name: "refused", Reason: "connections by address", N: 7}}, late: counts("received", 1, "delivered", 1),
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got []string
			for _, i := range Balance(tc.early, tc.late) {
				got = append(got, fmt.Sprint(i))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestLedgerWhileLinesMove reads a ledger while pages are opened, written and
// closed: no pair of readings may accuse it.
func TestLedgerWhileLinesMove(t *testing.T) {
	var l Ledger
	const workers, rounds, lines = 4, 20, 200
	var writing sync.WaitGroup
	for range workers {
		writing.Go(func() {
			for range rounds {
				p := l.Page()
				for i := range lines {
					p.Add(Received)
					if i%10 == 0 {
						p.Add(RefusedAddress)
						continue
					}
					p.Entry(&Entry{Dialect: RFC3164, Cleaned: i%2 == 0})
					p.Add(Delivered)
				}
				l.Close(p)
			}
		})
	}
	done := make(chan struct{})
	go func() { writing.Wait(); close(done) }()
	for moving := true; moving; {
		select {
		case <-done:
			moving = false
		default:
		}
		early := l.Counts()
		if off := Balance(early, l.Counts()); len(off) > 0 {
			t.Fatalf("%v", off)
		}
	}
	want := []Count{
		{Name: "received", N: 16000},
		{Name: "delivered", N: 14400},
		{Name: "cleaned", N: 6400},
		{Name: "refused", Reason: "address", N: 1600},
		{Name: "lost", Reason: "kernel"},
		{Name: "parsed", Reason: "rfc3164", N: 14400},
	}
	if diff := cmp.Diff(want, l.Counts(LostKernel)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestEveryFateHasAName holds the tables to the constants.
func TestEveryFateHasAName(t *testing.T) {
	seen := map[Count]bool{}
	for f, c := range fates {
		if c.Name == "" || seen[c] {
			t.Errorf("fate %d is called %+v", f, c)
		}
		seen[c] = true
	}
	for d := range dialectCount {
		if d.String() == "" {
			t.Errorf("dialect %d has no name", d)
		}
	}
}

// BenchmarkPage is what counting costs a line that is delivered, on each of several
// goroutines at once.
func BenchmarkPage(b *testing.B) {
	var l Ledger
	b.RunParallel(func(pb *testing.PB) {
		p, e := l.Page(), &Entry{Dialect: RFC3164}
		defer l.Close(p)
		for pb.Next() {
			p.Add(Received)
			p.Entry(e)
			p.Add(Delivered)
		}
	})
}

// TestPagesAreGivenBack holds that connections which come and go leave nothing behind.
func TestPagesAreGivenBack(t *testing.T) {
	var l Ledger
	kept := l.Page()
	for range 100 {
		p := l.Page()
		p.Add(Received)
		l.Close(p)
		l.Close(p) // twice is once
	}
	if len(l.open) != 1 || l.open[0] != kept || l.Counts()[0].N != 100 {
		t.Errorf("%d pages are open, %v", len(l.open), l.Counts())
	}
}
