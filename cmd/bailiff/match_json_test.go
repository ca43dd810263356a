package main

import (
	"encoding/json"
	"net/netip"
	"testing"
	"unicode"

	"bailiff/rules"
)

func TestMatchJSON(t *testing.T) {
	rule := &rules.Rule{Pack: "sshd", Name: "failed-password", Service: "ssh", Witness: "main"}
	addr := netip.MustParseAddr("203.0.113.9")
	tests := []struct {
		name string
		got  []byte
		want string
	}{
		{
			"match", matchJSON{}.appendMatch(nil, 12, &rules.Match{Rule: rule, Addr: addr, Account: `a"b\c` + "\x1b\u202e\U000e0001ü"}),
			`{"line":12,"pack":"sshd","rule":"failed-password","event":"failure","addr":"203.0.113.9",` +
				`"account":"a\"b\\c\u001b\u202e\udb40\udc01ü","service":"ssh","witness":"main","ambiguous":false}`,
		},
		{
			"ambiguous", matchJSON{}.appendMatch(nil, 1, &rules.Match{Rule: rule, Event: rules.Failure, Candidates: []netip.Addr{addr, netip.MustParseAddr("2001:db8::1")}}),
			`{"line":1,"pack":"sshd","rule":"failed-password","event":"failure","addr":null,` +
				`"account":"","service":"ssh","witness":"main","ambiguous":true,"candidates":["203.0.113.9","2001:db8::1"]}`,
		},
		{
			"miss", matchJSON{}.appendMiss(nil, 3, []byte("x")),
			`{"line":3,"pack":null,"rule":null,"event":null,"addr":null,"account":null,"service":null,"witness":null,"ambiguous":false}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(tt.got); got != tt.want+"\n" || !json.Valid(tt.got) {
				t.Errorf("\n got %swant %s", got, tt.want)
			}
		})
	}
}

// Whatever an attacker calls himself, the JSON is valid, gives the name back, and
// does nothing to a terminal.
func FuzzAppendString(f *testing.F) {
	f.Add("root")
	f.Add("\x1b\"\\\xff\u202e\U000e0001\ufffd")
	f.Fuzz(func(t *testing.T, s string) {
		out := appendString(nil, s)
		for _, r := range string(out) {
			if !unicode.IsPrint(r) {
				t.Fatalf("%q holds %U", out, r)
			}
		}
		var got, want string
		if err := json.Unmarshal(out, &got); err != nil {
			t.Fatal(err)
		}
		plain, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(plain, &want); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Fatalf("%q became %q, encoding/json makes it %q", s, got, want)
		}
	})
}
