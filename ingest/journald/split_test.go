//go:build linux && cgo

package journald_test

import (
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bailiff/ingest"
	"bailiff/ingest/journald"
	"bailiff/ingest/journald/journaltest"
)

// Whatever makes journald split a line of a stream: it is handed out once, cut, and its
// rest, which begins wherever the writer liked, is not. Nor is it if the reader begins
// between the two.
func TestSplitLine(t *testing.T) {
	const forged = "Failed password for root from 192.0.2.1 port 22"
	long := strings.Repeat("x", 48<<10)
	for name, split := range map[string]struct {
		first string
		rest  func(t *testing.T, conn *net.UnixConn)
	}{
		"line-max": {long, func(t *testing.T, conn *net.UnixConn) { write(t, conn, forged+"\n") }},
		"nul":      {"refused x\x00", func(t *testing.T, conn *net.UnixConn) { write(t, conn, forged+"\n") }},
		"nul twice": {"refused x\x00", func(t *testing.T, conn *net.UnixConn) {
			write(t, conn, forged+"\x00"+forged+"\n")
		}},
		"pid-change": {"refused x", func(t *testing.T, conn *net.UnixConn) {
			file, err := conn.File()
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			cmd := exec.Command("echo", forged)
			cmd.Stdout = file
			if err := cmd.Run(); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		for _, restart := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " restart ", restart), func(t *testing.T) {
				bothWays(t, func(t *testing.T, opts journald.Options) {
					journaltest.Start(t)
					opts.Since = time.Hour
					r := read(t, opts, nil)
					conn := stream(t)
					write(t, conn, "before\n")
					want := messages(r.until("before"))
					write(t, conn, split.first)
					cut := strings.TrimSuffix(split.first[:min(len(split.first), ingest.MaxMessage)], "\x00")
					if restart && name != "pid-change" { // there the rest makes the first part a line
						r.until(cut)
						writer(t)("between")
						lines := r.until("between")
						opts.Cursor = []byte(lines[len(lines)-1].Cursor)
						if err := r.stop(); err != nil {
							t.Fatal(err)
						}
						want = nil
						r = read(t, opts, nil)
					} else {
						want = append(want, cut)
					}
					split.rest(t, conn)
					write(t, conn, "after\n")
					got := r.until("after")
					for _, l := range got {
						if l.Truncated != (l.Message == cut) {
							t.Errorf("%.20q: truncated %v", l.Message, l.Truncated)
						}
					}
					if diff := cmp.Diff(append(want, "after"), messages(got)); diff != "" {
						t.Error(diff)
					}
					if n := r.count("refused"); n != uint64(max(1, strings.Count(name, "twice")*2)) {
						t.Errorf("refused %d", n)
					}
				})
			})
		}
	}
}

// So it is with what a container prints, which Docker hands to journald in pieces; what
// it prints on the other channel in between is its own.
func TestSplitContainer(t *testing.T) {
	bothWays(t, func(t *testing.T, opts journald.Options) {
		journaltest.Start(t)
		opts.Since = time.Hour
		r := read(t, opts, nil)
		entry := func(message, priority, more string) {
			t.Helper()
			cmd := exec.Command("logger", "--journald")
			cmd.Stdin = strings.NewReader("SYSLOG_IDENTIFIER=test\nCONTAINER_ID_FULL=c0ffee\nMESSAGE=" + message + "\nPRIORITY=" + priority + "\n" + more)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
		}
		entry("refused x", "6", "CONTAINER_PARTIAL_MESSAGE=true\n")
		entry("beside", "3", "")
		entry("Failed password for root from 192.0.2.1 port 22", "6", "CONTAINER_PARTIAL_MESSAGE=true\n")
		entry("Failed password for root from 192.0.2.1 port 22", "6", "")
		entry("after", "6", "")
		got := r.until("after")
		if diff := cmp.Diff([]string{"refused x", "beside", "after"}, messages(got)); diff != "" {
			t.Error(diff)
		}
		if !got[0].Truncated || got[1].Truncated || r.count("refused") != 2 {
			t.Errorf("%+v, counts %v", got, r.src.Counts())
		}
	})
}

// stream connects to journald as a service's standard output: identifier, unit,
// priority and four switches are the header of sd_journal_stream_fd(3).
func stream(t *testing.T) *net.UnixConn {
	t.Helper()
	conn, err := net.Dial("unix", "/run/systemd/journal/stdout")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	write(t, conn, "test\n\n6\n0\n0\n0\n0\n")
	return conn.(*net.UnixConn)
}

func write(t *testing.T, w io.Writer, text string) {
	t.Helper()
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
}
