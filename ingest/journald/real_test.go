//go:build linux && cgo

package journald_test

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bailiff/ingest"
	"bailiff/ingest/journald"
	"bailiff/ingest/journald/journaltest"
)

// What is vouched for comes from journald, whatever the writer claims.
func TestVouched(t *testing.T) {
	bothWays(t, func(t *testing.T, opts journald.Options) {
		j := journaltest.Start(t)
		opts.Since = time.Hour
		r := read(t, opts, nil)
		for _, w := range []struct {
			unit string
			uid  uint32
		}{{"ssh.service", 0}, {"user.slice/user-65534.slice/session-3.scope", 65534}} {
			// logger lives until its input ends: journald looks it up in time.
			cmd := exec.Command("logger", "-t", "test")
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: w.uid, Gid: w.uid}}
			input, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := j.Unit(w.unit).Start(cmd); err != nil {
				t.Fatal(err)
			}
			text := fmt.Sprintf("uid %d says it is ssh.service", w.uid)
			fmt.Fprintln(input, text)
			r.until(text)
			input.Close()
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
		}
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		for i := range r.lines {
			if r.lines[i].Cursor == "" {
				t.Error("no cursor")
			}
			r.lines[i].Cursor = ""
		}
		want := []line{
			{Message: "uid 0 says it is ssh.service", Identifier: "test", Unit: "ssh.service", UID: 0},
			{Message: "uid 65534 says it is ssh.service", Identifier: "test", Unit: "session-3.scope", UID: 65534},
		}
		if diff := cmp.Diff(want, r.lines); diff != "" {
			t.Error(diff)
		}
	})
}

// A first start reads back as far as it is told and no further.
func TestSince(t *testing.T) {
	bothWays(t, func(t *testing.T, opts journald.Options) {
		j := journaltest.Start(t)
		write := writer(t)
		write("old")
		j.Sync()

		opts.Since = time.Hour
		if got := messages(read(t, opts, nil).until("old")); len(got) != 1 {
			t.Errorf("an hour back: %q", got)
		}

		opts.Since = 0
		r := read(t, opts, nil)
		for i := 0; ; i++ { // until the source is there
			write(fmt.Sprint("new ", i))
			j.Sync()
			if r.count("delivered") > 0 {
				break
			}
		}
		write("last")
		if got := messages(r.until("last")); slices.Contains(got, "old") {
			t.Errorf("from the end: %q", got)
		}
	})
}

// journald takes blanks off the end of a message. A daemon that cut it there cut
// them too, and so they count.
func TestStripped(t *testing.T) {
	bothWays(t, func(t *testing.T, opts journald.Options) {
		journaltest.Start(t)
		opts.Since = time.Hour
		lengths := make(chan int, 2)
		r := read(t, opts, func(e *ingest.Entry) {
			if string(e.Identifier) == "test" {
				lengths <- e.Length
			}
		})
		write := writer(t)
		write("ssh2" + strings.Repeat(" ", 496))
		r.until("ssh2")
		write("whole")
		r.until("whole")
		if got := []int{<-lengths, <-lengths}; !slices.Equal(got, []int{500, 5}) {
			t.Errorf("lengths %v, want 500 and 5", got)
		}
	})
}

// journald ends a message at a NUL that a client has sent in its name: what is left must
// not pass for a whole line.
func TestMessageEndsAtNUL(t *testing.T) {
	bothWays(t, func(t *testing.T, opts journald.Options) {
		journaltest.Start(t)
		opts.Since = time.Hour
		r := read(t, opts, nil)
		write := writer(t)
		write("refused x from 192.0.2.77\x00 from 198.51.100.8")
		write("whole\x00")
		for _, l := range r.until("whole") {
			if l.Truncated != strings.HasPrefix(l.Message, "refused") {
				t.Errorf("%q: truncated %v", l.Message, l.Truncated)
			}
		}
	})
}
