package daemon

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"bailiff/enforce/nft"
	"bailiff/ingest"
	"bailiff/ingest/syslog"
)

// moody is a source that does what each run tells it, and then works in silence.
type moody struct {
	runs    []func(context.Context, ingest.Handler) error
	started []time.Time
}

func (m *moody) Name() string { return "moody" }

func (m *moody) Run(ctx context.Context, h ingest.Handler) error {
	m.started = append(m.started, time.Now())
	if n := len(m.started) - 1; n < len(m.runs) {
		return m.runs[n](ctx, h)
	}
	<-ctx.Done()
	return nil
}

// TestSourceComesBack follows one source through failures: its trouble is shown
// until it is read again, which silence proves as well as a line, and what went
// well for long does not count as trouble before the next failure.
func TestSourceComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		fail := func(context.Context, ingest.Handler) error { return broken }
		lasts := func(d time.Duration, lines int) func(context.Context, ingest.Handler) error {
			return func(_ context.Context, h ingest.Handler) error {
				for range lines {
					h(&ingest.Entry{Source: "moody"})
				}
				time.Sleep(d)
				return broken
			}
		}
		source := &moody{runs: []func(context.Context, ingest.Handler) error{
			fail, fail, fail, // at 0, 1 and 3 s
			lasts(time.Second, 1), // at 7 s, with a line
			lasts(time.Hour, 0),   // at 16 s, in silence
		}}
		p, _ := newSpine(t)
		d, k := &daemon{log: quiet, pipe: p}, newDesk(source)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		began := time.Now()
		go func() { defer close(done); d.man(ctx, k) }()
		for _, tt := range []struct {
			at     time.Duration
			ok     bool
			errors uint64
		}{
			{500 * time.Millisecond, false, 1},
			{6 * time.Second, false, 3},
			{7500 * time.Millisecond, true, 3},
			{15 * time.Second, false, 4},
			{17 * time.Second, false, 4},
			{19 * time.Second, true, 4},
			{16*time.Second + time.Hour + 500*time.Millisecond, false, 5},
			{2 * time.Hour, true, 5},
		} {
			time.Sleep(time.Until(began.Add(tt.at)))
			if s := k.status(); s.OK != tt.ok || s.Errors != tt.errors {
				t.Errorf("after %v the status is %+v, want ok %v after %d errors", tt.at, s.Part, tt.ok, tt.errors)
			}
		}
		stop()
		<-done
		want := []time.Duration{0, time.Second, 3 * time.Second, 7 * time.Second, 16 * time.Second, 17*time.Second + time.Hour}
		for i, at := range source.started {
			if at.Sub(began) != want[i] {
				t.Errorf("run %d began after %v, want %v", i, at.Sub(began), want[i])
			}
		}
	})
}

// TestGuardedListeners holds that the firewall guards every port that local processes
// can reach, and knows TLS as what it is on the wire.
func TestGuardedListeners(t *testing.T) {
	d := &daemon{}
	for _, listen := range []string{"udp://127.0.0.1:5514", "tcp://127.0.0.1:601", "tls://127.0.0.1:6514", "unix:///x", "unixgram:///y"} {
		opts := syslog.DefaultOptions()
		opts.Listen, opts.AllowUID = listen, []int{0, 104}
		if strings.HasPrefix(listen, "tls") {
			opts.Cert, opts.Key = "/c", "/k"
		}
		l, err := syslog.New(opts)
		if err != nil {
			t.Fatal(err)
		}
		d.sources = append(d.sources, newDesk(l))
	}
	uids := []uint32{0, 104}
	want := []nft.Listener{{Proto: "udp", Port: 5514, UIDs: uids}, {Proto: "tcp", Port: 601, UIDs: uids}, {Proto: "tcp", Port: 6514, UIDs: uids}}
	if diff := cmp.Diff(want, d.guardedListeners()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
