package syslog_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bailiff/ingest"
	"bailiff/ingest/ingesttest"
	"bailiff/ingest/syslog"
)

func newListener(t *testing.T, listen string, change func(*syslog.Options)) *syslog.Listener {
	t.Helper()
	opts := syslog.DefaultOptions()
	opts.Listen = listen
	opts.AllowUID = []int{os.Getuid()}
	if change != nil {
		change(&opts)
	}
	l, err := syslog.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func unixgram(t *testing.T) string {
	return "unixgram://" + filepath.Join(t.TempDir(), "dir", "log.sock")
}

func unixStream(t *testing.T) string {
	return "unix://" + filepath.Join(t.TempDir(), "dir", "stream.sock")
}

func streams(l *syslog.Listener) bool { return l.Network() == "tcp" || l.Network() == "unix" }

func dial(t *testing.T, l *syslog.Listener) net.Conn {
	t.Helper()
	c, err := net.Dial(l.Addr().Network(), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func traditional(message string) string {
	return "<38>Nov 23 01:38:44 vm sshd[1]: " + message
}

func precise(message string) string {
	return "<38>1 2026-11-23T01:38:44.5Z vm sshd 1 - - " + message
}

// framed ends each line by its octet count or by a line feed, in turn.
type framed struct {
	net.Conn
	n int
}

func (f *framed) Write(line []byte) (int, error) {
	f.n++
	if f.n%2 == 0 {
		return fmt.Fprintf(f.Conn, "%d %s", len(line), line)
	}
	return fmt.Fprintf(f.Conn, "%s\n", line)
}

func TestConformance(t *testing.T) {
	for _, tc := range []struct {
		name   string
		listen func(t *testing.T) string
		change func(*syslog.Options)
		line   func(string) string
	}{
		{name: "udp", listen: func(*testing.T) string { return "udp://127.0.0.1:0" }, line: traditional},
		{name: "udp 5424", listen: func(*testing.T) string { return "udp://[::1]:0" }, line: precise},
		{name: "udp off loopback", listen: func(*testing.T) string { return "udp://0.0.0.0:0" }, line: traditional, change: func(o *syslog.Options) {
			o.AllowFrom, o.Path = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, syslog.PathProtected
		}},
		{name: "tcp", listen: func(*testing.T) string { return "tcp://127.0.0.1:0" }, line: traditional},
		{name: "tcp 6", listen: func(*testing.T) string { return "tcp://[::1]:0" }, line: precise},
		{name: "unixgram", listen: unixgram, line: traditional},
		{name: "unix", listen: unixStream, line: traditional},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ingesttest.Run(t, func(t *testing.T) ingesttest.Transport {
				l := newListener(t, tc.listen(t), tc.change)
				return ingesttest.Transport{
					Source: l,
					Drains: true,
					// A sender on a unix socket waits for room.
					Waits:       l.Network() != "udp",
					Independent: streams(l),
					Line:        tc.line,
					Dial: func(t *testing.T) io.WriteCloser {
						if streams(l) {
							return &framed{Conn: dial(t, l)}
						}
						return dial(t, l)
					},
				}
			})
		})
	}
}

// runListener binds and runs l until the test ends and returns what it hands
// out, and the way to end it.
func runListener(t *testing.T, l *syslog.Listener) (<-chan ingest.Entry, func()) {
	t.Helper()
	if err := l.Bind(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	entries := make(chan ingest.Entry, 100)
	done := make(chan error, 1)
	go func() {
		done <- l.Run(ctx, func(e *ingest.Entry) {
			own := *e
			own.Message = append([]byte(nil), e.Message...)
			entries <- own
		})
	}()
	stop := func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		done <- nil
	}
	t.Cleanup(stop)
	return entries, stop
}

func receive(t *testing.T, entries <-chan ingest.Entry) ingest.Entry {
	t.Helper()
	select {
	case e := <-entries:
		return e
	case <-time.After(20 * time.Second):
		t.Fatal("nothing arrives")
		panic("unreachable")
	}
}

// await polls until what it waits for has happened.
func await(t *testing.T, what string, happened func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !happened() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 20 s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

func write(t *testing.T, w io.Writer, s string) {
	t.Helper()
	if _, err := io.WriteString(w, s); err != nil {
		t.Fatal(err)
	}
}

func TestPeer(t *testing.T) {
	for _, tc := range []struct {
		listen    string
		change    func(*syslog.Options)
		spoofable bool
	}{
		{listen: "udp://127.0.0.1:0"},
		{listen: "tcp://127.0.0.1:0"},
		{listen: "udp://[::]:0", spoofable: true, change: func(o *syslog.Options) { o.Path = syslog.PathOpen }},
		{listen: "udp://[::]:0", change: func(o *syslog.Options) { o.Path = syslog.PathProtected }},
		{listen: "tcp://[::]:0", change: func(*syslog.Options) {}},
	} {
		t.Run(tc.listen, func(t *testing.T) {
			l := newListener(t, tc.listen, func(o *syslog.Options) {
				if tc.change != nil {
					o.AllowFrom = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
					tc.change(o)
				}
			})
			entries, _ := runListener(t, l)
			c, err := net.Dial(l.Network(), fmt.Sprintf("127.0.0.1:%d", l.LocalPort()))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			write(t, c, traditional("x")+"\n")
			e := receive(t, entries)
			if want := netip.MustParseAddrPort(c.LocalAddr().String()); e.Peer != want {
				t.Errorf("peer %v, want %v", e.Peer, want)
			}
			if e.Spoofable != tc.spoofable {
				t.Errorf("spoofable %v, want %v", e.Spoofable, tc.spoofable)
			}
			if e.UID != -1 || e.PID != -1 || e.Vouched {
				t.Errorf("uid %d, pid %d, vouched %v of a network peer", e.UID, e.PID, e.Vouched)
			}
		})
	}
}

func TestAllowFrom(t *testing.T) {
	elsewhere := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("::ffff:198.51.100.0/120")}
	t.Run("udp", func(t *testing.T) {
		l := newListener(t, "udp://0.0.0.0:0", func(o *syslog.Options) { o.AllowFrom, o.Path = elsewhere, syslog.PathProtected })
		entries, stop := runListener(t, l)
		c, err := net.Dial("udp", fmt.Sprintf("127.0.0.1:%d", l.LocalPort()))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		write(t, c, traditional("x"))
		await(t, "the line is refused", func() bool { return ingesttest.Total(l, "refused", "address") == 1 })
		stop()
		ingesttest.CheckCounts(t, l)
		if len(entries) > 0 {
			t.Errorf("handed out all the same: %s", (<-entries).Message)
		}
	})
	t.Run("tcp", func(t *testing.T) {
		l := newListener(t, "tcp://0.0.0.0:0", func(o *syslog.Options) { o.AllowFrom = elsewhere })
		runListener(t, l)
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", l.LocalPort()))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Error("the connection is open")
		}
		if n := ingesttest.Total(l, "refused", "connections by address"); n != 1 {
			t.Errorf("%d connections refused, want 1", n)
		}
	})
}

