package stream_test

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"bailiff/ingest"
	"bailiff/ingest/ingesttest"
	"bailiff/ingest/stream"
)

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// seen is an entry as text, with the number of its line.
type seen struct {
	Line                     int
	Host, Tag, PID, Message  string
	Time                     string // empty: when it was read
	Unit                     string
	UID, Process             int
	Truncated                bool
	Vouched, Spoofable, Peer bool
}

func readAll(t *testing.T, r io.Reader, change func(*stream.Options)) (got []seen, err error) {
	t.Helper()
	opts := stream.DefaultOptions()
	opts.Now = func() time.Time { return now }
	if change != nil {
		change(&opts)
	}
	sc, err := stream.NewScanner(r, opts)
	if err != nil {
		t.Fatal(err)
	}
	for {
		e, line, ok := sc.Next()
		if !ok {
			return got, sc.Err()
		}
		s := seen{
			Line: line, Host: string(e.Host), Tag: string(e.Identifier), PID: string(e.ProcID), Message: string(e.Message),
			Unit: string(e.Unit), UID: e.UID, Process: e.PID, Truncated: e.Truncated,
			Vouched: e.Vouched, Spoofable: e.Spoofable, Peer: e.Peer.IsValid(),
		}
		if !e.Time.Equal(now) {
			s.Time = e.Time.UTC().Format(time.RFC3339Nano)
		}
		got = append(got, s)
	}
}

// block is an entry of the journal export format.
func block(fields ...string) string {
	return strings.Join(fields, "\n") + "\n\n"
}

func binaryField(name, value string) string {
	size := binary.LittleEndian.AppendUint64(nil, uint64(len(value)))
	return name + "\n" + string(size) + value
}

