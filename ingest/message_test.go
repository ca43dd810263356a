package ingest

import (
	"bytes"
	"strings"
	"testing"
)

func TestSetMessage(t *testing.T) {
	long := strings.Repeat("x", MaxMessage)
	quote := strings.Repeat("q", repeatedQuote-1)
	for _, tc := range []struct {
		name, raw, want string
		repeat          int
		truncated       bool
	}{
		{name: "plain", raw: "hello", want: "hello"},
		{name: "empty", raw: "", want: ""},
		{name: "longest", raw: long, want: long},
		{name: "longest, with an end to trim", raw: long + " \n\x00", want: long},
		{name: "too long", raw: long + "y", want: long, truncated: true},

		{name: "repeated", raw: "message repeated 3 times: [ Failed password for root]", want: "Failed password for root", repeat: 3},
		{name: "repeated, most", raw: "message repeated 1000 times: [ a]", want: "a", repeat: 1000},
		{name: "repeated too often", raw: "message repeated 1001 times: [ a]", want: "message repeated 1001 times: [ a]"},
		{name: "repeated absurdly often", raw: "message repeated 99999999999999999999 times: [ a]", want: "message repeated 99999999999999999999 times: [ a]"},
		{name: "repeated once", raw: "message repeated 1 times: [ a]", want: "message repeated 1 times: [ a]"},
		{name: "not the whole message", raw: "x message repeated 3 times: [ a]", want: "x message repeated 3 times: [ a]"},
		{name: "more behind it", raw: "message repeated 3 times: [ a] b", want: "message repeated 3 times: [ a] b"},
		{name: "nested", raw: "message repeated 3 times: [ message repeated 9 times: [ a]]", want: "message repeated 3 times: [ message repeated 9 times: [ a]]"},
		{name: "nested behind a stamp", raw: "message repeated 3 times: [ [2025-05-21 14:53:33] message repeated 9 times: [ a]]", want: "message repeated 9 times: [ a]", repeat: 3},
		{name: "brackets within", raw: "message repeated 2 times: [ sshd[1]: [x]]", want: "sshd[1]: [x]", repeat: 2},
		{name: "quote of full length", raw: "message repeated 2 times: [ " + quote + "]", want: quote, repeat: 2, truncated: true},
		{name: "quote one shorter", raw: "message repeated 2 times: [ " + quote[1:] + "]", want: quote[1:], repeat: 2},

		{name: "Asterisk's stamp", raw: "[2025-05-21 14:53:33] NOTICE[1]: x", want: "NOTICE[1]: x"},
		{name: "with milliseconds", raw: "[2026-11-23 01:39:42.691] NOTICE[1] x", want: "NOTICE[1] x"},
		{name: "with a zone", raw: "[2026-11-23T01:39:42.691+0100] x", want: "x"},
		{name: "FreeSWITCH's stamp", raw: "2026-11-23 01:39:42.691234 [WARNING] sofia_reg.c:1 x", want: "[WARNING] sofia_reg.c:1 x"},
		{name: "FreeSWITCH's stamp with load", raw: "2026-11-23 01:39:42.691234 98.43% [WARNING] x", want: "98.43% [WARNING] x"},
		{name: "Asterisk's own stamp", raw: "[Nov 23 14:53:33] NOTICE[1]: x", want: "NOTICE[1]: x"},
		{name: "in the first days of a month", raw: "[Nov  3 14:53:33.123] NOTICE[1]: x", want: "NOTICE[1]: x"},
		{name: "no month", raw: "[ovD 23 14:53:33] x y", want: "[ovD 23 14:53:33] x y"},
		{name: "its own stamp without brackets", raw: "Nov 23 14:53:33 NOTICE[1]: x", want: "Nov 23 14:53:33 NOTICE[1]: x"},
		{name: "two of Asterisk's", raw: "[Nov 23 14:53:33] [2025-05-21 14:53:34] x", want: "[2025-05-21 14:53:34] x"},
		{name: "one stamp only", raw: "[2025-05-21 14:53:33] [2025-05-21 14:53:34] x", want: "[2025-05-21 14:53:34] x"},
		{name: "only at the start", raw: "x [2025-05-21 14:53:33] y", want: "x [2025-05-21 14:53:33] y"},
		{name: "behind colour", raw: "\x1b[0m[2025-05-21 14:53:33] #033[1mx", want: "x"},
		{name: "open bracket", raw: "[2025-05-21 14:53:33 x", want: "[2025-05-21 14:53:33 x"},
		{name: "glued", raw: "2025-05-21 14:53:33x", want: "2025-05-21 14:53:33x"},
		{name: "a stamp alone", raw: "[2025-05-21 14:53:33]", want: ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var e Entry
			e.SetMessage([]byte(tc.raw))
			if string(e.Message) != tc.want || e.Repeat != max(tc.repeat, 1) || e.Truncated != tc.truncated {
				t.Errorf("SetMessage(%.80q)\n got %.80q × %d, truncated %v\nwant %.80q × %d, truncated %v",
					tc.raw, e.Message, e.Repeat, e.Truncated, tc.want, max(tc.repeat, 1), tc.truncated)
			}
		})
	}
}

