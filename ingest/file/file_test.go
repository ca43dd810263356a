package file

import (
	"os"
	"strings"
	"testing"
	"time"

	"bailiff/ingest"
	"bailiff/ingest/ingesttest"
	"bailiff/ingest/stream"
)

func TestFirstStartBeginsAtTheEnd(t *testing.T) {
	r := newRig(t, "*.log")
	r.write("a.log", "old\nhal")
	r.write("b.log", strings.Repeat("x", stream.MaxLine(nil)+5))
	r.start(nil)
	r.want()
	r.write("a.log", "f\nnew\n")
	r.write("b.log", "rest\nnew b\n")
	r.want("half", "new", "new b")
	r.write("c.log", "late\n")
	r.want("late")
}

func TestFromStart(t *testing.T) {
	r := newRig(t, "a.log")
	r.write("a.log", "old\n")
	r.opts.FromStart = true
	r.start(nil)
	r.want("old")
	r.restart()
	r.want()
}

func TestLateDirectory(t *testing.T) {
	r := newRig(t, "d*/a.log").start(nil)
	r.step()
	if err := r.src.Trouble(); err == nil || !strings.Contains(err.Error(), "no file matches") {
		t.Errorf("trouble: %v", err)
	}
	r.do(os.MkdirAll(r.path("d1"), 0o755))
	r.write("d1/a.log", "late\n")
	r.want("late")
	if err := r.src.Trouble(); err != nil {
		t.Error(err)
	}
}

func TestLines(t *testing.T) {
	r := newRig(t, "a.log")
	r.write("a.log", "")
	r.start(nil)
	long := strings.Repeat("x", stream.MaxLine(nil)+100)
	r.write("a.log", "one\r\n\n\x00\x00\x00two\nthree")
	r.want("one", "two")
	r.write("a.log", " and more\n"+long)
	r.want("three and more", long[:ingest.MaxMessage])
	if !r.last.Truncated {
		t.Error("a line that was cut does not say so")
	}
	// Nothing of the rest is taken for a line, not even after a restart.
	r.write("a.log", long)
	r.want()
	r.restart()
	r.write("a.log", "tail\nnext\n")
	r.want("next")
	r.write("a.log", long+"\nlast\n")
	r.want(long[:ingest.MaxMessage], "last")
	ingesttest.CheckCounts(t, r.src)
}

func TestSkippedBytesAreCounted(t *testing.T) {
	r := newRig(t, "a.log")
	r.write("a.log", "")
	r.start(nil)
	r.write("a.log", strings.Repeat("x", stream.MaxLine(nil)+99)+"\n")
	r.step()
	if n := r.count("truncated", "bytes not read"); n != 100 {
		t.Errorf("%d bytes", n)
	}
	if n := r.count("malformed", "empty"); n != 0 {
		t.Errorf("%d empty lines", n)
	}
}

func TestFormats(t *testing.T) {
	const line = "Nov 23 01:38:44 pbx sshd[7]: hello\n"
	for _, c := range []struct {
		format             stream.Format
		identifier, tag, m string
	}{
		{stream.Auto, "x", "sshd", "hello"},
		{stream.Syslog, "x", "sshd", "hello"},
		{stream.Message, "x", "x", "Nov 23 01:38:44 pbx sshd[7]: hello"},
	} {
		r := newRig(t, "a.log")
		r.write("a.log", "")
		r.opts.Format, r.opts.Identifier, r.opts.Trust = c.format, c.identifier, ingest.TrustLow
		r.start(nil)
		r.write("a.log", line)
		r.want(c.m)
		if string(r.last.Identifier) != c.tag || r.last.UID != -1 || r.last.PID != -1 || r.last.Vouched || r.last.Trust != ingest.TrustLow {
			t.Errorf("%s: %+v", c.format, r.last)
		}
		r.write("a.log", "no header\n")
		r.want("no header")
		if string(r.last.Identifier) != c.identifier {
			t.Errorf("%s: identifier %q", c.format, r.last.Identifier)
		}
	}
}

// TestJSON is of lines that a log shipper wrote, in which a message may be longer
// than a line of another kind.
func TestJSON(t *testing.T) {
	r := newRig(t, "a.log")
	r.write("a.log", "")
	r.opts.Format = stream.NDJSON
	r.start(nil)
	long := strings.Repeat(`\u0041`, 5000)
	r.write("a.log", `{"message":"hello","program":"sshd"}`+"\nno JSON\n"+`{"program":"sshd","message":"`+long+`"}`+"\n")
	r.want("hello", strings.Repeat("A", 5000))
	if string(r.last.Identifier) != "sshd" || r.last.Dialect != ingest.JSON || r.last.Vouched {
		t.Errorf("%+v", r.last)
	}
	if n := r.count("malformed", "json"); n != 1 {
		t.Errorf("%d malformed", n)
	}
	ingesttest.CheckCounts(t, r.src)
}

func TestCompressedIsNeverRead(t *testing.T) {
	r := newRig(t, "a*")
	r.write("a", "")
	r.start(nil)
	r.write("a.1.gz", "plain text, but the name says enough\n")
	r.write("a-20261123", "\x1f\x8b\x08 the beginning says enough\n")
	r.want()
	r.write("a-20261123", "more\n")
	r.want()
	// A client may have written the first line of a log.
	r.write("access", "\x1f\x8b\x08\nlog\n")
	r.want("\x1f\x8b\x08", "log")
}

// TestTime holds that lines which were written while nobody looked have the time
// that they say or that the file says, and others the time at which they came.
func TestTime(t *testing.T) {
	r := newRig(t, "a.log")
	r.write("a.log", "")
	r.start(nil)
	r.step()
	stamp := func(at time.Time) string { return at.Format("2006-01-02 15:04:05") + " x\n" }
	at := func(want time.Time) {
		t.Helper()
		r.seen = nil
		r.step()
		if got := r.times[len(r.times)-1]; !got.Equal(want) {
			t.Errorf("%v, want %v", got, want)
		}
	}
	// A stamp in another zone does not matter while everything is read at once.
	r.write("a.log", stamp(r.now.Add(-2*time.Hour)))
	at(r.now.Add(time.Second))
	r.now = r.now.Add(time.Hour)
	said := r.now.Add(-time.Minute).Truncate(time.Second)
	r.write("a.log", stamp(said))
	at(said)
	r.now = r.now.Add(time.Hour)
	changed := r.now.Add(-10 * time.Minute)
	for _, line := range []string{"none\n", stamp(r.now.Add(-3 * time.Hour)), stamp(r.now.Add(time.Hour))} {
		r.write("a.log", line)
		r.do(os.Chtimes(r.path("a.log"), changed, changed))
		at(changed)
		changed = changed.Add(time.Hour)
		r.now = r.now.Add(time.Hour)
	}
}