func TestScanner(t *testing.T) {
	format := func(f stream.Format, identifier string) func(*stream.Options) {
		return func(o *stream.Options) { o.Format, o.Identifier = f, identifier }
	}
	long := strings.Repeat("x", ingest.MaxMessage)
	for _, tc := range []struct {
		name, text string
		change     func(*stream.Options)
		want       []seen
	}{
		{name: "nothing", text: ""},
		{name: "empty lines", text: "\n\r\n\na\n", want: []seen{{Line: 4, Message: "a"}}},
		{name: "no line feed at the end", text: "a\nb", want: []seen{{Line: 1, Message: "a"}, {Line: 2, Message: "b"}}},
		{name: "carriage returns", text: "a\r\nb\r\n", want: []seen{{Line: 1, Message: "a"}, {Line: 2, Message: "b"}}},
		{name: "mixed layouts", text: strings.Join([]string{
			"<38>Nov 23 01:38:44 vm sshd[1]: one",
			"Nov 23 01:38:44 vm sshd[1]: two",
			"2026-11-23T01:38:44.5+01:00 vm sshd[1]: three",
			"[2026-11-23 01:38:44.692] NOTICE[7820] chan_sip.c: four",
			"<38>1 - h a p - - five",
			block("__CURSOR=s=1", "SYSLOG_IDENTIFIER=six", "MESSAGE=six") + "seven: seven",
		}, "\n"), want: []seen{
			{Line: 1, Host: "vm", Tag: "sshd", PID: "1", Message: "one", Time: "2026-11-23T01:38:44Z"},
			{Line: 2, Host: "vm", Tag: "sshd", PID: "1", Message: "two", Time: "2026-11-23T01:38:44Z"},
			{Line: 3, Host: "vm", Tag: "sshd", PID: "1", Message: "three", Time: "2026-11-23T00:38:44.5Z"},
			{Line: 4, Message: "NOTICE[7820] chan_sip.c: four", Time: "2026-11-23T01:38:44.692Z"},
			{Line: 5, Host: "h", Tag: "a", PID: "p", Message: "five"},
			{Line: 6, Tag: "six", Message: "six"},
			{Line: 10, Message: "seven: seven"},
		}},
		{
			name: "identifier for those without", text: "<38>Nov 23 01:38:44 vm sshd[1]: x\n[2026-11-23 01:38:44] NOTICE[1] y\n",
			change: format(stream.Auto, "asterisk"), want: []seen{
				{Line: 1, Host: "vm", Tag: "sshd", PID: "1", Message: "x", Time: "2026-11-23T01:38:44Z"},
				{Line: 2, Tag: "asterisk", Message: "NOTICE[1] y", Time: "2026-11-23T01:38:44Z"},
			},
		},
		{name: "bare messages", text: "Nov 23 01:38:44 vm sshd[1]: x\n__CURSOR=y\n", change: format(stream.Message, "t"), want: []seen{
			{Line: 1, Tag: "t", Message: "Nov 23 01:38:44 vm sshd[1]: x"},
			{Line: 2, Tag: "t", Message: "__CURSOR=y"},
		}},
		{name: "syslog only", text: "__CURSOR=y\nNov 23 01:38:44 vm sshd[1]: x\n", change: format(stream.Syslog, ""), want: []seen{
			{Line: 1, Message: "__CURSOR=y"},
			{Line: 2, Host: "vm", Tag: "sshd", PID: "1", Message: "x", Time: "2026-11-23T01:38:44Z"},
		}},
		{name: "a stamp in the future", text: "2027-01-01T00:00:00Z vm a: x\n", want: []seen{{Line: 1, Host: "vm", Tag: "a", Message: "x"}}},
		{name: "last December", text: "Dec 31 23:59:59 vm a: x\n", want: []seen{{Line: 1, Host: "vm", Tag: "a", Message: "x", Time: "2025-12-31T23:59:59Z"}}},
		{name: "a leap day", text: "Feb 29 10:00:00 vm a: x\n", want: []seen{{Line: 1, Host: "vm", Tag: "a", Message: "x", Time: "2024-02-29T10:00:00Z"}}},
		{name: "long lines", text: long + "\n" + long + "y\n" + strings.Repeat(long, 100) + "\nlast\n", want: []seen{
			{Line: 1, Message: long},
			{Line: 2, Message: long, Truncated: true},
			{Line: 3, Message: long, Truncated: true},
			{Line: 4, Message: "last"},
		}},
		{name: "a long line at the end", text: strings.Repeat(long, 100), want: []seen{{Line: 1, Message: long, Truncated: true}}},

		{name: "journal", change: format(stream.JournalExport, ""), text: block(
			"__CURSOR=s=1", "__REALTIME_TIMESTAMP=1795397924500000", "_SYSTEMD_UNIT=ssh.service", "_UID=0", "_PID=77", "_HOSTNAME=vm",
			"SYSLOG_IDENTIFIER=sshd", "SYSLOG_PID=76", "MESSAGE=a=b",
		) + block("__CURSOR=s=2", "MESSAGE=second"), want: []seen{
			{Line: 1, Host: "vm", Tag: "sshd", PID: "76", Message: "a=b", Unit: "ssh.service", UID: 1, Process: 78, Time: "2026-11-23T01:38:44.5Z"},
			{Line: 11, Message: "second"},
		}},
		{name: "journal, no last empty line", text: "__CURSOR=s=1\nMESSAGE=x", want: []seen{{Line: 1, Message: "x"}}},
		{name: "journal, binary field", text: block("__CURSOR=s=1", binaryField("MESSAGE", "a\nb\x01"), "SYSLOG_IDENTIFIER=t") + "next\n", want: []seen{
			{Line: 1, Tag: "t", Message: "a\nb\x01"},
			{Line: 7, Message: "next"},
		}},
		{name: "journal, empty binary field", text: block("__CURSOR=s=1", binaryField("X", ""), "MESSAGE=m"), want: []seen{{Line: 1, Message: "m"}}},
		{name: "journal, huge fields before the message", text: block("__CURSOR=s=1", binaryField("COREDUMP", strings.Repeat("\n", 1<<20)), "X="+strings.Repeat("x", 1<<20), "MESSAGE=m"), want: []seen{{Line: 1, Message: "m"}}},
		{name: "journal, long message", text: block("__CURSOR=s=1", "MESSAGE="+long+"y"), want: []seen{{Line: 1, Message: long, Truncated: true}}},
		{name: "journal, long binary message", text: block("__CURSOR=s=1", binaryField("MESSAGE", strings.Repeat(long, 100))), want: []seen{{Line: 1, Message: long, Truncated: true}}},
		{name: "journal, no message", text: block("__CURSOR=s=1", "X=y") + block("__CURSOR=s=2", "MESSAGE=m"), want: []seen{{Line: 4, Message: "m"}}},
		{name: "journal, binary field cut off", text: "__CURSOR=s=1\nMESSAGE\n\x05\x00\x00\x00\x00\x00\x00\x00abc"},
		{name: "journal, absurd length", text: "__CURSOR=s=1\nMESSAGE\n\xff\xff\xff\xff\xff\xff\xff\xffabc"},
		{name: "journal, length cut off", text: "__CURSOR=s=1\nMESSAGE\n\x05\x00"},
	} {
		for i := range tc.want {
			// Written so that the usual value is the zero value.
			tc.want[i].UID--
			tc.want[i].Process--
		}
		for name, r := range map[string]io.Reader{
			"at once": strings.NewReader(tc.text), "in parts": iotest.HalfReader(strings.NewReader(tc.text)), "with its end": iotest.DataErrReader(strings.NewReader(tc.text)),
		} {
			t.Run(tc.name+"/"+name, func(t *testing.T) {
				got, err := readAll(t, r, tc.change)
				if err != nil {
					t.Errorf("error: %v", err)
				}
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Errorf("(-want +got):\n%.2000s", diff)
				}
			})
		}
	}
}

