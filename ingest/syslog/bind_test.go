package syslog_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bailiff/ingest/syslog"
)

func TestBindInUse(t *testing.T) {
	for _, listen := range []string{"udp://127.0.0.1:0", "tcp://127.0.0.1:0", unixgram(t), unixStream(t)} {
		first := newListener(t, listen, nil)
		if err := first.Bind(); err != nil {
			t.Fatal(err)
		}
		again := listen
		if first.LocalPort() != 0 {
			again = strings.TrimSuffix(listen, "0") + fmt.Sprint(first.LocalPort())
		}
		err := newListener(t, again, nil).Bind()
		var e *syslog.Error
		if !errors.As(err, &e) || e.Hint() == "" || !strings.Contains(err.Error(), "already in use") {
			t.Errorf("%s: a second Bind says %v", again, err)
		}
		if err := first.Close(); err != nil {
			t.Errorf("%s: close: %v", again, err)
		}
		second := newListener(t, again, nil)
		if err := second.Bind(); err != nil {
			t.Errorf("%s: Bind after Close: %v", again, err)
		}
		second.Close()
	}
}

func TestUnixPathInTheWay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.sock")
	t.Run("stale socket", func(t *testing.T) {
		old, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: path})
		if err != nil {
			t.Fatal(err)
		}
		old.Close() // leaves its file, as a killed process does
		if _, err := os.Lstat(path); err != nil {
			t.Fatalf("the test leaves no stale socket: %v", err)
		}
		l := newListener(t, "unixgram://"+path, nil)
		if err := l.Bind(); err != nil {
			t.Fatal(err)
		}
		l.Close()
		if _, err := os.Lstat(path); err == nil {
			t.Error("Close leaves the socket")
		}
	})
	t.Run("stream socket in use", func(t *testing.T) {
		ln, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		if err := newListener(t, "unixgram://"+path, nil).Bind(); err == nil || !strings.Contains(err.Error(), "already in use") {
			t.Errorf("Bind says %v", err)
		}
	})
	t.Run("file", func(t *testing.T) {
		if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
			t.Fatal(err)
		}
		err := newListener(t, "unixgram://"+path, nil).Bind()
		var e *syslog.Error
		if !errors.As(err, &e) || e.Hint() == "" {
			t.Errorf("Bind says %v", err)
		}
		if b, err := os.ReadFile(path); err != nil || string(b) != "precious" {
			t.Errorf("the file is now %q, %v", b, err)
		}
	})
}

// TestSocketMode holds that those whose lines do not count cannot fill the
// queue.
func TestSocketMode(t *testing.T) {
	for _, tc := range []struct {
		uids []int
		want os.FileMode
	}{
		{[]int{0}, 0o600},
		{[]int{0, os.Getuid()}, 0o600},
		{[]int{0, os.Getuid() + 4711}, 0o666},
	} {
		l := newListener(t, unixgram(t), func(o *syslog.Options) { o.AllowUID = tc.uids })
		if err := l.Bind(); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != tc.want {
			t.Errorf("allow_uid %v: mode %o, want %o", tc.uids, got, tc.want)
		}
		l.Close()
	}
}

// TestWildcard holds that 0.0.0.0 is not every IPv6 address as well, which
// package net makes of it.
func TestWildcard(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		l := newListener(t, network+"://0.0.0.0:0", func(o *syslog.Options) {
			o.AllowFrom = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
			if network == "udp" {
				o.Path = syslog.PathProtected
			}
		})
		if err := l.Bind(); err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if got := l.Addr().String(); !strings.HasPrefix(got, "0.0.0.0:") {
			t.Errorf("%s listens on %s", network, got)
		}
	}
}

// TestRemovedSocket holds that a socket whose file somebody removed or replaced is
// bound again, and that nothing that arrived before is lost.
func TestRemovedSocket(t *testing.T) {
	for _, listen := range []string{unixgram(t), unixStream(t)} {
		l := newListener(t, listen, nil)
		entries, stop := runListener(t, l)
		path := l.Addr().String()
		l.Check()
		early := dial(t, l)
		write(t, early, traditional("1")+"\n")
		if e := receive(t, entries); string(e.Message) != "1" {
			t.Errorf("%s: %q arrived", listen, e.Message)
		}
		write(t, early, traditional("2")+"\n")
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		l.Check()
		if e := receive(t, entries); string(e.Message) != "2" {
			t.Errorf("%s: %q arrived", listen, e.Message)
		}
		await(t, "the socket is there again", func() bool {
			l.Check()
			c, err := net.Dial(early.RemoteAddr().Network(), path)
			if err != nil {
				return false
			}
			defer c.Close()
			write(t, c, traditional("3")+"\n")
			return true
		})
		if e := receive(t, entries); string(e.Message) != "3" {
			t.Errorf("%s: %q arrived", listen, e.Message)
		}
		// What took its place is not ours to remove.
		if err := errors.Join(os.Remove(path), os.WriteFile(path, []byte("precious"), 0o600)); err != nil {
			t.Fatal(err)
		}
		stop()
		if b, err := os.ReadFile(path); err != nil || string(b) != "precious" {
			t.Errorf("%s: the file is now %q, %v", listen, b, err)
		}
	}
}

func TestNoSuchInterface(t *testing.T) {
	for _, listen := range []string{"udp://127.0.0.1:0", "tcp://127.0.0.1:0"} {
		l := newListener(t, listen, func(o *syslog.Options) { o.Interface = "nosuch0" })
		err := l.Bind()
		var e *syslog.Error
		if !errors.As(err, &e) || e.Hint() == "" || !strings.Contains(err.Error(), "no such interface") {
			t.Errorf("%s: Bind says %v", listen, err)
		}
	}
}
