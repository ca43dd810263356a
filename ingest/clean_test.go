package ingest

import (
	"bytes"
	"strings"
	"testing"
)

func TestClean(t *testing.T) {
	f := func(name, in, want string) {
		t.Helper()
		if got := string(Clean([]byte(in))); got != want {
			t.Errorf("%s: Clean(%q) = %q, want %q", name, in, got, want)
		}
	}
	f("plain", "Failed password for root", "Failed password for root")
	f("empty", "", "")
	f("ends", "  a b \r\n\x00\n ", "a b")
	f("byte order mark", " \ufeff a", "a")
	f("nothing but ends", " \n", "")
	f("colour", "\x1b[1;33mNOTICE\x1b[0m[150]", "NOTICE[150]")
	f("spelled colour", "#033[1;33mNOTICE#033[0m[150]", "NOTICE[150]")
	f("both in one line", "#033[1ma\x1b[mb", "ab")
	f("Asterisk's console in a journal",
		"#033[1;33mNOTICE#033[0m[150]: #033[1;37mchan_sip.c#033[0m:#033[1;37m29058#033[0m in", "NOTICE[150]: chan_sip.c:29058 in")
	f("the longest colour", "\x1b[38;2;255;255;255mx", "x")
	f("longer than a colour", "\x1b[38;2;255;255;2555mx", "\x1b[38;2;255;255;2555mx")
	f("other escapes stay", "a\x1b[2Jb\x1b]0;t\x07c", "a\x1b[2Jb\x1b]0;t\x07c")
	f("unfinished", "a\x1b[1", "a\x1b[1")
	f("other spelled bytes are not decoded", "a#012b#000c #033x", "a#012b#000c #033x")
	f("a colour behind unfinished text goes", "to '\x1b[\x1b[0m' failed", "to '\x1b[' failed")

	// Removing the inner colour would make an outer one.
	f("raw in raw", "\x1b[\x1b[0m1m", "\x1b[\x1b[0m1m")
	f("raw in spelled", "#03\x1b[0m3[0m", "#03\x1b[0m3[0m")
	f("spelled in raw", "\x1b#033[0m[0m", "\x1b#033[0m[0m")
	f("two colours between", "\x1b[\x1b[1m\x1b[2m3m", "\x1b[\x1b[2m3m")
}

// subsequence says that what is got by removing bytes from from.
func subsequence(what, from []byte) bool {
	for _, c := range what {
		i := bytes.IndexByte(from, c)
		if i < 0 {
			return false
		}
		from = from[i+1:]
	}
	return true
}

func FuzzClean(f *testing.F) {
	for _, s := range []string{
		"", "a", "\x1b[0m", "#033[0m", "\x1b[\x1b[0m1m", "#0#033[0m33[0m", "\x1b[1m\x1b[2m", "#03\x1b[0m3\x1b[0m[0m", " \ufeff \ufeffx \n\x00",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		once := Clean(bytes.Clone(raw))
		if !subsequence(once, raw) {
			t.Fatalf("Clean(%q) = %q decoded or added something", raw, once)
		}
		if twice := Clean(bytes.Clone(once)); !bytes.Equal(once, twice) {
			t.Fatalf("Clean(%q) = %q, and cleaned again %q", raw, once, twice)
		}
		// Whatever colour is left was in the input as it stands.
		for i := range once {
			if n := colour(once[i:]); n > 0 && !bytes.Contains(raw, once[i:i+n]) {
				t.Fatalf("Clean(%q) made the colour %q", raw, once[i:i+n])
			}
		}
	})
}

// TestCleanBuildsNothing runs the property of FuzzClean over every short string
// of the bytes that matter.
func TestCleanBuildsNothing(t *testing.T) {
	parts := []string{"\x1b", "[", "1", "m", "#033", "#0", "33", "\x1b[0m", "#033[1m", "x"}
	var build func(s string, depth int)
	build = func(s string, depth int) {
		once := Clean([]byte(s))
		if twice := Clean(bytes.Clone(once)); !bytes.Equal(once, twice) {
			t.Fatalf("Clean(%q) = %q, and cleaned again %q", s, once, twice)
		}
		if depth == 0 {
			return
		}
		for _, p := range parts {
			build(s+p, depth-1)
		}
	}
	build("", 5)
}

func TestCleanAllocatesNothing(t *testing.T) {
	line := []byte("#033[1;33mNOTICE#033[0m[150]: " + strings.Repeat("\x1b[\x1b[0m1m", 100))
	buf := make([]byte, len(line))
	if n := testing.AllocsPerRun(100, func() { copy(buf, line); Clean(buf) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkClean(b *testing.B) {
	for _, line := range []struct{ name, text string }{
		{"clean", "NOTICE[7820]: chan_sip.c:29058 in handle_request_register: Registration from '<sip:101@192.0.2.10>' failed for '198.51.100.1:52478' - Wrong password"},
		{"coloured", "#033[1;33mNOTICE#033[0m[150]: #033[1;37mchan_sip.c#033[0m:#033[1;37m29058#033[0m in handle_request_register: Registration from"},
		{"hostile 8 KiB", strings.Repeat("\x1b[111\x1b[m1", MaxMessage/9)},
		{"hostile 8 KiB, kept", strings.Repeat("\x1b[\x1b[mm", MaxMessage/6)},
	} {
		b.Run(line.name, func(b *testing.B) {
			buf := make([]byte, len(line.text))
			b.SetBytes(int64(len(buf)))
			for b.Loop() {
				copy(buf, line.text)
				Clean(buf)
			}
		})
	}
}
