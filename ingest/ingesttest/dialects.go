package ingesttest

import (
	"fmt"

	"bailiff/ingest"
)

// Layout is one way in which senders write a message.
type Layout struct {
	Name    string
	Dialect ingest.Dialect
	// Format has the tag, the process number and the message, or two of them.
	Format string
	// PID says that the layout carries the process number; Tag is the only tag
	// that it can carry, empty if it takes any.
	PID bool
	Tag string
}

// Wrap writes a message in the layout, without framing.
func (l *Layout) Wrap(tag, pid, message string) []byte {
	return fmt.Appendf(nil, l.Format, tag, pid, message)
}

// Layouts are the layouts with a header, with the message at their end. Whatever the
// message says, a parser must find the tag and the message again, the message as
// Entry.SetMessage cleans it.
var Layouts = []Layout{
	{"3164", ingest.RFC3164, "<133>Nov 23 01:38:44 vm %[1]s[%[2]s]: %[3]s", true, ""},
	{"3164 in a file", ingest.RFC3164, "Nov  3 01:38:44 vm %[1]s[%[2]s]: %[3]s", true, ""},
	{"3164, IPv6 host", ingest.RFC3164, "<133>Nov 23 01:38:44 2001:db8::1 %[1]s[%[2]s]: %[3]s", true, ""},
	{"3164, IPv4 host", ingest.RFC3164, "<133>Nov 23 01:38:44 192.0.2.1 %[1]s[%[2]s]: %[3]s", true, ""},
	{"3164, year", ingest.RFC3164, "<133>Nov 23 2026 01:38:44 vm %[1]s[%[2]s]: %[3]s", true, ""},
	{"3164, fraction", ingest.RFC3164, "<133>Nov 3 01:38:44.613 vm %[1]s[%[2]s]: %[3]s", true, ""},
	{"3164, no pid", ingest.RFC3164, "<133>Nov 23 01:38:44 vm %[1]s: %.0[2]s%[3]s", false, ""},
	{"3164, no colon", ingest.RFC3164, "<133>Nov 23 01:38:44 vm %[1]s[%[2]s] %[3]s", true, ""},
	{"local", ingest.RFC3164, "<133>Nov 23 01:38:44 %[1]s[%[2]s]: %[3]s", true, ""},
	{"local, no pid", ingest.RFC3164, "<133>Nov 23 01:38:44 %[1]s: %.0[2]s%[3]s", false, ""},
	{"3339", ingest.RFC3339, "<133>2026-11-23T01:38:44.613981+00:00 vm %[1]s[%[2]s]: %[3]s", true, ""},
	{"3339 in a file", ingest.RFC3339, "2026-11-23T01:38:44Z vm %[1]s[%[2]s]: %[3]s", true, ""},
	{"3339, no pid", ingest.RFC3339, "<133>2026-11-23T01:38:44.613981-03:30 vm %[1]s: %.0[2]s%[3]s", false, ""},
	{"5424", ingest.RFC5424, "<133>1 2026-11-23T01:38:44.613981+00:00 vm %[1]s %[2]s - - %[3]s", true, ""},
	{"5424, BOM", ingest.RFC5424, "<133>1 2026-11-23T01:38:44.613981+00:00 vm %[1]s %[2]s - - \ufeff%[3]s", true, ""},
	{"5424, BOM in front", ingest.RFC5424, "\ufeff<133>1 2026-11-23T01:38:44Z vm %[1]s %[2]s ID47 - %[3]s", true, ""},
	{"5424 of rsyslog", ingest.RFC5424, "<133>1 2026-11-23T01:38:44.613981+00:00 vm %[1]s %[2]s - -  %[3]s", true, ""},
	{"5424, data", ingest.RFC5424, `<133>1 - 2001:db8::1 %[1]s %[2]s m [a@1 b="]\"]"][c] %[3]s`, true, ""},
	{"5424, data and BOM", ingest.RFC5424, `<133>1 2026-11-23T01:38:44.613981999Z - %[1]s %[2]s - [timeQuality tzKnown="1"] ` + "\ufeff%[3]s", true, ""},
	{"5424, no pid", ingest.RFC5424, "<133>1 2026-11-23T01:38:44Z vm %[1]s - - - %.0[2]s%[3]s", false, ""},
	{"no stamp", ingest.Tagged, "<133>%[1]s[%[2]s]: %[3]s", true, ""},
	{"no stamp, no pid", ingest.Tagged, "<133>%[1]s: %.0[2]s%[3]s", false, ""},
	{"IOS", ingest.Cisco, "<189>37972: *Nov 21 01:38:44.613: %[1]s: %.0[2]s%[3]s", false, "%SEC_LOGIN-4-LOGIN_FAILED"},
	{"IOS, host and zone", ingest.Cisco, "<189>37972: r1.example.com: Nov 21 2026 01:38:44.613 UTC: %[1]s: %.0[2]s%[3]s", false, "%SEC_LOGIN-4-LOGIN_FAILED"},
	{"IOS, uptime", ingest.Cisco, "<189>37972: 1w2d: %[1]s: %.0[2]s%[3]s", false, "%SYS-5-CONFIG_I"},
	{"ASA", ingest.Cisco, "<166>Nov 21 2026 01:38:44: %[1]s: %.0[2]s%[3]s", false, "%ASA-6-113015"},
	{"ASA, host", ingest.RFC3164, "<166>Nov 21 2026 01:38:44 fw1 : %[1]s: %.0[2]s%[3]s", false, "%ASA-6-113015"},
}
