package syslog

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"bailiff/ingest"
)

// seen is an entry as text.
type seen struct {
	Pri                int
	Host, Tag, PID     string
	Message            string
	Stamp              string // RFC 3339 as of the reference time; empty if none
	Truncated, Trusted bool   // Trusted: zone and fraction
}

// reference is the clock that completes stamps in tests.
var reference = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func parse(line string) seen {
	var p Parser
	var e ingest.Entry
	h := p.Parse([]byte(line), &e)
	s := seen{
		Pri: h.Priority, Host: string(e.Host), Tag: string(e.Identifier), PID: string(e.ProcID),
		Message: string(e.Message), Truncated: e.Truncated, Trusted: h.Stamp.Zoned && h.Stamp.Fractional,
	}
	if t := h.Stamp.Time(reference); !t.IsZero() {
		s.Stamp = t.Format(time.RFC3339Nano)
	}
	return s
}

func TestParse(t *testing.T) {
	const nov23 = "2026-11-23T01:38:44Z"
	for _, tc := range []struct {
		name, line string
		want       seen
	}{
		// RFC 3164
		{
			"traditional", "<133>Nov 23 01:38:44 vm asterisk[7732]: NOTICE[7820]: chan_sip.c:29058 in f: x",
			seen{Pri: 133, Host: "vm", Tag: "asterisk", PID: "7732", Stamp: nov23, Message: "NOTICE[7820]: chan_sip.c:29058 in f: x"},
		},
		{
			"RFC 5424 relayed by rsyslog as traditional", "<133>Nov 23 01:38:44 vm asterisk[7732] NOTICE[7820]: chan_sip.c:29058 in f: x",
			seen{Pri: 133, Host: "vm", Tag: "asterisk", PID: "7732", Stamp: nov23, Message: "NOTICE[7820]: chan_sip.c:29058 in f: x"},
		},
		{
			"no host, and no colon behind the bracket", "<133>Nov 23 01:38:44 asterisk[7732] x",
			seen{Pri: 133, Host: "asterisk[7732]", Stamp: nov23, Message: "x"},
		},
		{
			"no pid", "<46>Nov 23 01:38:44 vm rsyslogd: [origin x=\"y\"] start",
			seen{Pri: 46, Host: "vm", Tag: "rsyslogd", Stamp: nov23, Message: "[origin x=\"y\"] start"},
		},
		{
			"local form", "<38>Nov 23 01:38:44 sshd[1]: Failed password",
			seen{Pri: 38, Tag: "sshd", PID: "1", Stamp: nov23, Message: "Failed password"},
		},
		{
			"local form without pid", "<38>Nov 23 01:38:44 sudo: x : y",
			seen{Pri: 38, Tag: "sudo", Stamp: nov23, Message: "x : y"},
		},
		{
			"in a file", "Nov 23 01:38:44 vm sshd[1]: x",
			seen{Pri: -1, Host: "vm", Tag: "sshd", PID: "1", Stamp: nov23, Message: "x"},
		},
		{
			"day with a blank", "<38>Nov  3 01:38:44 vm sshd[1]: x",
			seen{Pri: 38, Host: "vm", Tag: "sshd", PID: "1", Stamp: "2026-11-03T01:38:44Z", Message: "x"},
		},
		{
			"day of one digit", "<38>Nov 3 01:38:44 vm sshd[1]: x",
			seen{Pri: 38, Host: "vm", Tag: "sshd", PID: "1", Stamp: "2026-11-03T01:38:44Z", Message: "x"},
		},
		{
			"day with a nought", "<38>Nov 03 01:38:44 vm sshd[1]: x",
			seen{Pri: 38, Host: "vm", Tag: "sshd", PID: "1", Stamp: "2026-11-03T01:38:44Z", Message: "x"},
		},
		{
			"last year's", "<38>Dec 31 23:59:59 vm sshd[1]: x",
			seen{Pri: 38, Host: "vm", Tag: "sshd", PID: "1", Stamp: "2025-12-31T23:59:59Z", Message: "x"},
		},
		{
			"with a year", "<38>Nov 23 2024 01:38:44 vm sshd[1]: x",
			seen{Pri: 38, Host: "vm", Tag: "sshd", PID: "1", Stamp: "2024-11-23T01:38:44Z", Message: "x"},
		},
		{
			"with a fraction", "<38>Nov 23 01:38:44.25 vm sshd[1]: x",
			seen{Pri: 38, Host: "vm", Tag: "sshd", PID: "1", Stamp: "2026-11-23T01:38:44.25Z", Message: "x"},
		},
		{
			"IPv4 as host", "<38>Nov 23 01:38:44 192.0.2.1 sshd[1]: x",
			seen{Pri: 38, Host: "192.0.2.1", Tag: "sshd", PID: "1", Stamp: nov23, Message: "x"},
		},
		{
			"IPv6 as host", "<38>Nov 23 01:38:44 2001:db8::1 sshd[1]: x",
			seen{Pri: 38, Host: "2001:db8::1", Tag: "sshd", PID: "1", Stamp: nov23, Message: "x"},
		},
		{
			"IPv6 network as host", "<38>Nov 23 01:38:44 2001:db8:: sshd[1]: x",
			seen{Pri: 38, Host: "2001:db8::", Tag: "sshd", PID: "1", Stamp: nov23, Message: "x"},
		},
		{
			"path in the tag", "<22>Nov 23 01:38:44 vm postfix/smtpd[9]: warning: unknown[203.0.113.5]: SASL LOGIN authentication failed",
			seen{Pri: 22, Host: "vm", Tag: "postfix/smtpd", PID: "9", Stamp: nov23, Message: "warning: unknown[203.0.113.5]: SASL LOGIN authentication failed"},
		},
		{
			"tag of many kinds of characters", "<22>Nov 23 01:38:44 vm php-fpm8.2_(pool)@x[a-9]: y",
			seen{Pri: 22, Host: "vm", Tag: "php-fpm8.2_(pool)@x", PID: "a-9", Stamp: nov23, Message: "y"},
		},
		{
			"no space behind the pid", "<22>Nov 23 01:38:44 vm a[1]:x",
			seen{Pri: 22, Host: "vm", Tag: "a", PID: "1", Stamp: nov23, Message: "x"},
		},
		{
			"tag of 33 bytes", "<22>Nov 23 01:38:44 vm org.gnome.Shell.Extensions.example[1]: x",
			seen{Pri: 22, Host: "vm", Tag: "org.gnome.Shell.Extensions.example", PID: "1", Stamp: nov23, Message: "x"},
		},
		{
			"tag and nothing else", "<22>Nov 23 01:38:44 vm a:",
			seen{Pri: 22, Host: "vm", Tag: "a", Stamp: nov23},
		},
		{"stamp and nothing else", "<22>Nov 23 01:38:44", seen{Pri: 22, Stamp: nov23}},
		{"one word behind the stamp", "<22>Nov 23 01:38:44 hello", seen{Pri: 22, Stamp: nov23, Message: "hello"}},
		{"ends to trim", "<22>Nov 23 01:38:44 vm a: x\r\n\x00", seen{Pri: 22, Host: "vm", Tag: "a", Stamp: nov23, Message: "x"}},
		{"control bytes stay", "<22>Nov 23 01:38:44 vm a: x\ty\x01z", seen{Pri: 22, Host: "vm", Tag: "a", Stamp: nov23, Message: "x\ty\x01z"}},
		{"byte order mark", "\ufeff<22>Nov 23 01:38:44 vm a: \ufeffx", seen{Pri: 22, Host: "vm", Tag: "a", Stamp: nov23, Message: "x"}},

		// What looks like a tag and would take an address with it.
		{
			"address in brackets", "<22>Nov 23 01:38:44 vm unknown[203.0.113.5]: failed",
			seen{Pri: 22, Host: "vm", Stamp: nov23, Message: "unknown[203.0.113.5]: failed"},
		},
		{
			"IPv6 in brackets", "<22>Nov 23 01:38:44 vm unknown[2001:db8::1]: failed",
			seen{Pri: 22, Host: "vm", Stamp: nov23, Message: "unknown[2001:db8::1]: failed"},
		},
		{
			"address and colon", "<22>Nov 23 01:38:44 vm 203.0.113.5: failed",
			seen{Pri: 22, Host: "vm", Stamp: nov23, Message: "203.0.113.5: failed"},
		},
		{
			"IPv6 and colon", "<22>Nov 23 01:38:44 vm 2001:db8::1: failed",
			seen{Pri: 22, Host: "vm", Stamp: nov23, Message: "2001:db8::1: failed"},
		},
		{
			"address within a word", "<22>Nov 23 01:38:44 vm peer-203.0.113.5/tcp: failed",
			seen{Pri: 22, Host: "vm", Stamp: nov23, Message: "peer-203.0.113.5/tcp: failed"},
		},
		{
			"an address without any header", "<13>203.0.113.5: failed",
			seen{Pri: 13, Message: "203.0.113.5: failed"},
		},
		{
			"a version with three dots is one of four parts", "<22>Nov 23 01:38:44 vm a-1.2.3-x.y: z",
			seen{Pri: 22, Host: "vm", Tag: "a-1.2.3-x.y", Stamp: nov23, Message: "z"},
		},

		// What an attacker writes behind the tag moves nothing.
		{
			"brackets in the user name", "<38>Nov 23 01:38:44 vm sshd[1]: Failed password for invalid user x]: y from 203.0.113.5",
			seen{Pri: 38, Host: "vm", Tag: "sshd", PID: "1", Stamp: nov23, Message: "Failed password for invalid user x]: y from 203.0.113.5"},
		},
		{
			"a whole line in the message", "<38>Nov 23 01:38:44 vm sshd[1]: <38>Nov 23 01:38:44 vm su[2]: x",
			seen{Pri: 38, Host: "vm", Tag: "sshd", PID: "1", Stamp: nov23, Message: "<38>Nov 23 01:38:44 vm su[2]: x"},
		},

		// rsyslog's ForwardFormat and files
		{
			"RFC 3339 stamp", "<133>2026-11-23T01:38:44.613981+01:00 vm asterisk[1]: x",
			seen{Pri: 133, Host: "vm", Tag: "asterisk", PID: "1", Stamp: "2026-11-23T00:38:44.613981Z", Trusted: true, Message: "x"},
		},
		{
			"RFC 3339 stamp in a file", "2026-11-23T01:38:44.613981-05:30 vm asterisk[1]: x",
			seen{Pri: -1, Host: "vm", Tag: "asterisk", PID: "1", Stamp: "2026-11-23T07:08:44.613981Z", Trusted: true, Message: "x"},
		},
		{
			"whole seconds are not precise", "<133>2026-11-23T01:38:44Z vm a: x",
			seen{Pri: 133, Host: "vm", Tag: "a", Stamp: nov23, Message: "x"},
		},
		{
			"without a zone", "<133>2026-11-23T01:38:44.5 vm a: x",
			seen{Pri: 133, Host: "vm", Tag: "a", Stamp: "2026-11-23T01:38:44.5Z", Message: "x"},
		},

		// RFC 5424
		{
			"5424", "<133>1 2026-11-23T01:38:44.613981Z vm asterisk 7732 - -  NOTICE[1]: x",
			seen{Pri: 133, Host: "vm", Tag: "asterisk", PID: "7732", Stamp: "2026-11-23T01:38:44.613981Z", Trusted: true, Message: "NOTICE[1]: x"},
		},
		{"5424 with nothing", "<0>1 - - - - - -", seen{Pri: 0}},
		{
			"5424 nanoseconds", "<13>1 2026-11-23T01:38:44.123456789Z h a - - - x",
			seen{Pri: 13, Host: "h", Tag: "a", Stamp: "2026-11-23T01:38:44.123456789Z", Trusted: true, Message: "x"},
		},
		{
			"5424 structured data", `<13>1 - h a p m [x@1 k="v"][y k="]\" \\"] hello`,
			seen{Pri: 13, Host: "h", Tag: "a", PID: "p", Message: "hello"},
		},
		{"5424 empty element", `<13>1 - h a p m [x] hello`, seen{Pri: 13, Host: "h", Tag: "a", PID: "p", Message: "hello"}},
		{
			"5424 broken structured data stays", `<13>1 - h a p m [x k="v hello`,
			seen{Pri: 13, Host: "h", Tag: "a", PID: "p", Message: `[x k="v hello`},
		},
		{"5424 no structured data", "<13>1 - h a p m hello", seen{Pri: 13, Host: "h", Tag: "a", PID: "p", Message: "hello"}},
		{"5424 byte order mark", "<13>1 - h a p m - \ufeffhello", seen{Pri: 13, Host: "h", Tag: "a", PID: "p", Message: "hello"}},
		{
			"5424 bytes that are not UTF-8", "<13>1 - h a p m - user m\xfcller from 203.0.113.5",
			seen{Pri: 13, Host: "h", Tag: "a", PID: "p", Message: "user m\xfcller from 203.0.113.5"},
		},
		{"5424 that ends early", "<13>1 - h a", seen{Pri: 13, Host: "h", Tag: "a"}},
		{"no version", "<13>1 hello there", seen{Pri: 13, Message: "1 hello there"}},

		// Cisco
		{
			"IOS", "<187>37972: *Nov 21 01:38:44.613: %SEC_LOGIN-4-LOGIN_FAILED: Login failed [user: x] [Source: 203.0.113.5]",
			seen{Pri: 187, Tag: "%SEC_LOGIN-4-LOGIN_FAILED", Stamp: "2026-11-21T01:38:44.613Z", Message: "Login failed [user: x] [Source: 203.0.113.5]"},
		},
		{
			"IOS with host and zone", "<187>37972: r1: .Nov 21 01:38:44 CET: %SYS-5-CONFIG_I: x",
			seen{Pri: 187, Host: "r1", Tag: "%SYS-5-CONFIG_I", Stamp: "2026-11-21T01:38:44Z", Message: "x"},
		},
		{
			"IOS without a number", "<187>*Nov 21 01:38:44: %SYS-5-CONFIG_I: x",
			seen{Pri: 187, Tag: "%SYS-5-CONFIG_I", Stamp: "2026-11-21T01:38:44Z", Message: "x"},
		},
		{"IOS uptime", "<187>37972: 1w2d: %SYS-5-CONFIG_I: x", seen{Pri: 187, Tag: "%SYS-5-CONFIG_I", Message: "x"}},
		{"IOS uptime clock", "<187>37972: 00:12:34: %SYS-5-CONFIG_I: x", seen{Pri: 187, Tag: "%SYS-5-CONFIG_I", Message: "x"}},
		{
			"CUCM", "<187>12: cucm1: Nov 21 2026 01:38:44.613 UTC: %UC_AUDITLOG-4-AdministrativeEvent: %[UserID=x]: y",
			seen{Pri: 187, Host: "cucm1", Tag: "%UC_AUDITLOG-4-AdministrativeEvent", Stamp: "2026-11-21T01:38:44.613Z", Message: "%[UserID=x]: y"},
		},
		{"ASA", "<166>Nov 21 2026 01:38:44: %ASA-6-302013: Built", seen{Pri: 166, Tag: "%ASA-6-302013", Stamp: "2026-11-21T01:38:44Z", Message: "Built"}},
		{
			"ASA with host", "<166>Nov 21 2026 01:38:44 fw1 : %ASA-6-302013: Built",
			seen{Pri: 166, Host: "fw1", Tag: "%ASA-6-302013", Stamp: "2026-11-21T01:38:44Z", Message: "Built"},
		},
		{"ASA without a stamp", "<166>%ASA-6-302013: Built", seen{Pri: 166, Tag: "%ASA-6-302013", Message: "Built"}},
		{"almost Cisco", "<187>37972: *Nov 21 01:38:44: hello", seen{Pri: 187, Message: "*Nov 21 01:38:44: hello", Tag: "37972"}},

		// No header, or next to none
		{"priority only", "<13>hello there", seen{Pri: 13, Message: "hello there"}},
		{"priority and tag", "<30>dnsmasq[12]: x", seen{Pri: 30, Tag: "dnsmasq", PID: "12", Message: "x"}},
		{"AudioCodes", "<133>[S=643] [SID=1] (N 12) x", seen{Pri: 133, Message: "[S=643] [SID=1] (N 12) x"}},
		{"nothing", "", seen{Pri: -1}},
		{"no header", "hello: there", seen{Pri: -1, Message: "hello: there"}},
		{"Asterisk's message alone", "NOTICE[7820]: chan_sip.c:1 in f: x", seen{Pri: -1, Message: "NOTICE[7820]: chan_sip.c:1 in f: x"}},
		{
			"Asterisk's own file", "[2026-11-23 01:38:44.500] NOTICE[7820] chan_sip.c: x",
			seen{Pri: -1, Stamp: "2026-11-23T01:38:44.5Z", Message: "NOTICE[7820] chan_sip.c: x"},
		},
		{"priority too large", "<192>Nov 23 01:38:44 vm a: x", seen{Pri: -1, Message: "<192>Nov 23 01:38:44 vm a: x"}},
		{"priority not closed", "<13 x", seen{Pri: -1, Message: "<13 x"}},
		{"impossible stamp", "<13>Nov 32 01:38:44 vm a: x", seen{Pri: 13, Message: "Nov 32 01:38:44 vm a: x"}},
		{"a day that does not exist", "<13>Feb 30 01:38:44 vm a: x", seen{Pri: 13, Host: "vm", Tag: "a", Message: "x"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, parse(tc.line)); diff != "" {
				t.Errorf("%q (-want +got):\n%s", tc.line, diff)
			}
		})
	}
}