func TestCredentials(t *testing.T) {
	for _, listen := range []string{unixgram(t), unixStream(t)} {
		l := newListener(t, listen, nil)
		entries, _ := runListener(t, l)
		write(t, dial(t, l), traditional("x")+"\n")
		e := receive(t, entries)
		if e.UID != os.Getuid() || e.PID != os.Getpid() || e.Vouched || e.Peer.IsValid() {
			t.Errorf("%s: uid %d, pid %d, vouched %v, peer %v", listen, e.UID, e.PID, e.Vouched, e.Peer)
		}
		if want := fmt.Sprintf("uid %d", os.Getuid()); e.Origin != want || e.Trust != ingest.TrustHigh {
			t.Errorf("%s: origin %q, trust %v", listen, e.Origin, e.Trust)
		}
	}
	strangers := func(o *syslog.Options) { o.AllowUID = []int{os.Getuid() + 1} }
	t.Run("refused datagram", func(t *testing.T) {
		l := newListener(t, unixgram(t), strangers)
		entries, stop := runListener(t, l)
		write(t, dial(t, l), traditional("x"))
		await(t, "the line is refused", func() bool { return ingesttest.Total(l, "refused", "uid") == 1 })
		stop()
		ingesttest.CheckCounts(t, l)
		if len(entries) > 0 {
			t.Errorf("handed out all the same: %s", (<-entries).Message)
		}
	})
	t.Run("refused connection", func(t *testing.T) {
		l := newListener(t, unixStream(t), strangers)
		runListener(t, l)
		if _, err := dial(t, l).Read(make([]byte, 1)); err == nil {
			t.Error("the connection is open")
		}
		if n := ingesttest.Total(l, "refused", "connections by user"); n != 1 {
			t.Errorf("%d connections refused, want 1", n)
		}
	})
}

func TestEmptyDatagram(t *testing.T) {
	for _, listen := range []string{"udp://127.0.0.1:0", unixgram(t)} {
		l := newListener(t, listen, nil)
		_, stop := runListener(t, l)
		write(t, dial(t, l), "") // net writes no empty datagram for an empty string
		c := dial(t, l)
		if _, err := c.Write([]byte{}); err != nil {
			t.Fatal(err)
		}
		await(t, "the empty datagrams are counted", func() bool { return ingesttest.Total(l, "malformed", "empty") == 2 })
		stop()
		ingesttest.CheckCounts(t, l)
	}
}

