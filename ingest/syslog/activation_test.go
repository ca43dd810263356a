package syslog_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bailiff/ingest"
	"bailiff/ingest/syslog"
)

// TestActivatedChild is the process that TestActivation hands sockets to. It writes a
// line for each that it takes or refuses, and then one for each entry.
func TestActivatedChild(t *testing.T) {
	if os.Getenv("BAILIFF_TEST_ACTIVATED") == "" {
		t.Skip("for TestActivation")
	}
	t.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()))
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for _, name := range []string{"stream", "datagram", "tcp", "udp", "local", "none"} {
		opts := syslog.DefaultOptions()
		opts.Name, opts.Listen, opts.AllowUID = name, "systemd:"+name, []int{os.Getuid()}
		if name == "tcp" || name == "udp" {
			opts.AllowFrom = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		}
		if name == "udp" {
			without := opts
			if _, err := syslog.New(without); err == nil || !strings.Contains(err.Error(), "path is") {
				t.Errorf("without path: %v", err)
			}
			opts.Path = syslog.PathProtected
		}
		l, err := syslog.New(opts)
		if err != nil {
			var e *syslog.Error
			fmt.Printf("> %s refused, remedy %v\n", name, errors.As(err, &e) && e.Hint() != "")
			continue
		}
		// What was handed over outlives a listener.
		if err := errors.Join(l.Bind(), l.Close(), l.Bind()); err != nil {
			t.Error(err)
		}
		fmt.Printf("> %s is %s, port %v\n", name, l.Network(), l.LocalPort() != 0)
		running.Go(func() {
			if err := l.Run(ctx, func(e *ingest.Entry) { fmt.Printf("> %s says %s, %v\n", name, e.Message, e.Trust) }); err != nil {
				t.Error(err)
			}
		})
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	stop()
	running.Wait()
}

func TestActivation(t *testing.T) {
	dir := t.TempDir()
	stream, err1 := net.Listen("unix", filepath.Join(dir, "s"))
	datagram, err2 := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: filepath.Join(dir, "d")})
	tcp, err3 := net.Listen("tcp4", "0.0.0.0:0")
	udp, err4 := net.ListenPacket("udp4", "0.0.0.0:0")
	local, err5 := net.Listen("tcp4", "127.0.0.1:0")
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		t.Fatal(err)
	}
	child := exec.Command(os.Args[0], "-test.run=^TestActivatedChild$")
	for _, s := range []any{stream, datagram, tcp, udp, local} {
		f, err := s.(interface{ File() (*os.File, error) }).File()
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		defer s.(io.Closer).Close()
		child.ExtraFiles = append(child.ExtraFiles, f)
	}
	child.Env = append(os.Environ(), "BAILIFF_TEST_ACTIVATED=1", "LISTEN_FDS=5", "LISTEN_FDNAMES=stream:datagram:tcp:udp:local")
	stdin, err1 := child.StdinPipe()
	stdout, err2 := child.StdoutPipe()
	child.Stderr = os.Stderr
	if err := errors.Join(err1, err2, child.Start()); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	next := func(n int) (got []string) {
		for len(got) < n && lines.Scan() {
			if line, ok := strings.CutPrefix(lines.Text(), "> "); ok {
				got = append(got, line)
			}
		}
		return got
	}
	want := []string{
		"stream is unix, port false", "datagram is unixgram, port false", "tcp is tcp, port true", "udp is udp, port true",
		"local refused, remedy true", "none refused, remedy true",
	}
	if diff := cmp.Diff(want, next(len(want))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, to := range []net.Addr{stream.Addr(), datagram.LocalAddr(), tcp.Addr(), udp.LocalAddr()} {
		c, err := net.Dial(to.Network(), strings.Replace(to.String(), "0.0.0.0", "127.0.0.1", 1))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		write(t, c, traditional("hello")+"\n")
	}
	want = []string{"datagram says hello, high", "stream says hello, high", "tcp says hello, normal", "udp says hello, normal"}
	got := next(len(want))
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	stdin.Close()
	_, _ = io.Copy(io.Discard, stdout)
	if err := child.Wait(); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"s", "d"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Errorf("the file of systemd's socket: %v", err)
		}
	}
}
