package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"bailiff/decide"
	"bailiff/ingest"
	"bailiff/ingest/syslog"
)

// office is a pipeline with sources that are read, and what is asked of it: the
// tests look at its accounts while lines move.
type office struct {
	t       *testing.T
	pipe    *pipeline
	diary   *diary
	desks   []*desk
	stop    context.CancelFunc // of the sources, as at a shutdown
	readers sync.WaitGroup
	judged  chan struct{}
	resume  func() // lets the judge go on
}

// openOffice runs sources and, once resume is called, the judge.
func openOffice(t *testing.T, sources ...ingest.Source) *office {
	t.Helper()
	p, d := newSpine(t, decide.DefaultJail("ssh", "sshd"))
	p.queue = make(chan finding, 64)
	ctx, cancel := context.WithCancel(t.Context())
	o := &office{t: t, pipe: p, diary: d, stop: cancel, judged: make(chan struct{})}
	for _, s := range sources {
		if l, ok := s.(*syslog.Listener); ok {
			if err := l.Bind(); err != nil {
				t.Fatal(err)
			}
		}
		k := newDesk(s)
		o.desks = append(o.desks, k)
		o.readers.Go(func() { (&daemon{log: quiet, pipe: p}).man(ctx, k) })
	}
	o.resume = sync.OnceFunc(func() {
		go func() { defer close(o.judged); p.judge(context.Background()) }()
	})
	t.Cleanup(cancel)
	return o
}

// check holds the accounts of all desks to their sums, as the status does: on the
// judge, while the sources go on.
func (o *office) check() {
	o.t.Helper()
	err := o.pipe.ask(o.t.Context(), func() {
		for _, k := range o.desks {
			for _, off := range k.status().Imbalances {
				o.t.Errorf("%s: %v", k.source.Name(), ingest.Imbalance(off))
			}
		}
	})
	if err != nil {
		o.t.Error(err)
	}
}

// close shuts down in the order of the daemon and holds that nothing is left over.
func (o *office) close() {
	o.t.Helper()
	o.stop()
	o.readers.Wait()
	o.resume()
	close(o.pipe.queue)
	<-o.judged
	for _, k := range o.desks {
		var said bytes.Buffer
		k.closeAccount(slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelError})))
		if said.Len() > 0 {
			o.t.Errorf("%s%v", &said, k.counts())
		}
	}
}

// sum adds up a count of all reasons, over all desks.
func (o *office) sum(names ...string) (n uint64) {
	for _, k := range o.desks {
		for _, c := range k.counts() {
			for _, name := range names {
				if c.Name == name && c.Lines() {
					n += c.N
				}
			}
		}
	}
	return n
}

// await asks again and again until n lines were received or lost.
func (o *office) await(what string, happened func() bool) {
	o.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !happened(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			o.t.Fatalf("%s: not within 20 s", what)
		}
	}
}

