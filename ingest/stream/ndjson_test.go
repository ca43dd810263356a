package stream_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"bailiff/ingest"
	"bailiff/ingest/ingesttest"
	"bailiff/ingest/stream"
)

func TestNDJSON(t *testing.T) {
	for _, tc := range []struct {
		name, line string
		want       seen
	}{
		{
			"journalctl -o json",
			`{"_UID":"0","__REALTIME_TIMESTAMP":"1795397924500000","_SYSTEMD_UNIT":"ssh.service","MESSAGE":"a \"b\"","SYSLOG_PID":"76","_PID":"77","_HOSTNAME":"vm","SYSLOG_IDENTIFIER":"sshd","__CURSOR":"s=1"}`,
			seen{Host: "vm", Tag: "sshd", PID: "76", Message: `a "b"`, Unit: "ssh.service", UID: 1, Process: 78, Time: "2026-11-23T01:38:44.5Z"},
		},
		{
			"journalctl -o json, no text", // what is no UTF-8 is an array of its bytes
			`{"SYSLOG_IDENTIFIER":"sshd","MESSAGE":[97, 255 ,98],"MULTI":["a","b"]}`,
			seen{Tag: "sshd", Message: "a\xffb"},
		},
		{
			"rsyslog %jsonmesg%",
			`{ "msg": " one", "rawmsg": "<38>Nov 23 01:38:44 vm sshd[7]: one", "timereported": "2026-11-23T01:38:44.5+00:00", "hostname": "vm", "syslogtag": "sshd[7]:", "inputname": "imtcp", "fromhost": "localhost", "fromhost-ip": "127.0.0.1", "pri": "38", "syslogfacility": "4", "syslogseverity": "6", "timegenerated": "2026-11-23T01:38:45+00:00", "programname": "sshd", "protocol-version": "0", "structured-data": "-", "app-name": "sshd", "procid": "7", "msgid": "-", "uuid": null, "$!": null }`,
			seen{Host: "vm", Tag: "sshd", PID: "7", Message: "one", Time: "2026-11-23T01:38:44.5Z"},
		},
		{
			"syslog-ng $(format-json --scope rfc5424)",
			`{"PROGRAM":"sshd","PRIORITY":"info","PID":"7","MESSAGE":"one","HOST":"vm","FACILITY":"auth","ISODATE":"2026-11-23T01:38:44+00:00","DATE":"Nov 23 01:38:44"}`,
			seen{Host: "vm", Tag: "sshd", PID: "7", Message: "one", Time: "2026-11-23T01:38:44Z"},
		},
		{
			"Vector, source syslog",
			`{"appname":"sshd","facility":"auth","host":"vm","hostname":"vm","message":"one","procid":7,"severity":"info","source_ip":"127.0.0.1","source_type":"syslog","timestamp":"2026-11-23T01:38:44.500Z"}`,
			seen{Host: "vm", Tag: "sshd", PID: "7", Message: "one", Time: "2026-11-23T01:38:44.5Z"},
		},
		{
			"Vector, source file",
			`{"file":"/var/log/auth.log","host":"vm","message":"Nov 23 01:38:44 box sshd[7]: one","source_type":"file","timestamp":"2026-11-23T01:38:45.5Z"}`,
			seen{Host: "vm", Tag: "sshd", PID: "7", Message: "one", Time: "2026-11-23T01:38:45.5Z"},
		},
		{
			"Fluent Bit, parser syslog",
			`{"date":1795397924.500000,"pri":"38","host":"vm","ident":"sshd","pid":"7","message":"one"}`,
			seen{Host: "vm", Tag: "sshd", PID: "7", Message: "one", Time: "2026-11-23T01:38:44.5Z"},
		},
		{
			"Fluent Bit, input tail",
			`{"date":1795397924,"log":"no header"}`,
			seen{Message: "no header", Time: "2026-11-23T01:38:44Z"},
		},
		{"milliseconds", `{"ident":"t","time":1795397924500,"msg":"x"}`, seen{Tag: "t", Message: "x", Time: "2026-11-23T01:38:44.5Z"}},
		{"nanoseconds", `{"ident":"t","time":"1795397924500000000","msg":"x"}`, seen{Tag: "t", Message: "x", Time: "2026-11-23T01:38:44.5Z"}},
		{"a time to come", `{"ident":"t","time":99999999999,"msg":"x"}`, seen{Tag: "t", Message: "x"}},
		{"no time", `{"ident":"t","time":"soon","date":{},"msg":"x"}`, seen{Tag: "t", Message: "x"}},
		{"escapes", `{"ident":"t","msg":"a\n\u0041\ud83d\ude00\ud83d\/\\"}`, seen{Tag: "t", Message: "a\nA\U0001f600\ufffd/\\"}},
		{"an escaped name", `{"i\u0064ent":"t","msg":"x"}`, seen{Tag: "t", Message: "x"}},
		{"deeper ones of the same name", `{"a":{"msg":"y","b":[{"ident":"u"}]},"ident":"t","msg":"x"}`, seen{Tag: "t", Message: "x"}},
		{"two of one name", `{"ident":"t","ident":"u","msg":"x"}`, seen{Message: "x"}},
		{"nothing said", `{"ident":"t","msg":""}`, seen{Tag: "t"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.want.Line = 1
			tc.want.UID--
			tc.want.Process--
			got, err := readAll(t, strings.NewReader(tc.line+"\n"), func(o *stream.Options) { o.Format = stream.NDJSON })
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]seen{tc.want}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if tc.want.Tag == "" || strings.Contains(tc.name, "file") {
				return // Auto does not know them from a message that is JSON
			}
			got, _ = readAll(t, strings.NewReader(tc.line+"\n"), nil)
			if diff := cmp.Diff([]seen{tc.want}, got); diff != "" {
				t.Errorf("told by itself (-want +got):\n%s", diff)
			}
		})
	}
}

