package rules_test

import (
	"bytes"
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"

	"bailiff/rules"
)

// dialects are the ways in which the recording of a real PBX arrives.
var dialects = []struct {
	name     string
	messages func(t *testing.T, dir string) []string
}{
	{"rfc3164", func(t *testing.T, dir string) []string { return syslogLines(t, dir+"rfc3164.lines", "]: ") }},
	{"rfc3339", func(t *testing.T, dir string) []string { return syslogLines(t, dir+"rfc3339.lines", "]: ") }},
	{"rfc5424", func(t *testing.T, dir string) []string { return syslogLines(t, dir+"rfc5424.lines", " - -  ") }},
	{"octet-counted", octetCounted},
	{"files", func(t *testing.T, dir string) []string {
		var out []string
		for _, name := range []string{"messages.log", "security.log"} {
			for _, line := range lines(t, dir+name) {
				if _, rest, ok := strings.Cut(line, "] "); ok && line[0] == '[' {
					out = append(out, rest)
				}
			}
		}
		return out
	}},
}

func lines(t *testing.T, file string) []string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
}

// syslogLines returns what stands behind the header of Asterisk's lines.
func syslogLines(t *testing.T, file, end string) []string {
	t.Helper()
	var out []string
	for _, line := range lines(t, file) {
		if _, rest, ok := strings.Cut(line, " asterisk"); ok {
			if _, message, ok := strings.Cut(rest, end); ok {
				out = append(out, message)
			}
		}
	}
	return out
}

// octetCounted reads the frames of RFC 6587 section 3.4.1; rsyslog sent RFC 5424
// in them.
func octetCounted(t *testing.T, dir string) []string {
	t.Helper()
	data, err := os.ReadFile(dir + "octet-counted.tcp")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for len(data) > 0 {
		count, rest, _ := bytes.Cut(data, []byte(" "))
		n, err := strconv.Atoi(string(count))
		if err != nil || n > len(rest) {
			t.Fatalf("frame %q: %v", count, err)
		}
		if _, tail, ok := strings.Cut(string(rest[:n]), " asterisk "); ok {
			_, message, _ := strings.Cut(tail, " - -  ")
			out = append(out, strings.TrimSuffix(message, "\n"))
		}
		data = rest[n:]
	}
	return out
}

// Eight guesses are eight however Asterisk's lines arrive, and a policy of five
// failures bans those whom the truth about the recording names.
func TestAsteriskAttempts(t *testing.T) {
	const dir = "testdata/asterisk-18/"
	var truth []struct {
		Address string
		Did     string
		Ban     *bool
	}
	data, err := os.ReadFile(dir + "truth.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &truth); err != nil {
		t.Fatal(err)
	}
	// How often each kind of client was refused, as its author had it do.
	refused := map[string]int{
		"wrong-password": 8, "wrong-password-v6": 8, "enumeration": 8, "invite-toll-fraud": 8, "acl-denied": 8, "injection": 8, "ami-wrong-secret": 8,
		"typo-then-good": 2, "distributed-one-guess": 1, "good-phone": 0, "injection-victim": 0, "garbage": 0, "options-scan": 0,
	}
	set := compile(t, embedded(t, "asterisk")...)
	for _, d := range dialects {
		t.Run(d.name, func(t *testing.T) {
			sums := map[string]tally{}
			for _, message := range d.messages(t, dir) {
				for _, m := range read(set, "asterisk", message) {
					if m.Ambiguous() {
						t.Errorf("ambiguous: %s", message)
					}
					if m.Event != rules.Failure {
						continue
					}
					if sums[m.Addr.String()] == nil {
						sums[m.Addr.String()] = tally{}
					}
					sums[m.Addr.String()].add(m)
				}
			}
			for _, a := range truth {
				got := sums[a.Address].attempts()
				if want := refused[a.Did]; got != want {
					t.Errorf("%s (%s): %d attempts, want %d", a.Address, a.Did, got, want)
				}
				if a.Ban != nil && (got >= 5) != *a.Ban {
					t.Errorf("%s (%s): %d attempts, and the truth is ban = %v", a.Address, a.Did, got, *a.Ban)
				}
				delete(sums, a.Address)
			}
			for addr := range sums {
				t.Errorf("%s took no part", addr)
			}
		})
	}
}