func TestParseCaps(t *testing.T) {
	got := parse("<38>Nov 23 01:38:44 vm sshd[1]: " + strings.Repeat("x", ingest.MaxMessage+1))
	if len(got.Message) != ingest.MaxMessage || !got.Truncated {
		t.Errorf("%d bytes, truncated %v", len(got.Message), got.Truncated)
	}
}

func TestParseForgetsTheLineBefore(t *testing.T) {
	var p Parser
	var e ingest.Entry
	p.Parse([]byte(`<13>1 - h a p m [x k="v"] message repeated 3 times: [ `+strings.Repeat("x", 900)+"]"), &e)
	if e.Repeat != 3 || !e.Truncated || e.Fields == nil {
		t.Fatalf("first line: repeat %d, truncated %v, fields %v", e.Repeat, e.Truncated, e.Fields)
	}
	p.Parse([]byte("x"), &e)
	if e.Host != nil || e.Identifier != nil || e.ProcID != nil || e.Fields != nil || e.Repeat != 1 || e.Truncated {
		t.Errorf("the second entry has something of the first: %+v", e)
	}
}

func TestFields(t *testing.T) {
	var p Parser
	var e ingest.Entry
	p.Parse([]byte(`<13>1 2026-11-23T01:38:44.123456789Z h a p m [origin ip="203.0.113.5" x.y="dot"][a.b@1 q="\"\]\\"] hello`), &e)
	for name, want := range map[string]string{
		"origin.ip": "203.0.113.5", "origin.x.y": "dot", "a.b@1.q": `"]\`,
	} {
		if got, ok := e.Fields.Field(name); !ok || string(got) != want {
			t.Errorf("%s = %q, %v, want %q", name, got, ok, want)
		}
	}
	for _, name := range []string{"", "origin", "origin.", ".ip", "nothing.here"} {
		if got, ok := e.Fields.Field(name); ok {
			t.Errorf("%q = %q, want none", name, got)
		}
	}
	// What breaks the RFC does not hide a parameter, and what is there twice is in doubt.
	p.Parse([]byte(`<13>1 - h a p m [a b="]\"`+"\xff"+`" c="1" b.c="2" d="3" d="3" e=""][a.b c="4"] hello`), &e)
	for name, want := range map[string]string{"a.b": `]\"` + "\xff", "a.c": "1", "a.e": ""} {
		if got, ok := e.Fields.Field(name); !ok || string(got) != want {
			t.Errorf("%s = %q, %v, want %q", name, got, ok, want)
		}
	}
	for _, name := range []string{"a.d", "a.b.c"} {
		if got, ok := e.Fields.Field(name); ok {
			t.Errorf("%q = %q, and is there twice", name, got)
		}
	}
	p.Parse([]byte(`<13>1 - h a p m [other ip="192.0.2.1"] hello`), &e)
	if got, ok := e.Fields.Field("origin.ip"); ok {
		t.Errorf("the line before still answers: %q", got)
	}
}