func openListener(t *testing.T, listen string) *syslog.Listener {
	t.Helper()
	opts := syslog.DefaultOptions()
	opts.Listen, opts.AllowUID = listen, []int{os.Getuid()}
	opts.MaxConnsPerSender = 0 // the test is many senders at one address
	l, err := syslog.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// mixture is line i of a stream in which every kind of line has its turn; every
// third is a guess.
func mixture(i int) string {
	head := "<86>Nov 23 10:11:12 pbx sshd[7]: "
	switch i % 6 {
	case 0, 3:
		return fmt.Sprintf("%sFailed password for root from 198.51.100.%d port 4 ssh2", head, i%250+1)
	case 1:
		return head + "Failed none of what anybody knows" // near
	case 2:
		return "<30>1 2026-11-23T01:38:44.5Z pbx systemd 1 - - \x1b[0mStarted it."
	}
	return "<30>Nov 23 10:11:12 host systemd[1]: Started it."
}

// TestAccountsInAFlood sends to all sockets at once while the judge stands still,
// so that the queue is full; then lets it go on, reloads, has the store fail, and
// stops in the middle of it.
func TestAccountsInAFlood(t *testing.T) {
	gram := "unixgram://" + filepath.Join(t.TempDir(), "log.sock")
	udp, tcp, unixgram := openListener(t, "udp://127.0.0.1:0"), openListener(t, "tcp://127.0.0.1:0"), openListener(t, gram)
	o := openOffice(t, udp, tcp, unixgram)
	const lines = 3000
	var sent atomic.Uint64
	var senders sync.WaitGroup
	halfway := make(chan struct{})
	for i, l := range []*syslog.Listener{udp, tcp, unixgram, tcp, udp} {
		c, err := net.Dial(l.Network(), l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		end := map[bool]string{true: "\n"}[l == tcp]
		senders.Go(func() {
			defer c.Close()
			for n := range lines {
				if _, err := c.Write([]byte(mixture(i+n) + end)); err != nil {
					t.Error(err)
					return
				}
				sent.Add(1)
				if i == 0 && n == lines/2 {
					close(halfway)
				}
			}
		})
	}
	<-halfway
	o.await("the queue to be full", func() bool { return o.sum("dropped") > 0 })
	o.resume()
	set, err := shipped()
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		o.check()
		// A reload: the set is swapped on the judge.
		if err := o.pipe.ask(t.Context(), func() { o.pipe.set.Store(set) }); err != nil {
			t.Fatal(err)
		}
		if i == 10 { // the store is closed under the judge
			o.pipe.ask(t.Context(), func() { o.diary.commitErr = errors.New("closed") })
		}
	}
	senders.Wait()
	o.await("all to arrive", func() bool { return o.sum("received", "lost") == sent.Load() })
	o.check()
	o.close()
	if got := o.sum("dropped"); got == 0 {
		t.Error("the queue was never full")
	}
	if got, want := o.sum("matched"), o.sum("decided", "dropped"); got != want || got == 0 {
		t.Errorf("%d matched, %d decided or dropped", got, want)
	}
	if o.sum("lost") == 0 && o.sum("matched") != 5*lines/3 {
		t.Errorf("%d matched of %d", o.sum("matched"), 5*lines)
	}
}

// TestAccountsOfCutConnections ends connections wherever it likes: within a count,
// a frame, a line.
func TestAccountsOfCutConnections(t *testing.T) {
	tcp := openListener(t, "tcp://127.0.0.1:0")
	o := openOffice(t, tcp)
	o.resume()
	counted := func(s string) string { return fmt.Sprintf("%d %s", len(s), s) }
	whole := mixture(0) + "\n" + counted(mixture(1)) + mixture(2) + "\n" + "99999999 <13>absurd\n" + counted(mixture(3)) + "5 <13>too short\n"
	for end := range len(whole) + 1 {
		c, err := net.Dial("tcp", tcp.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write([]byte(whole[:end])); err != nil {
			t.Fatal(err)
		}
		if end%2 == 0 {
			_ = c.(*net.TCPConn).SetLinger(0) // a reset
		}
		c.Close()
		if end%20 == 0 {
			o.check()
		}
	}
	o.await("all connections to end", func() bool { return o.sum("malformed") > uint64(len(mixture(3))/2) })
	o.close()
	if o.sum("received") == 0 || o.sum("truncated") == 0 || o.sum("malformed") == 0 || o.sum("decided") == 0 {
		t.Errorf("%v", o.desks[0].counts())
	}
}

// endless is a source that can resume, of endless guesses.
type endless struct{ ingest.Ledger }

func (j *endless) Name() string           { return "endless" }
func (j *endless) Counts() []ingest.Count { return j.Ledger.Counts() }

func (j *endless) Run(ctx context.Context, h ingest.Handler) error {
	page := j.Page()
	defer j.Close(page)
	for i := 0; ctx.Err() == nil; i++ {
		e := guess("198.51.100.8", fmt.Sprint("c", i))
		e.Dialect = ingest.Journal
		page.Add(ingest.Received)
		page.Entry(e)
		h(e)
		page.Add(ingest.Delivered)
	}
	return nil
}

// TestAccountsOfAStop stops while a source waits for room in the queue.
func TestAccountsOfAStop(t *testing.T) {
	o := openOffice(t, new(endless))
	o.await("the queue to be full", func() bool { return len(o.pipe.queue) == cap(o.pipe.queue) })
	o.close()
	if n := o.sum("dropped"); n != 1 {
		t.Errorf("%d dropped, want the one that waited", n)
	}
	if n := o.sum("decided"); n != uint64(cap(o.pipe.queue)) {
		t.Errorf("%d decided, want what was queued", n)
	}
}

// TestAccountsAreOff loses a line behind each stage, and each shows.
func TestAccountsAreOff(t *testing.T) {
	k := newDesk(new(endless))
	source := k.source.(*endless)
	page, behind := source.Page(), k.account.pages[0]
	source.Close(page)
	page = source.Page()
	steps := []struct {
		name string
		do   func()
		off  int
	}{
		{"received", func() { page.Add(ingest.Received); page.Add(ingest.Received) }, 1}, // one may be in hand, not two
		{"parsed", func() { page.Entry(&ingest.Entry{}); page.Entry(&ingest.Entry{}) }, 2},
		{"matched", func() { behind.Add(ingest.Matched); behind.Add(ingest.Matched) }, 4},
		{"delivered", func() { page.Add(ingest.Delivered); page.Add(ingest.Delivered) }, 1},
		{"decided", func() { k.account.judged.Add(ingest.Decided) }, 1},
		{"dropped", func() { behind.Add(ingest.DroppedQueue) }, 0},
		{"decided and dropped", func() { behind.Add(ingest.DroppedQueue) }, 1},
	}
	for _, s := range steps {
		s.do()
		if got := k.status().Imbalances; len(got) != s.off {
			t.Errorf("after %s: %v, want %d sums to be off", s.name, got, s.off)
		}
	}
}

// TestUnmatchedLineAllocatesNothing counts a line from its bytes to its account.
func TestUnmatchedLineAllocatesNothing(t *testing.T) {
	p, _ := newSpine(t)
	a := newAccount()
	h := p.read(nil, a)
	line := []byte("<30>Nov 23 10:11:12 host systemd[1]: Started session-42.scope - Session 42 of User alice.")
	var parser syslog.Parser
	var e ingest.Entry
	if n := testing.AllocsPerRun(1000, func() {
		parser.Parse(line, &e)
		h(&e)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
	if n := total(a, "unmatched"); n != 1001 {
		t.Errorf("%d unmatched, want 1001", n)
	}
}
