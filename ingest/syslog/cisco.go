package syslog

import (
	"bytes"

	"bailiff/ingest"
	"bailiff/ingest/sender"
)

// cisco splits what Cisco's systems write behind the priority:
//
//	37972: *Nov 21 01:38:44.613: %SEC_LOGIN-4-LOGIN_FAILED: MSG   IOS
//	37972: HOST: Nov 21 2026 01:38:44.613 UTC: %UC_AUDITLOG-4-…: MSG   CUCM
//	37972: 1w2d: %SYS-5-CONFIG_I: MSG   IOS, uptime instead of a clock
//	Nov 21 2026 01:38:44: %ASA-6-302013: MSG   ASA
//
// The number counts messages; an asterisk or a dot says that the clock is not
// synchronised. A name stands only behind a number: any other word in front of
// a colon is the tag of a program, and what follows it may be an attacker's. All
// of it must be there up to the percent sign, or nothing is taken. The tag
// becomes the Identifier with its percent sign, which no program's name begins
// with.
func cisco(b []byte, h *Header, e *ingest.Entry) (rest []byte, ok bool) {
	i := 0
	for i < len(b) && isDigit(b[i]) {
		i++
	}
	r := b
	numbered := i > 0 && bytes.HasPrefix(b[i:], []byte(": "))
	if numbered {
		r = b[i+2:]
	}
	var host []byte
	s, r, ok := ciscoStamp(r)
	if !ok && numbered {
		host, r, ok = bytes.Cut(r, []byte(": "))
		if !ok || len(host) == 0 || len(host) > maxHost || !allHost(host) {
			return b, false
		}
		s, r, ok = ciscoStamp(r)
	}
	if !ok || len(r) == 0 || r[0] != '%' {
		return b, false
	}
	if rest, ok = cutTag(r, e, false); !ok {
		return b, false
	}
	e.Host, h.Stamp = host, s
	if numbered {
		h.Number = number(sender.CiscoCount, b[:i])
	}
	return rest, true
}

func allHost(b []byte) bool {
	for _, c := range b {
		if !inHost(c) {
			return false
		}
	}
	return true
}

// ciscoStamp takes a stamp, or an uptime, and the ": " behind it from b.
func ciscoStamp(b []byte) (s Stamp, rest []byte, ok bool) {
	r := b
	doubted := len(r) > 0 && (r[0] == '*' || r[0] == '.')
	if doubted {
		r = r[1:]
	}
	s, n := parseBSD(r)
	s.Doubted = doubted && n > 0
	if n > 0 {
		if r = r[n:]; len(r) > 1 && r[0] == ' ' {
			// A zone by name says too little (IST is three).
			r = bytes.TrimLeft(r[1:], "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
		}
	} else {
		// 1w2d or 00:12:34
		end := bytes.Index(r, []byte(": "))
		if end <= 0 || !isDigit(r[0]) || len(bytes.Trim(r[:end], "0123456789:ywdhms")) > 0 {
			return Stamp{}, b, false
		}
		r = r[end:]
	}
	rest, ok = bytes.CutPrefix(r, []byte(": "))
	return s, rest, ok
}