func TestFramingFault(t *testing.T) {
	l := newListener(t, "tcp://127.0.0.1:0", nil)
	entries, stop := runListener(t, l)
	c := dial(t, l)
	write(t, c, "99999999 <13>x\n"+traditional("after it")+"\n")
	if e := receive(t, entries); string(e.Message) != "after it" {
		t.Errorf("%q arrived", e.Message)
	}
	// The peer dies in the middle of an address.
	write(t, c, traditional("from 203.0.113.1"))
	c.Close()
	if e := receive(t, entries); !e.Truncated {
		t.Errorf("%q is not marked truncated", e.Message)
	}
	stop()
	ingesttest.CheckCounts(t, l)
	if n := ingesttest.Total(l, "malformed", "framing"); n != 1 {
		t.Errorf("%d malformed, want 1", n)
	}
}

// TestSilentPeer holds that a connection that does not finish its line holds up
// no other, and not the end.
func TestSilentPeer(t *testing.T) {
	l := newListener(t, "tcp://127.0.0.1:0", nil)
	entries, stop := runListener(t, l)
	silent, other := dial(t, l), dial(t, l)
	write(t, silent, "<13>half a")
	write(t, other, traditional("x")+"\n")
	if e := receive(t, entries); string(e.Message) != "x" {
		t.Errorf("%q arrived", e.Message)
	}
	stop()
	if e := receive(t, entries); string(e.Message) != "half a" || !e.Truncated {
		t.Errorf("%q arrived, truncated %v", e.Message, e.Truncated)
	}
	ingesttest.CheckCounts(t, l)
}

func TestMaxConns(t *testing.T) {
	l := newListener(t, "tcp://127.0.0.1:0", func(o *syslog.Options) { o.MaxConns = 1 })
	entries, _ := runListener(t, l)
	first := dial(t, l)
	write(t, first, traditional("x")+"\n")
	receive(t, entries)
	second := dial(t, l)
	if _, err := second.Read(make([]byte, 1)); err == nil {
		t.Error("the second connection is open")
	}
	if n := ingesttest.Total(l, "refused", "connections over limit"); n != 1 {
		t.Errorf("%d connections refused, want 1", n)
	}
	// The place is free again once the first has gone.
	first.Close()
	await(t, "a place is free", func() bool {
		c := dial(t, l)
		io.WriteString(c, traditional("y")+"\n")
		select {
		case e := <-entries:
			return string(e.Message) == "y"
		case <-time.After(50 * time.Millisecond):
			c.Close()
			return false
		}
	})
}

// TestKernelDrops holds that what the kernel had no room for is counted, also
// once the socket is closed.
func TestKernelDrops(t *testing.T) {
	l := newListener(t, "udp://127.0.0.1:0", nil)
	if err := l.Bind(); err != nil {
		t.Fatal(err)
	}
	c := dial(t, l)
	const sent = 1000
	for range sent {
		write(t, c, strings.Repeat("x", 60_000)) // nobody reads yet
	}
	entries, stop := runListener(t, l)
	go func() {
		for range entries {
		}
	}()
	stop()
	received, lost := ingesttest.Total(l, "received", ""), ingesttest.Total(l, "lost", "kernel")
	if received == 0 || lost == 0 || received+lost != sent {
		t.Errorf("%d received and %d lost of %d sent", received, lost, sent)
	}
	ingesttest.CheckCounts(t, l)
}

// TestTime holds that only a precise stamp close to our clock is believed.
func TestTime(t *testing.T) {
	now := time.Date(2026, 11, 23, 1, 38, 44, 600_000_000, time.UTC)
	for _, tc := range []struct {
		name, stamp string
		want        time.Time
	}{
		{"precise", "2026-11-23T01:38:44.5Z", now.Add(-100 * time.Millisecond)},
		{"precise in another zone", "2026-11-23T02:38:44.5+01:00", now.Add(-100 * time.Millisecond)},
		{"oldest believed", "2026-11-23T01:38:39.6Z", now.Add(-5 * time.Second)},
		{"too old", "2026-11-23T01:38:39.5Z", now},
		{"ahead of us", "2026-11-23T01:38:44.7Z", now},
		{"whole seconds", "2026-11-23T01:38:44Z", now},
		{"no zone", "2026-11-23T01:38:44.5", now},
		{"none", "-", now},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := newListener(t, "udp://127.0.0.1:0", func(o *syslog.Options) { o.Now = func() time.Time { return now } })
			entries, _ := runListener(t, l)
			write(t, dial(t, l), "<13>1 "+tc.stamp+" h a - - - x")
			if e := receive(t, entries); !e.Time.Equal(tc.want) || !e.Received.Equal(now) {
				t.Errorf("happened %v, want %v (received %v)", e.Time, tc.want, e.Received)
			}
		})
	}
}

func TestRunAgain(t *testing.T) {
	l := newListener(t, unixgram(t), nil)
	for range 2 {
		entries, stop := runListener(t, l)
		write(t, dial(t, l), traditional("x"))
		receive(t, entries)
		stop()
	}
	if n := ingesttest.Total(l, "delivered", ""); n != 2 {
		t.Errorf("%d delivered, want 2", n)
	}
}
