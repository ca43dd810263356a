package syslog

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/influxdata/go-syslog/v3/rfc5424"

	"bailiff/ingest"
)

// dialects are the layouts that carry a tag, with the message at their end.
var dialects = []struct{ name, format string }{
	{"3164", "<133>Nov 23 01:38:44 vm %[1]s[%[2]s]: %[3]s"},
	{"3164 in a file", "Nov  3 01:38:44 vm %[1]s[%[2]s]: %[3]s"},
	{"3339", "<133>2026-11-23T01:38:44.613981+00:00 vm %[1]s[%[2]s]: %[3]s"},
	{"5424", "<133>1 2026-11-23T01:38:44.613981+00:00 vm %[1]s %[2]s - - %[3]s"},
	{"5424 as rsyslog sends it", "<133>1 2026-11-23T01:38:44.613981+00:00 vm %[1]s %[2]s - -  %[3]s"},
	{"5424 with data", `<133>1 - 2001:db8::1 %[1]s %[2]s m [a@1 b="]\"]"][c] %[3]s`},
	{"no pid", "<133>Nov 23 01:38:44 vm %[1]s: %[3]s"},
	{"local", "<133>Nov 23 01:38:44 %[1]s[%[2]s]: %[3]s"},
	{"IPv6 host", "<133>Nov 23 01:38:44 2001:db8::1 %[1]s[%[2]s]: %[3]s"},
	{"local without pid", "<133>Nov 23 01:38:44 %[1]s: %[3]s"},
	{"no stamp and no pid", "<133>%[1]s: %[3]s"},
	{"no stamp", "<133>%[1]s[%[2]s]: %[3]s"},
}

// FuzzDialects wraps a message in every layout: whatever it says, the header
// ends where the sender ended it, and all layouts give the same entry.
func FuzzDialects(f *testing.F) {
	for _, s := range []string{
		"x", "", "a: b", "x]: y from 203.0.113.5", "[1]: x", "%ASA-1: x", "0: %A: x", "*Nov 21 01:38:44: %A: x", "37972: *Nov 21 01:38:44: %A: x", "<13>Nov 23 01:38:44 vm su[2]: x",
		"message repeated 3 times: [ x]", "[2026-11-23 01:38:44.1] x", "#033[0mx", "- x", `[a b="c"] x`, "\ufeffx", "m\xfcller\x00",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, message string) {
		var want ingest.Entry
		want.SetMessage([]byte(message))
		for _, d := range dialects {
			var p Parser
			var got ingest.Entry
			p.Parse(fmt.Appendf(nil, d.format, "asterisk", "7732", message), &got)
			pid := ""
			if strings.Contains(d.format, "%[2]s") {
				pid = "7732"
			}
			if string(got.Identifier) != "asterisk" || string(got.ProcID) != pid {
				t.Fatalf("%s: %q moved the header to %q[%q]", d.name, message, got.Identifier, got.ProcID)
			}
			if !bytes.Equal(got.Message, want.Message) || got.Repeat != want.Repeat || got.Truncated != want.Truncated {
				t.Fatalf("%s: %q became %q × %d, want %q × %d", d.name, message, got.Message, got.Repeat, want.Message, want.Repeat)
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
