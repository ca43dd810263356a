//go:build linux && cgo

package journald_test

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bailiff/ingest"
	"bailiff/ingest/journald"
	"bailiff/ingest/journald/journaltest"
)

// logTo writes one line to a socket of a journald.
func logTo(t *testing.T, socket, message string) {
	t.Helper()
	conn, err := net.Dial("unixgram", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "<38>test: "+message); err != nil {
		t.Fatal(err)
	}
}

// A namespace has a journal of its own: its entries come from it alone, are as
// good as the system's, and are found again behind a cursor. It may be volatile.
func TestNamespace(t *testing.T) {
	for _, storage := range []string{"persistent", "volatile"} {
		t.Run(storage, func(t *testing.T) {
			bothWays(t, func(t *testing.T, opts journald.Options) {
				system := journaltest.Start(t)
				pbx := journaltest.StartNamespace(t, "pbx", "Storage="+storage)
				logTo(t, system.DevLog(), "to the system")
				logTo(t, pbx.DevLog(), "to the namespace")

				opts.Since = time.Hour
				r := read(t, opts, nil)
				opts.Namespace = "pbx"
				ns := read(t, opts, func(e *ingest.Entry) {
					if e.Origin != "" || e.Trust != ingest.TrustHigh {
						t.Errorf("origin %q, trust %v", e.Origin, e.Trust)
					}
				})
				if diff := cmp.Diff([]string{"to the system"}, messages(r.until("to the system"))); diff != "" {
					t.Error(diff)
				}
				lines := ns.until("to the namespace")
				if diff := cmp.Diff([]string{"to the namespace"}, messages(lines)); diff != "" {
					t.Error(diff)
				}
				if err := ns.stop(); err != nil {
					t.Fatal(err)
				}
				pbx.Rotate()
				logTo(t, pbx.DevLog(), "later")
				opts.Cursor = []byte(lines[0].Cursor)
				if diff := cmp.Diff([]string{"later"}, messages(read(t, opts, nil).until("later"))); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

// A namespace that nothing logs to yet has no journal, and says where it would be.
func TestNoNamespace(t *testing.T) {
	journaltest.Start(t)
	opts := options(true)
	opts.Namespace = "pbx"
	want := "start a unit with LogNamespace=pbx, or disable the source"
	if err := mustFail(t, opts); err.Hint() != want {
		t.Errorf("%v, hint: %s, want %s", err, err.Hint(), want)
	}
}

func TestCheckNamespace(t *testing.T) {
	for _, name := range []string{"pbx", "a.b-c_1"} {
		if err := journald.CheckNamespace(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"", ".", "..", "a/b", "*", "a b", "../x"} {
		if journald.CheckNamespace(name) == nil {
			t.Errorf("%q passes for a namespace", name)
		}
	}
	opts := journald.DefaultOptions()
	opts.Namespace, opts.Dir = "pbx", "/var/log/journal/remote"
	if opts.Validate() == nil {
		t.Error("a namespace of a directory is valid")
	}
}
