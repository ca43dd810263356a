//go:build linux && cgo

package journald_test

import (
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bailiff/ingest"
	"bailiff/ingest/journald"
	"bailiff/ingest/journald/journaltest"
)

// fielder writes entries with fields of their own, as sd_journal_send does.
func fielder(t *testing.T) func(message string, fields ...string) {
	t.Helper()
	conn, err := net.Dial("unixgram", "/run/systemd/journal/socket")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return func(message string, fields ...string) {
		all := append([]string{"SYSLOG_IDENTIFIER=test", "MESSAGE=" + message}, fields...)
		if _, err := fmt.Fprintln(conn, strings.Join(all, "\n")); err != nil {
			t.Fatal(err)
		}
	}
}

// given is what an entry gives of some fields, as "NAME=value".
func given(e *ingest.Entry, names ...string) (out []string) {
	if e.Fields == nil {
		return nil
	}
	for _, name := range names {
		if v, ok := e.Fields.Field(name); ok {
			out = append(out, name+"="+string(v))
		}
	}
	return out
}

// An entry gives the fields that were asked for, unless it is in doubt which value
// one has.
func TestFields(t *testing.T) {
	bothWays(t, func(t *testing.T, opts journald.Options) {
		j := journaltest.Start(t)
		write := fielder(t)
		longest := strings.Repeat("x", ingest.MaxMessage)
		write("none")
		write("one", "GATE_PEER=192.0.2.1", "OTHER=x")
		write("empty", "GATE_USER=")
		write("twice", "GATE_PEER=192.0.2.1", "GATE_PEER=192.0.2.2", "GATE_USER=x")
		write("again", "GATE_PEER=192.0.2.2", "GATE_PEER=192.0.2.1", "GATE_USER=x")
		write("long", "GATE_PEER="+longest+"x", "GATE_USER="+longest)
		write("last", "GATE_PEER=192.0.2.3", "GATE_USER=bob", "_COMM=forged")
		j.Sync()

		opts.Since = time.Hour
		opts.Fields = []string{"GATE_USER", "GATE_PEER", "_UID"}
		got := map[string][]string{}
		r := read(t, opts, func(e *ingest.Entry) {
			got[string(e.Message)] = given(e, "GATE_PEER", "GATE_USER", "OTHER", "_UID", "_COMM")
		})
		r.until("last")
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		want := map[string][]string{
			"none":  {"_UID=0"},
			"one":   {"GATE_PEER=192.0.2.1", "_UID=0"},
			"empty": {"GATE_USER=", "_UID=0"},
			"twice": {"GATE_USER=x", "_UID=0"},
			"again": {"GATE_USER=x", "_UID=0"},
			"long":  {"GATE_USER=" + longest, "_UID=0"},
			"last":  {"GATE_PEER=192.0.2.3", "GATE_USER=bob", "_UID=0"},
		}
		for message, fields := range want {
			if diff := cmp.Diff(fields, got[message]); diff != "" {
				t.Errorf("%s (-want +got)\n%s", message, diff)
			}
		}
	})
}

// Fields that are asked for later come with later entries, and no entry is lost or
// comes twice by that.
func TestAddFields(t *testing.T) {
	bothWays(t, func(t *testing.T, opts journald.Options) {
		journaltest.Start(t)
		write := fielder(t)
		opts.Since = time.Hour
		var src atomic.Pointer[journald.Source]
		const lines, changes = 500, 5
		first := map[string]int{} // field → the line that was in hand when it was asked for
		n := 0
		r := read(t, opts, func(e *ingest.Entry) {
			if string(e.Identifier) != "test" || string(e.Message) == "begin" || string(e.Message) == "end" {
				return
			}
			if string(e.Message) != fmt.Sprint("line ", n) {
				t.Errorf("got %q, want line %d", e.Message, n)
			}
			for name, since := range first {
				if fields := given(e, name); len(fields) != 1 && n > since+1 {
					t.Errorf("line %d: no %s", n, name)
				}
			}
			if n%(lines/changes) == 0 {
				name := fmt.Sprint("FIELD_", n)
				first[name] = n
				if err := src.Load().AddFields(name); err != nil {
					t.Error(err)
				}
			}
			n++
		})
		src.Store(r.src)
		write("begin")
		r.until("begin")
		var fields []string
		for i := range changes {
			fields = append(fields, fmt.Sprintf("FIELD_%d=x", i*lines/changes))
		}
		for i := range lines {
			write(fmt.Sprint("line ", i), fields...)
		}
		write("end")
		r.until("end")
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		if n != lines || r.count("restarts") != 0 {
			t.Errorf("%d lines, counts %v", n, r.src.Counts())
		}
	})
}

func TestFieldNames(t *testing.T) {
	for _, name := range []string{"", "gate", "GATE-PEER", "1GATE", "__CURSOR", "A,B", strings.Repeat("X", 65)} {
		opts := journald.DefaultOptions()
		opts.Fields = []string{name}
		if _, err := journald.New(opts); err == nil {
			t.Errorf("%q is taken for a field", name)
		}
		src, err := journald.New(journald.DefaultOptions())
		if err != nil {
			t.Fatal(err)
		}
		if err := src.AddFields(name); err == nil {
			t.Errorf("%q is taken for a field", name)
		}
	}
}