// A daemon may log JSON: unless the stream is said to be NDJSON, an object that does not
// name a program is its message.
func TestMessagesThatAreJSON(t *testing.T) {
	const line = `{"msg":"x","remote":"192.0.2.1"}`
	got, err := readAll(t, strings.NewReader(line+"\n{no JSON\n"), func(o *stream.Options) { o.Identifier = "mongod" })
	want := []seen{{Line: 1, Tag: "mongod", Message: line, UID: -1, Process: -1}, {Line: 2, Tag: "mongod", Message: "{no JSON", UID: -1, Process: -1}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestNDJSONCounts(t *testing.T) {
	opts := stream.DefaultOptions()
	opts.Format = stream.NDJSON
	s, err := stream.New(strings.NewReader(`{"msg":"a"}
no JSON
{"msg":"b"
[{"msg":"c"}]
{"other":"d"}
{"msg":["d","e"]}
{"msg":null}
{"msg":"`+strings.Repeat(`\u0078`, ingest.MaxMessage+1)+`"}
{"msg":"`+strings.Repeat("x", 1<<20)+`"}
{"msg":"last"}`), opts)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	if err := s.Run(t.Context(), func(e *ingest.Entry) {
		m := string(e.Message)
		if e.Truncated {
			m = m[:1] + "…"
		}
		got = append(got, m)
	}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a", "x…", "last"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	ingesttest.CheckCounts(t, s)
	if n := ingesttest.Total(s, "malformed", "json"); n != 7 {
		t.Errorf("%d malformed, want 7", n)
	}
	if n := ingesttest.Total(s, "parsed", "json"); n != 3 {
		t.Errorf("%d parsed, want 3", n)
	}
}

func TestNDJSONFields(t *testing.T) {
	sc, err := stream.NewScanner(strings.NewReader(`{"ident":"t","msg":"m","n":-1.5e3,"yes":true,"none":null,"deep":{"a":1},"twice":"a","twice":"b","list":["a"],"bytes":[1,2],"empty":""}`+"\n<38>t: x\n"), stream.DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	e, _, _ := sc.Next()
	got := map[string]string{}
	for _, name := range []string{"n", "yes", "none", "deep", "twice", "list", "bytes", "empty", "absent", "msg"} {
		if v, ok := e.Fields.Field(name); ok {
			got[name] = string(v)
		}
	}
	if diff := cmp.Diff(map[string]string{"n": "-1.5e3", "yes": "true", "bytes": "\x01\x02", "empty": "", "msg": "m"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if e, _, _ = sc.Next(); e.Fields != nil {
		if _, ok := e.Fields.Field("n"); ok {
			t.Error("a line has the fields of the entry before")
		}
	}
}

func TestStamps(t *testing.T) {
	lines := strings.Join([]string{
		"<38>Nov 23 01:38:44 vm a: no zone",
		"<38>2026-11-23T01:38:44.5+00:00 vm a: zone",
		`{"ident":"a","timestamp":"2026-11-23 01:38:44","msg":"json, no zone"}`,
		`{"ident":"a","timestamp":1795397924.5,"msg":"json"}`,
		block("__CURSOR=s=1", "__REALTIME_TIMESTAMP=1795397924500000", "SYSLOG_IDENTIFIER=a", "MESSAGE=journal"),
	}, "\n")
	for _, tc := range []struct {
		stamps stream.Stamps
		want   []string
	}{
		{stream.AllStamps, []string{"2026-11-23T01:38:44Z", "2026-11-23T01:38:44.5Z", "2026-11-23T01:38:44Z", "2026-11-23T01:38:44.5Z", "2026-11-23T01:38:44.5Z"}},
		{stream.ZonedStamps, []string{"", "2026-11-23T01:38:44.5Z", "", "2026-11-23T01:38:44.5Z", "2026-11-23T01:38:44.5Z"}},
		{stream.NoStamps, []string{"", "", "", "", ""}},
	} {
		entries, err := readAll(t, strings.NewReader(lines), func(o *stream.Options) { o.Stamps = tc.stamps })
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range entries {
			got = append(got, e.Time)
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("stamps %d (-want +got):\n%s", tc.stamps, diff)
		}
	}
}

// FuzzNDJSON holds what is read of an object to what encoding/json reads, whatever the
// text is.
func FuzzNDJSON(f *testing.F) {
	for _, s := range []string{`{"msg":"x"}`, `{"msg":"\u00e9\ud83d\ude00","a":[1,{"b":null}]} `, `{"msg":"a","n":-0.5E+3,"t":true}`, `{}`, `{"msg":1}`, `{"a":[],"msg":"\n"}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if strings.ContainsAny(line, "\n") || strings.HasSuffix(line, "\r") || len(line) > ingest.MaxMessage || strings.Count(line, "[")+strings.Count(line, "{") > 60 {
			return
		}
		got, err := readAll(t, iotest.HalfReader(strings.NewReader(line)), func(o *stream.Options) { o.Format, o.Identifier = stream.NDJSON, "t" })
		if err != nil {
			t.Fatal(err)
		}
		var members map[string]json.RawMessage
		valid := json.Unmarshal([]byte(line), &members) == nil && members != nil
		if !valid && len(got) > 0 {
			t.Fatalf("%q became %+v", line, got)
		}
		// A message alone is read as the line that it is.
		var text string
		if !valid || len(members) != 1 || strings.Count(line, "msg") != 1 || json.Unmarshal(members["msg"], &text) != nil || strings.Trim(text, "\r") == "" ||
			string(members["msg"]) == "null" || strings.ContainsAny(text, "\n\r") || !utf8.ValidString(line) {
			return
		}
		want, _ := readAll(t, strings.NewReader(text), func(o *stream.Options) { o.Format, o.Identifier = stream.Syslog, "t" })
		if len(got) != 1 || got[0].Message != want[0].Message || got[0].Tag != want[0].Tag {
			t.Fatalf("%q became %+v, want %+v", line, got, want)
		}
	})
}

// In a stream that is being written nobody turns the lines behind his own into fields of
// an export, which no rule reads.
func TestLiveExport(t *testing.T) {
	live := func(o *stream.Options) { o.Live, o.Identifier = true, "app" }
	messages := func(text string) (out []string) {
		t.Helper()
		entries, err := readAll(t, strings.NewReader(text), live)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			out = append(out, e.Message)
		}
		return out
	}
	if diff := cmp.Diff([]string{"one", "__CURSOR=x", "two", "three"}, messages("\none\n__CURSOR=x\ntwo\n\nthree\n")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	export := block("__CURSOR=1", "MESSAGE=one") + block("MESSAGE=two", "__CURSOR=2")
	if diff := cmp.Diff([]string{"one", "two"}, messages("\n"+export)); diff != "" {
		t.Errorf("an export (-want +got):\n%s", diff)
	}
}

func TestAnswersNeedLines(t *testing.T) {
	for format, ok := range map[stream.Format]bool{stream.JournalExport: false, stream.Auto: false, stream.Syslog: true, stream.NDJSON: true} {
		opts := stream.DefaultOptions()
		opts.Format, opts.Dealt = format, func() {}
		if err := opts.Validate(); (err == nil) != ok {
			t.Errorf("%s: %v", format, err)
		}
	}
}
