package admin

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// masked stands where a digest stood.
const masked = "***"

// digestKeys are the ends of names whose value lets a password be tried
// offline: the SIP digest in Asterisk's security events (Challenge, Response,
// ExpectedResponse, ReceivedChallenge, ReceivedHash: main/security_events.c) and in an
// Authorization header (nonce, cnonce, response).
var digestKeys = []string{"response", "challenge", "hash", "nonce"}

// digestLength is the shortest run of hexadecimal digits that is taken for a
// digest: MD5, as chan_iax2 prints a pair of ("failed MD5 authentication for
// … (… != …)").
const digestLength = 32

// Safe returns text from a log as it may be shown to a person: control, bidi
// and other unprintable characters and invalid bytes are escaped (\n, \x1b,
// \u202e), and digests are masked. The result holds printable characters only.
func Safe(s string) string {
	s = maskDigests(s)
	clean := 0
	for clean < len(s) && ' ' <= s[clean] && s[clean] <= '~' {
		clean++
	}
	if clean == len(s) {
		return s
	}
	b := append(make([]byte, 0, len(s)+16), s[:clean]...)
	for rest := s[clean:]; rest != ""; {
		r, n := utf8.DecodeRuneInString(rest)
		switch {
		case r == utf8.RuneError && n == 1:
			b = append(b, '\\', 'x', hexDigits[rest[0]>>4], hexDigits[rest[0]&15])
		case strconv.IsPrint(r):
			b = append(b, rest[:n]...)
		default:
			quoted := strconv.AppendQuoteRuneToASCII(nil, r)
			b = append(b, quoted[1:len(quoted)-1]...)
		}
		rest = rest[n:]
	}
	return string(b)
}

const hexDigits = "0123456789abcdef"

// maskDigests masks the values of [digestKeys] and every run of at least
// [digestLength] hexadecimal digits.
func maskDigests(s string) string {
	var b strings.Builder
	kept := 0
	for i := 0; i < len(s); {
		from, to := i, i
		switch {
		case s[i] == '=' && isDigestKey(s[:i]):
			from, to = valueAfter(s, i+1)
		case isHex(s[i]):
			for to < len(s) && isHex(s[to]) {
				to++
			}
			if to-from < digestLength {
				i = to
				continue
			}
		}
		if from == to {
			i++
			continue
		}
		b.WriteString(s[kept:from])
		b.WriteString(masked)
		i, kept = to, to
	}
	if kept == 0 {
		return s
	}
	b.WriteString(s[kept:])
	return b.String()
}

// isDigestKey says whether before ends with the name of a digest, in any case.
func isDigestKey(before string) bool {
	for _, key := range digestKeys {
		if n := len(before) - len(key); n >= 0 && strings.EqualFold(before[n:], key) {
			return true
		}
	}
	return false
}

// valueAfter returns the bounds of the value that starts at i, without its
// quotes. It ends at the first quote, space, comma or parenthesis, which no
// digest holds: a line that opens a quote and never closes it hides one word, not
// the rest of the evidence.
func valueAfter(s string, i int) (from, to int) {
	if i < len(s) && s[i] == '"' {
		i++
	}
	if n := strings.IndexAny(s[i:], " \",;)"); n >= 0 {
		return i, i + n
	}
	return i, len(s)
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
}