func TestScannerFields(t *testing.T) {
	sc, err := stream.NewScanner(strings.NewReader(block("__CURSOR=s=1", "MESSAGE=m", "ID=a", "TWICE=a", "TWICE=b", "LONG="+strings.Repeat("x", ingest.MaxMessage+1))+"x\n"), stream.DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	e, _, _ := sc.Next()
	if v, ok := e.Fields.Field("ID"); !ok || string(v) != "a" {
		t.Errorf("ID = %q, %v", v, ok)
	}
	for _, name := range []string{"NONE", "TWICE", "LONG"} {
		if v, ok := e.Fields.Field(name); ok {
			t.Errorf("%s = %.20q", name, v)
		}
	}
	if e, _, _ = sc.Next(); e.Fields != nil {
		t.Error("a line has the fields of the entry before")
	}
}

// What journald took off the end of a message still counts for its length.
func TestScannerLength(t *testing.T) {
	sc, err := stream.NewScanner(strings.NewReader(block("__CURSOR=s=1", "MESSAGE=m", "SYSLOG_RAW=<38>sshd: m   ")), stream.DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	if e, _, _ := sc.Next(); e.Length != 4 {
		t.Errorf("length %d, want 4", e.Length)
	}
}

func TestScannerError(t *testing.T) {
	broken := errors.New("broken pipe")
	got, err := readAll(t, io.MultiReader(strings.NewReader("a\nb"), iotest.ErrReader(broken)), nil)
	if !errors.Is(err, broken) || len(got) != 2 {
		t.Errorf("%v after %d lines", err, len(got))
	}
}

func TestSourceEndsWithItsStream(t *testing.T) {
	s, err := stream.New(strings.NewReader(block("__CURSOR=1", "X=no message")+"a\nb\n"+block("__CURSOR=1", "X=no message")), stream.DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	if err := s.Run(t.Context(), func(e *ingest.Entry) { got = append(got, string(e.Message)) }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a", "b"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	ingesttest.CheckCounts(t, s)
	if n := ingesttest.Total(s, "malformed", ""); n != 2 {
		t.Errorf("%d malformed, want 2", n)
	}
}

func TestSourceError(t *testing.T) {
	broken := errors.New("broken pipe")
	s, err := stream.New(iotest.ErrReader(broken), stream.DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context(), func(*ingest.Entry) {}); !errors.Is(err, broken) {
		t.Errorf("Run returned %v", err)
	}
}

// writer writes lines to a pipe.
type writer struct {
	*os.File
	after string
}

func (w writer) Write(line []byte) (int, error) { return w.WriteString(string(line) + w.after) }

func TestConformance(t *testing.T) {
	for _, tc := range []struct {
		name  string
		line  func(string) string
		after string
	}{
		{"syslog", func(m string) string { return "<38>Nov 23 01:38:44 vm sshd[1]: " + m }, "\n"},
		{"file", func(m string) string { return "2026-11-23T01:38:44.5+00:00 vm sshd[1]: " + m }, "\r\n"},
		{"message", func(m string) string { return m }, "\n"},
		{"journal export", func(m string) string { return "__CURSOR=1\nMESSAGE=" + m }, "\n\n"},
		{"ndjson", func(m string) string {
			return fmt.Sprintf(`{"host":"vm","ident":"sshd","message":"%s"}`, strings.ReplaceAll(m, "\x1b", `\u001b`))
		}, "\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ingesttest.Run(t, func(t *testing.T) ingesttest.Transport {
				r, w, err := os.Pipe()
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { r.Close() })
				s, err := stream.New(r, stream.DefaultOptions())
				if err != nil {
					t.Fatal(err)
				}
				return ingesttest.Transport{
					Source:  s,
					Senders: 1,
					Waits:   true,
					Line:    tc.line,
					Dial:    func(*testing.T) io.WriteCloser { return writer{w, tc.after} },
				}
			})
		})
	}
}

