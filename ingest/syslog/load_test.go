package syslog_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"bailiff/ingest"
	"bailiff/ingest/ingesttest"
	"bailiff/ingest/syslog"
)

// hostile are what a connection may do to the others, until quit is closed.
var hostile = map[string]func(c net.Conn, quit <-chan struct{}){
	"no newline": func(c net.Conn, quit <-chan struct{}) {
		text := []byte(strings.Repeat("x", 64<<10))
		for range 32 {
			_, _ = c.Write(text)
		}
		<-quit
	},
	"endless count": func(c net.Conn, quit <-chan struct{}) {
		_, _ = io.WriteString(c, strings.Repeat("9", 64<<10)+" <13>"+strings.Repeat("x", 64<<10))
		<-quit
	},
	"count that is never filled": func(c net.Conn, quit <-chan struct{}) {
		_, _ = io.WriteString(c, "1048576 <13>"+strings.Repeat("x", 64<<10))
		<-quit
	},
	"absurd counts": func(c net.Conn, quit <-chan struct{}) {
		_, _ = io.WriteString(c, strings.Repeat("99999999 <13>x\n", 4000))
		<-quit
	},
	"silent": func(_ net.Conn, quit <-chan struct{}) { <-quit },
	"slow": func(c net.Conn, quit <-chan struct{}) {
		for _, b := range []byte(traditional("a line that takes its time, and never ends")) {
			if _, err := c.Write([]byte{b}); err != nil {
				return
			}
			select {
			case <-time.After(50 * time.Millisecond):
			case <-quit:
				return
			}
		}
		<-quit
	},
}

// TestHostileConnections has 1,000 honest senders beside 1,000 hostile ones: what the
// honest say arrives whole and in order, and the accounts balance.
func TestHostileConnections(t *testing.T) {
	const honest, wicked, lines = 1000, 1000, 20
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || limit.Cur < 2*(honest+wicked)+100 {
		t.Skipf("too few open files are allowed: %d, %v", limit.Cur, err)
	}
	l := newListener(t, "tcp://127.0.0.1:0", func(o *syslog.Options) { o.MaxConns, o.MaxConnsPerSender = honest+wicked, honest+wicked })
	if err := l.Bind(); err != nil {
		t.Fatal(err)
	}
	var arrived, wrong atomic.Uint64
	next := make([]atomic.Int64, honest)
	all := make(chan struct{})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	handler := func(e *ingest.Entry) {
		var sender, line int64
		if _, err := fmt.Sscanf(string(e.Message), "sender %d line %d", &sender, &line); err != nil {
			return
		}
		if !next[sender].CompareAndSwap(line, line+1) || e.Truncated {
			wrong.Add(1)
		}
		if arrived.Add(1) == honest*lines {
			close(all)
		}
	}
	go func() { ended <- l.Run(ctx, handler) }()

	quit := make(chan struct{})
	var attackers, senders sync.WaitGroup
	kinds := 0
	for _, attack := range hostile {
		for i := range wicked {
			if i%len(hostile) == kinds {
				c := dial(t, l)
				attackers.Go(func() { attack(c, quit) })
			}
		}
		kinds++
	}
	for s := range honest {
		senders.Go(func() {
			c, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			w := &framed{Conn: c}
			for i := range lines {
				if _, err := w.Write([]byte(traditional(fmt.Sprintf("sender %d line %d", s, i)))); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	senders.Wait()
	select {
	case <-all:
	case <-time.After(time.Minute):
	}
	early := l.Counts()
	for _, off := range ingest.Balance(early, l.Counts()) {
		t.Errorf("in the middle of it: %v", off)
	}
	close(quit)
	attackers.Wait()
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if arrived.Load() != honest*lines || wrong.Load() > 0 {
		t.Errorf("%d of %d honest lines arrived, %d of them out of order or cut", arrived.Load(), honest*lines, wrong.Load())
	}
	ingesttest.CheckCounts(t, l)
	if ingesttest.Total(l, "malformed", "framing") == 0 {
		t.Error("the absurd counts are not counted")
	}
}