func TestSetMessageLength(t *testing.T) {
	blanks := strings.Repeat(" ", 10)
	for _, tc := range []struct {
		name, raw string
		want      int
	}{
		{"plain", "hello", 5},
		{"empty", "", 0},
		{"a blank behind the header", " hello", 5},
		{"ends of lines", "hello\r\n\n", 8},
		{"blanks at the end", "hello" + blanks, 15},
		{"colours", "#033[1mhello\x1b[0m", 16},
		{"a stamp", "[2025-05-21 14:53:33] hello", 27},
		{"repeated", "message repeated 3 times: [ hello" + blanks + "]", 16},
		{"repeated, with colours", "message repeated 3 times: [ #033[1mhello]", 13},
		{"too long", strings.Repeat("x", MaxMessage) + "yy", MaxMessage + 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var e Entry
			if e.SetMessage([]byte(tc.raw)); e.Length != tc.want || e.Length < len(e.Message) {
				t.Errorf("%q has length %d, want %d", tc.raw, e.Length, tc.want)
			}
		})
	}
}

func TestStripped(t *testing.T) {
	for _, tc := range []struct {
		name, syslog, message string
		want                  int
		cut                   bool
	}{
		{"nothing was taken off", "", "hello", 0, false},
		{"blanks", "<38>Nov 23 10:00:00 sshd[1]: hello   ", "hello", 8, false},
		{"the end of a line", "<38>sshd: hello\n", "hello", 6, false},
		{"a message within the header", "<38>ssh: ssh  ", "ssh", 10, false},
		{"another message", "<38>x: hello", "bye", 12, false},
		{"a NUL at the end", "<38>x: hello\x00\n\x00 ", "hello", 9, false},
		{"a NUL of the client", "<38>x: no x from 192.0.2.77\x00 from 198.51.100.8", "no x from 192.0.2.77", 39, true},
		{"an imitation behind it", "<38>x: a\x00<38>x: a", "a", 10, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got, cut := Stripped([]byte(tc.syslog), []byte(tc.message)); got != tc.want || cut != tc.cut {
				t.Errorf("got %d, %v, want %d, %v", got, cut, tc.want, tc.cut)
			}
		})
	}
}

func TestSetMessageKeepsTruncated(t *testing.T) {
	e := Entry{Truncated: true}
	e.SetMessage([]byte("x"))
	if !e.Truncated {
		t.Error("the sender's cut is forgotten")
	}
}

func FuzzSetMessage(f *testing.F) {
	f.Add([]byte("message repeated 3 times: [ [2025-05-21 14:53:33] a]"))
	f.Add([]byte("#033[0m2026-11-23 01:39:42.691234 x\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var e Entry
		e.SetMessage(bytes.Clone(raw))
		if !subsequence(e.Message, raw) {
			t.Fatalf("%q became %q", raw, e.Message)
		}
		if len(e.Message) > MaxMessage || e.Repeat < 1 || e.Repeat > maxRepeat {
			t.Fatalf("%d bytes × %d", len(e.Message), e.Repeat)
		}
		if e.Repeat > 1 && !bytes.Contains(raw, []byte("message repeated ")) && bytes.IndexByte(raw, 0x1b) < 0 && bytes.IndexByte(raw, '#') < 0 {
			t.Fatalf("%q stands for %d lines", raw, e.Repeat)
		}
	})
}

func TestCleaned(t *testing.T) {
	for raw, want := range map[string]bool{
		" x":                                    false,
		"x\n":                                   false,
		"x":                                     false,
		"":                                      false,
		" ":                                     false,
		"  x":                                   false,
		"x\r\n":                                 false,
		"x ":                                    false,
		"\ufeffx":                               false,
		"\x1b[0mx":                              true,
		"[2026-11-23 01:38:44] x":               true,
		"message repeated 3 times: [x]":         true,
		" " + strings.Repeat("x", MaxMessage+1): false, // cut, and whole up to there
		" \x1b[0m" + strings.Repeat("x", MaxMessage+1): true,
	} {
		var e Entry
		if e.SetMessage([]byte(raw)); e.Cleaned != want {
			t.Errorf("%.40q: cleaned %v, want %v", raw, e.Cleaned, want)
		}
	}
}