func TestOptions(t *testing.T) {
	for _, o := range []stream.Options{{}, {Name: "x"}, {Name: "x", Format: "jsonl"}, {Format: stream.Auto}} {
		if _, err := stream.New(nil, o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
}

// object is an entry as journalctl -o json writes it: what is no text is an array of
// numbers.
func object(t *testing.T, message, tag string) string {
	t.Helper()
	value := func(s string) any {
		if utf8.ValidString(s) {
			return s
		}
		bytes := make([]int, len(s))
		for i := range len(s) {
			bytes[i] = int(s[i])
		}
		return bytes
	}
	line, err := json.Marshal(map[string]any{"MESSAGE": value(message), "SYSLOG_IDENTIFIER": value(tag), "__CURSOR": "s=1"})
	if err != nil {
		t.Fatal(err)
	}
	return string(line) + "\n"
}

// FuzzRoundTrip writes a message between two others in each form that can carry it,
// and gets back what was written, in the field or the message where it was.
func FuzzRoundTrip(f *testing.F) {
	for _, m := range []string{"x", "", "a=b", "\nMESSAGE=y", "__CURSOR=s=2", "<38>Nov 23 01:38:44 vm sshd[1]: x", "\x00\xff", "MESSAGE\n\x01\x00\x00\x00\x00\x00\x00\x00x\n\n"} {
		f.Add(m, "sshd")
	}
	f.Fuzz(func(t *testing.T, message, tag string) {
		if len(message) > ingest.MaxMessage || len(tag) > ingest.MaxMessage {
			return // is cut, which other tests hold
		}
		var want ingest.Entry
		want.SetMessage([]byte(message))
		check := func(format stream.Format, text, wantTag string) {
			t.Helper()
			got, err := readAll(t, iotest.HalfReader(strings.NewReader(text)), func(o *stream.Options) { o.Format = format })
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != 3 || got[0].Message != "before" || got[2].Message != "after" {
				t.Fatalf("%s: %q became %+v", format, text, got)
			}
			if got[1].Message != string(want.Message) || got[1].Tag != wantTag {
				t.Fatalf("%s: %q of %q became %q of %q, want %q", format, message, wantTag, got[1].Message, got[1].Tag, want.Message)
			}
		}
		between := block("__CURSOR=s=1", "MESSAGE=before") + block("__CURSOR=s=2", binaryField("SYSLOG_IDENTIFIER", tag), "_PID=7", binaryField("MESSAGE", message)) + block("__CURSOR=s=3", "MESSAGE=after")
		check(stream.JournalExport, between, tag)
		check(stream.Auto, between, tag)
		if tag != "" { // without one the message has its header in it
			objects := object(t, "before", "x") + object(t, message, tag) + object(t, "after", "x")
			check(stream.NDJSON, objects, tag)
			check(stream.Auto, objects, tag)
		}
		if strings.Contains(message, "\n") {
			return // a line has none, and an export has it in the binary form
		}
		plain := strings.Replace(between, binaryField("MESSAGE", message), "MESSAGE="+message, 1)
		if !strings.HasSuffix(message, "\r") { // a line may end so
			check(stream.JournalExport, plain, tag)
		}
		if strings.Trim(message, "\r") == "" {
			return // an empty line is none
		}
		check(stream.Message, "before\n"+message+"\nafter\n", "")
	})
}

func FuzzScanner(f *testing.F) {
	f.Add([]byte(block("__CURSOR=s=1", binaryField("MESSAGE", "a\nb"))+"x\r\n\ny"), uint8(0))
	f.Add([]byte("<38>Nov 23 01:38:44 vm sshd[1]: x\n"), uint8(1))
	f.Add([]byte(`{"ident":"a","msg":[120],"x":{"y":[1,"\u00e9"]}}`+"\n{\n"), uint8(4))
	f.Fuzz(func(t *testing.T, text []byte, form uint8) {
		format := []stream.Format{stream.Auto, stream.Syslog, stream.JournalExport, stream.Message, stream.NDJSON}[form%5]
		change := func(o *stream.Options) { o.Format = format }
		whole, err := readAll(t, strings.NewReader(string(text)), change)
		if err != nil {
			t.Fatal(err)
		}
		parts, _ := readAll(t, iotest.HalfReader(strings.NewReader(string(text))), change)
		if diff := cmp.Diff(whole, parts); diff != "" {
			t.Fatalf("(-at once +in parts):\n%s", diff)
		}
		last := 0
		for _, s := range whole {
			if s.Line <= last || s.Line > strings.Count(string(text), "\n")+1 {
				t.Fatalf("line %d behind line %d", s.Line, last)
			}
			last = s.Line
		}
	})
}

const line = "Nov 23 01:39:42 vm asterisk[7732]: NOTICE[7820]: chan_sip.c:29058 in handle_request_register: Registration from '<sip:101@192.0.2.10>' failed for '198.51.100.1:52478' - Wrong password\n"

// endless repeats a text.
type endless struct{ text, rest string }

func (e *endless) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		if e.rest == "" {
			e.rest = e.text
		}
		k := copy(p[n:], e.rest)
		e.rest = e.rest[k:]
		n += k
	}
	return n, nil
}

