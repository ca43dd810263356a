package syslog

import (
	"bytes"
	"cmp"
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/influxdata/go-syslog/v3/rfc5424"

	"bailiff/ingest"
	"bailiff/ingest/ingesttest"
)

// letters makes a tag of what a fuzzer gives: the name of a program begins with a
// letter and is no address.
func letters(s string) string {
	tag := []byte("a")
	for i := 0; i < len(s) && len(tag) < maxTag; i++ {
		if inTag(s[i]) && s[i] != '.' {
			tag = append(tag, s[i])
		}
	}
	return string(tag)
}

// FuzzDialects wraps a message in every layout: whatever it says, the header
// ends where the sender ended it, and all layouts give the same entry. The same
// holds of a stream of them, framed in either way.
func FuzzDialects(f *testing.F) {
	for _, s := range []string{
		"x", "", "a: b", "x]: y from 203.0.113.5", "[1]: x", "%ASA-1: x", "0: %A: x", "*Nov 21 01:38:44: %A: x", "37972: *Nov 21 01:38:44: %A: x", "<13>Nov 23 01:38:44 vm su[2]: x",
		"message repeated 3 times: [ x]", "[2026-11-23 01:38:44.1] x", "#033[0mx", "- x", `[a b="c"] x`, "\ufeffx", "m\xfcller\x00", "x\n38 <13>y", "12 <1", "\n",
	} {
		f.Add(s, "sterisk", uint16(7732))
	}
	f.Add(strings.Repeat("x", ingest.MaxMessage)+"yz", "stunnel4", uint16(0))
	f.Add("x", "%-_/()@+#*~!0", uint16(1))
	f.Fuzz(func(t *testing.T, message, tag string, number uint16) {
		tag = letters(tag)
		pid := strconv.Itoa(int(number))
		var want ingest.Entry
		want.SetMessage([]byte(message))
		check := func(line []byte, l *ingesttest.Layout) {
			t.Helper()
			var p Parser
			var got ingest.Entry
			p.Parse(line, &got)
			wantTag, wantPID := cmp.Or(l.Tag, tag), pid
			if !l.PID {
				wantPID = ""
			}
			if string(got.Identifier) != wantTag || string(got.ProcID) != wantPID || got.Dialect != l.Dialect {
				t.Fatalf("%s: %q moved the header of %s[%s] to %q[%q], %v", l.Name, message, wantTag, wantPID, got.Identifier, got.ProcID, got.Dialect)
			}
			if !bytes.Equal(got.Message, want.Message) || got.Repeat != want.Repeat || got.Truncated != want.Truncated {
				t.Fatalf("%s: %q became %q × %d, want %q × %d", l.Name, message, got.Message, got.Repeat, want.Message, want.Repeat)
			}
		}
		// A count is told from a line by the priority behind it, and behind a
		// counted frame every frame must begin with one. In lines there is no
		// line feed.
		var mixed, lines stream
		for i := range ingesttest.Layouts {
			l := &ingesttest.Layouts[i]
			line := l.Wrap(cmp.Or(l.Tag, tag), pid, message)
			check(bytes.Clone(line), l)
			if !strings.Contains(message, "\n") {
				lines.add(l, false, line)
				if line[0] == '<' && i%2 == 0 {
					mixed.add(l, false, line)
				}
			}
			if line[0] == '<' && (i%2 == 1 || strings.Contains(message, "\n")) {
				mixed.add(l, true, line)
			}
		}
		if len(message) > ingest.MaxMessage {
			return // what is longer than a frame is cut, as the tests of frames hold
		}
		for _, s := range []stream{mixed, lines} {
			in := newFrames(iotest.HalfReader(bytes.NewReader(s.bytes)))
			for _, l := range s.layouts {
				frame, fate := in.next()
				if fate != whole {
					t.Fatalf("%s: %q: frame %q has fate %d", l.Name, message, frame, fate)
				}
				check(bytes.Clone(frame), l)
			}
			if frame, fate := in.next(); fate != ended {
				t.Fatalf("%q left %q, %d", message, frame, fate)
			}
		}
	})
}

// stream is frames and their layouts.
type stream struct {
	bytes   []byte
	layouts []*ingesttest.Layout
}

func (s *stream) add(l *ingesttest.Layout, counted bool, line []byte) {
	if counted {
		s.bytes = fmt.Appendf(s.bytes, "%d %s", len(line), line)
	} else {
		s.bytes = fmt.Appendf(s.bytes, "%s\n", line)
	}
	s.layouts = append(s.layouts, l)
}