func TestFieldAllocatesNothing(t *testing.T) {
	var p Parser
	var e ingest.Entry
	p.Parse([]byte(`<13>1 - h a p m [origin ip="203.0.113.5" x="\""] hello`), &e)
	if n := testing.AllocsPerRun(100, func() { e.Fields.Field("origin.ip"); e.Fields.Field("origin.y") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestParseAllocatesNothing(t *testing.T) {
	for _, tc := range benchLines {
		buf := make([]byte, len(tc.line))
		var p Parser
		var e ingest.Entry
		if n := testing.AllocsPerRun(100, func() { copy(buf, tc.line); p.Parse(buf, &e) }); n != 0 {
			t.Errorf("%s: %v allocations", tc.name, n)
		}
	}
}

const benchMessage = "NOTICE[7820]: chan_sip.c:29058 in handle_request_register: Registration from '<sip:101@192.0.2.10>' failed for '198.51.100.1:52478' - Wrong password"

var benchLines = []struct{ name, line string }{
	{"3164", "<133>Nov 23 01:39:42 vm asterisk[7732]: " + benchMessage},
	{"3339", "<133>2026-11-23T01:39:42.692103+00:00 vm asterisk[7732]: " + benchMessage},
	{"5424", "<133>1 2026-11-23T01:39:42.692103+00:00 vm asterisk 7732 - -  " + benchMessage},
	{"5424 data", `<133>1 2026-11-23T01:39:42.692103+00:00 vm asterisk 7732 - [meta sequenceId="12" x="y"] ` + benchMessage},
	{"local", "<133>Nov 23 01:39:42 asterisk[7732]: " + benchMessage},
	{"cisco", "<187>37972: *Nov 21 01:38:44.613: %SEC_LOGIN-4-LOGIN_FAILED: " + benchMessage},
	{"none", benchMessage},
	{"colours", "<133>Nov 23 01:39:42 vm asterisk[7732]: #033[1;33mNOTICE#033[0m[150]: #033[1;37mchan_sip.c#033[0m:" + benchMessage},
}

func BenchmarkParse(b *testing.B) {
	for _, tc := range benchLines {
		b.Run(tc.name, func(b *testing.B) {
			buf := make([]byte, len(tc.line))
			var p Parser
			var e ingest.Entry
			b.ReportAllocs()
			for b.Loop() {
				copy(buf, tc.line)
				p.Parse(buf, &e)
			}
		})
	}
}

// A parser that has seen the stamp before reads what a new one reads.
func TestLinesOfOneSecond(t *testing.T) {
	var p Parser
	for _, line := range []string{
		"Nov 23 01:38:44 host door[1]: a",
		"Nov 23 01:38:44 host door[1]: a",
		"<13>Nov 23 01:38:44  door: b",
		"Nov 23 01:38:44.5 host door[1]: c",
		"Nov 23 01:38:44",
		"Nov 23 01:38:45 host door[1]: d",
		"Nov 23 01:38:44x host door[1]: e",
	} {
		var got, want ingest.Entry
		gotHeader := p.Parse([]byte(line), &got)
		wantHeader := new(Parser).Parse([]byte(line), &want)
		if diff := cmp.Diff(wantHeader, gotHeader); diff != "" {
			t.Errorf("%s: header (-new +used)\n%s", line, diff)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.AddrPort{})); diff != "" {
			t.Errorf("%s: entry (-new +used)\n%s", line, diff)
		}
	}
}

func TestLeadingStamp(t *testing.T) {
	for msg, want := range map[string]Stamp{
		"[2026-11-23 01:39:42.5] x": {Year: 2026, Month: 11, Day: 23, Hour: 1, Minute: 39, Second: 42, Nanosecond: 5e8, Fractional: true},
		"2026-11-23 01:39:42 x":     {Year: 2026, Month: 11, Day: 23, Hour: 1, Minute: 39, Second: 42},
		"[Nov  3 01:39:42] x":       {Month: 11, Day: 3, Hour: 1, Minute: 39, Second: 42},
		"[Nov 23 01:39:42]":         {Month: 11, Day: 23, Hour: 1, Minute: 39, Second: 42},
		"Nov 23 01:39:42 x":         {}, "[x": {}, "[": {}, "": {}, "[Nov 23": {},
	} {
		if got := LeadingStamp([]byte(msg)); got != want {
			t.Errorf("%q: %+v, want %+v", msg, got, want)
		}
	}
}