func benchTexts() map[string]string {
	return map[string]string{
		"syslog":  line,
		"3339":    "2026-11-23T01:39:42.692103+00:00" + strings.TrimPrefix(line, "Nov 23 01:39:42"),
		"journal": block("__CURSOR=s=1", "__REALTIME_TIMESTAMP=1795397924500000", "_SYSTEMD_UNIT=ssh.service", "_UID=0", "_PID=77", "SYSLOG_IDENTIFIER=sshd", "MESSAGE="+strings.TrimSpace(line)),
	}
}

func TestScannerAllocatesNothing(t *testing.T) {
	for name, text := range benchTexts() {
		sc, err := stream.NewScanner(&endless{text: text}, stream.DefaultOptions())
		if err != nil {
			t.Fatal(err)
		}
		sc.Next() // lets the buffer grow
		if n := testing.AllocsPerRun(5000, func() { sc.Next() }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkScanner(b *testing.B) {
	for name, text := range benchTexts() {
		for _, f := range []stream.Format{stream.Auto, stream.Message} {
			if name == "journal" && f == stream.Message {
				continue
			}
			b.Run(fmt.Sprint(name, " ", f), func(b *testing.B) {
				opts := stream.DefaultOptions()
				opts.Format = f
				sc, _ := stream.NewScanner(&endless{text: strings.Repeat(text, 1000)}, opts)
				b.ReportAllocs()
				for b.Loop() {
					sc.Next()
				}
			})
		}
	}
}