// FuzzBare holds that of a message without a header nothing is lost: it arrives as it
// is or, if it begins like a header, without that; and what was taken from it stands
// in the labels and is no address.
func FuzzBare(f *testing.F) {
	for _, s := range []string{
		"x", "sshd: x", "sshd[7]: x", "198.51.100.7: x", "a.198.51.100.7[3]: x", "Nov 23 01:38:44 198.51.100.7 x", "2001:db8::1: x", "Registration from '<sip:1@198.51.100.7>' failed for '203.0.113.5:5060'",
		"\xbe\ufeff", "1 2026-11-23T01:38:44Z 198.51.100.7 a b c - x", "7: 198.51.100.7: Nov 23 01:38:44: %A-1-B: x",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, message string) {
		if strings.ContainsAny(message, "\x1b#\x00\r\n") || len(message) > ingest.MaxMessage {
			return // what cleaning takes has tests of its own
		}
		for _, line := range []string{message, "<133>" + message} {
			var p Parser
			var e ingest.Entry
			p.Parse([]byte(line), &e)
			got := string(e.Message)
			if i := strings.LastIndex(line, got); i < 0 || e.Repeat == 1 && strings.Trim(line[i+len(got):], " ") != "" {
				t.Fatalf("%q became %q, which does not end it", line, got)
			}
			if e.Dialect == ingest.RFC5424 || e.Repeat > 1 {
				continue // every field of it has its place
			}
			for _, label := range []string{string(e.Identifier), string(e.ProcID)} {
				if a, err := netip.ParseAddr(label); err == nil && !a.Is4In6() {
					t.Fatalf("%q: the address %v is a label", line, a)
				}
			}
			if e.Dialect == ingest.Bare && got != "" && !strings.HasSuffix(strings.TrimRight(message, " "), got) {
				t.Fatalf("%q became %q", line, got)
			}
		}
	})
}

var versioned = regexp.MustCompile("^(\ufeff)?<[0-9]{1,3}>[1-9][0-9]{0,2} ")

// FuzzParse holds that Parse takes anything, and takes no address out of a
// message that has no tag.
func FuzzParse(f *testing.F) {
	for _, l := range benchLines {
		f.Add([]byte(l.line))
	}
	for _, s := range []string{"", "<", "<1", "<1>", "<1>1 ", "<1>1 - ", "<1>1 - h a p m [", `<1>1 - h a p m [x y="`, "<1>1: *", "<1>Nov", "Nov 1 01:38:44"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		var p Parser
		var e ingest.Entry
		h := p.Parse(bytes.Clone(line), &e)
		if h.Priority < -1 || h.Priority > 191 || len(e.Message) > ingest.MaxMessage || e.Repeat < 1 {
			t.Fatalf("priority %d, %d bytes × %d", h.Priority, len(e.Message), e.Repeat)
		}
		h.Stamp.Time(reference)
		if e.Fields != nil {
			e.Fields.Field("a.b")
		}
		const address = "203.0.113.5"
		tagless := append(bytes.TrimRight(bytes.Clone(line), "\x00\r\n "), (" " + address + ": failed")...)
		p.Parse(tagless, &e)
		if bytes.Contains(e.Identifier, []byte(address)) || bytes.Contains(e.ProcID, []byte(address)) {
			if !versioned.Match(tagless) { // RFC 5424 says which field is which
				t.Fatalf("%q: an address is taken for a tag: %q[%q]", tagless, e.Identifier, e.ProcID)
			}
		}
	})
}

// FuzzRFC5424 holds our splitter to what go-syslog says, where it has an answer.
func FuzzRFC5424(f *testing.F) {
	for _, l := range benchLines {
		f.Add([]byte(l.line))
	}
	f.Add([]byte(`<165>999 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 [exampleSDID@32473 iut="3" eventSource="App\]" x="\\"][b] BOMAn event`))
	f.Add([]byte("<0>1 - - - - - -"))
	f.Fuzz(func(t *testing.T, line []byte) {
		parsed, err := rfc5424.NewMachine().Parse(line)
		if err != nil || parsed == nil {
			return
		}
		judge := parsed.(*rfc5424.SyslogMessage)

		var p Parser
		var e ingest.Entry
		h := p.Parse(bytes.Clone(line), &e)
		same := func(what string, got []byte, want *string) {
			t.Helper()
			w := ""
			if want != nil {
				w = *want
			}
			if string(got) != w {
				t.Fatalf("%q: %s is %q, go-syslog says %q", line, what, got, w)
			}
		}
		same("host", e.Host, judge.Hostname)
		same("app-name", e.Identifier, judge.Appname)
		same("procid", e.ProcID, judge.ProcID)
		if h.Priority != int(*judge.Priority) {
			t.Fatalf("%q: priority %d, go-syslog says %d", line, h.Priority, *judge.Priority)
		}
		if judge.Timestamp != nil && judge.Timestamp.Year() > 0 {
			if got := h.Stamp.Time(reference); !got.Equal(*judge.Timestamp) {
				t.Fatalf("%q: stamp %v, go-syslog says %v", line, got, judge.Timestamp)
			}
		}
		if judge.Message != nil && utf8.Valid(line) {
			var want ingest.Entry
			want.SetMessage([]byte(*judge.Message))
			message := string(want.Message)
			same("message", e.Message, &message)
		}
		if judge.StructuredData == nil {
			return
		}
		for id, params := range *judge.StructuredData {
			for name, want := range params {
				if strings.Contains(id, ".") || strings.Contains(name, ".") {
					continue // id.name has several readings
				}
				got, ok := e.Fields.Field(id + "." + name)
				if !ok && bytes.Count(line, []byte(" "+name+`="`)) > 1 {
					continue // it is there twice, perhaps
				}
				if !ok {
					t.Fatalf("%q: no field %s.%s", line, id, name)
				}
				same("field "+id+"."+name, got, &want)
			}
		}
	})
}
