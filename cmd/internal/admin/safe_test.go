package admin

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestSafe(t *testing.T) {
	const md5a, md5b = "0cc175b9c0f1b6a831c399e269772661", "92EB5FFEE6AE2FEC3AD71C777531578F"
	tests := []struct{ name, in, want string }{
		{"nothing to do", "Failed password for root from 203.0.113.9 port 4 ssh2", "Failed password for root from 203.0.113.9 port 4 ssh2"},
		{"empty", "", ""},
		{"letters of any script", "пользователь 用户 ü", "пользователь 用户 ü"},
		{"backslash is text", `C:\new`, `C:\new`},
		{"control", "a\x1b[2Jb\r\n\x00\x7f", `a\x1b[2Jb\r\n\x00\x7f`},
		{"C1 control", "a\u009b2Jb", `a\u009b2Jb`},
		{"bidi", "a\u202eb\u2066c\u200f", `a\u202eb\u2066c\u200f`},
		{"line separator", "a\u2028b", `a\u2028b`},
		{"invisible", "a\u200bb\ufeff", `a\u200bb\ufeff`},
		{"invalid bytes", "a\xffb\xc3", `a\xffb\xc3`},
		{"the replacement character itself is valid", "a\ufffdb", "a\ufffdb"},
		{
			"security event", `RemoteAddress="IPV4/UDP/203.0.113.9/5060",Challenge="5a1c",Response="` + md5a + `",ExpectedResponse=""`,
			`RemoteAddress="IPV4/UDP/203.0.113.9/5060",Challenge="***",Response="***",ExpectedResponse=""`,
		},
		{"chan_sip event", `ReceivedChallenge="aa",ReceivedHash="bb"`, `ReceivedChallenge="***",ReceivedHash="***"`},
		{"short value of a header", `Digest nonce="1/2",cnonce=x, response=abc)`, `Digest nonce="***",cnonce=***, response=***)`},
		{
			"IAX2 pair", "Host 203.0.113.9 failed MD5 authentication for 'bob' (" + md5a + " != " + md5b + ")",
			"Host 203.0.113.9 failed MD5 authentication for 'bob' (*** != ***)",
		},
		{"open quote hides one word", `Response="abc from 203.0.113.9`, `Response="*** from 203.0.113.9`},
		{"ends behind the sign", "response=", "response="},
		{"31 digits are no digest", md5a[1:], md5a[1:]},
		{"a digest and an escape", md5a + "\x07", `***\a`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Safe(tt.in); got != tt.want {
				t.Errorf("Safe(%q)\n got %q\nwant %q", tt.in, got, tt.want)
			}
		})
	}
}

func FuzzSafe(f *testing.F) {
	f.Add("plain")
	f.Add("\x1b]0;x\x07 \u202e \xff Response=\"abc\" nonce=")
	f.Add(strings.Repeat("a0", 40))
	f.Fuzz(func(t *testing.T, in string) {
		out := Safe(in)
		if !utf8.ValidString(out) {
			t.Fatalf("%q: invalid UTF-8", out)
		}
		digits := 0
		for _, r := range out {
			if !unicode.IsPrint(r) || unicode.Is(unicode.Bidi_Control, r) {
				t.Fatalf("Safe(%q) holds %U", in, r)
			}
		}
		for i := range len(in) {
			if isHex(in[i]) {
				digits++
			} else {
				digits = 0
			}
			if digits == digestLength && strings.Contains(out, in[i+1-digits:i+1]) {
				t.Fatalf("Safe(%q) shows a digest", in)
			}
		}
	})
}
