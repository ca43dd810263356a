package syslog_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"slices"
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

// hostile are what a connection may do to the others, until quit is closed. Those
// whose name begins with "raw" do it below TLS.
var hostile = map[string]func(c net.Conn, quit <-chan struct{}){
	"raw silent": func(_ net.Conn, quit <-chan struct{}) { <-quit },
	"raw garbage": func(c net.Conn, quit <-chan struct{}) {
		_, _ = io.WriteString(c, "\x16\x03\x01\x02\x00\x01\x00"+strings.Repeat("\x00\xff\n", 20_000))
		<-quit
	},
	"raw slow": func(c net.Conn, quit <-chan struct{}) {
		for _, b := range []byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03and so on") {
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
// honest say arrives whole and in order, and the accounts balance. Where it is
// crowded, there is room for little more than the hostile ones, who are there first.
func TestHostileConnections(t *testing.T) {
	a := newAuthority(t)
	a.issue("server", "", "log.example.com")
	for _, scheme := range []string{"tcp", "tls"} {
		for _, room := range []int{hostileSenders + honestSenders, hostileSenders + 100} {
			t.Run(fmt.Sprintf("%s, room for %d", scheme, room), func(t *testing.T) {
				l := newListener(t, scheme+"://0.0.0.0:0", func(o *syslog.Options) {
					o.AllowFrom = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
					o.MaxConns, o.MaxConnsPerSender = room, hostileSenders
					if scheme == "tls" {
						a.listen(o)
					}
				})
				testHostile(t, l, func(c net.Conn) net.Conn {
					if scheme == "tls" {
						return tls.Client(c, a.client())
					}
					return c
				})
				crowded := room < hostileSenders+honestSenders
				if n := ingesttest.Total(l, "refused", "connections closed for others"); (n > 0) != crowded {
					t.Errorf("room for %d: %d connections closed for others", room, n)
				}
				if n := ingesttest.Total(l, "refused", "connections by tls"); (n > 0) != (scheme == "tls") {
					t.Errorf("%d connections refused by TLS", n)
				}
			})
		}
	}
}

const honestSenders, hostileSenders, linesEach = 1000, 1000, 20

// dialFrom connects from an address of this machine.
func dialFrom(t *testing.T, l *syslog.Listener, from string) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := d.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", l.LocalPort()))
	if err != nil {
		t.Error(err)
		return nil
	}
	return c
}

func testHostile(t *testing.T, l *syslog.Listener, secure func(net.Conn) net.Conn) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || limit.Cur < 2*(honestSenders+hostileSenders)+100 {
		t.Skipf("too few open files are allowed: %d, %v", limit.Cur, err)
	}
	if err := l.Bind(); err != nil {
		t.Fatal(err)
	}
	var arrived, wrong atomic.Uint64
	next := make([]atomic.Int64, honestSenders)
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
		if arrived.Add(1) == honestSenders*linesEach {
			close(all)
		}
	}
	go func() { ended <- l.Run(ctx, handler) }()

	quit := make(chan struct{})
	var attackers, senders sync.WaitGroup
	kinds := slices.Sorted(maps.Keys(hostile))
	for i := range hostileSenders {
		kind := kinds[i%len(kinds)]
		c := dialFrom(t, l, "127.0.0.2")
		if c == nil {
			break
		}
		attackers.Go(func() {
			defer c.Close()
			if strings.HasPrefix(kind, "raw") {
				hostile[kind](c, quit)
			} else {
				hostile[kind](secure(c), quit)
			}
		})
	}
	for s := range honestSenders {
		senders.Go(func() {
			c := dialFrom(t, l, fmt.Sprintf("127.1.%d.%d", s/250, 1+s%250))
			if c == nil {
				return
			}
			c = secure(c)
			defer c.Close()
			w := &framed{Conn: c}
			for i := range linesEach {
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
	if arrived.Load() != honestSenders*linesEach || wrong.Load() > 0 {
		t.Errorf("%d of %d honest lines arrived, %d of them out of order or cut", arrived.Load(), honestSenders*linesEach, wrong.Load())
	}
	ingesttest.CheckCounts(t, l)
	if ingesttest.Total(l, "malformed", "framing") == 0 {
		t.Error("the absurd counts are not counted")
	}
}
