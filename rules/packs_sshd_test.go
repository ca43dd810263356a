package rules_test

import (
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bailiff/ingest"
	"bailiff/rules"
)

// session is one section of a recording of sshd: what the daemon printed for
// one client, and how many of its attempts it refused.
type session struct {
	name     string
	attempts int
	lines    []recorded
}

type recorded struct {
	uid          int
	tag, message string
}

var recordedLine = regexp.MustCompile(`^(\d+) ([\w-]+)\[\d+\]: (.*)$`)

func readSessions(t *testing.T, file string) []session {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out []session
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSuffix(line, "\n")
		if head, ok := strings.CutPrefix(line, "## "); ok {
			name, n, _ := strings.Cut(head, " | attempts ")
			attempts, err := strconv.Atoi(n)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, session{name: name, attempts: attempts})
			continue
		}
		if m := recordedLine.FindStringSubmatch(line); m != nil {
			uid, _ := strconv.Atoi(m[1])
			s := &out[len(out)-1]
			s.lines = append(s.lines, recorded{uid, m[2], m[3]})
		}
	}
	if len(out) == 0 {
		t.Fatalf("%s: no sessions", file)
	}
	return out
}

var sshClients = []netip.Addr{netip.MustParseAddr("198.51.100.7"), netip.MustParseAddr("2001:db8:1::bad")}

// Each refused attempt of a real client counts once, whatever sshd printed for
// it, and no other address is ever named.
func TestSSHDAttempts(t *testing.T) {
	set := compile(t, embedded(t, "sshd")...)
	for _, file := range []string{"openssh-9.2", "openssh-10.2", "openssh-9.2-cut"} {
		t.Run(file, func(t *testing.T) {
			sessions := readSessions(t, "testdata/sshd/"+file+".log")
			all, refused := tally{}, 0
			for _, s := range sessions {
				one := tally{}
				for _, l := range s.lines {
					for _, m := range read(set, l.tag, l.message) {
						if m.Event != rules.Info && !slices.Contains(sshClients, m.Addr) || m.Ambiguous() {
							t.Errorf("%s: %s names %v %v: %s", s.name, m.Rule, m.Addr, m.Candidates, l.message)
						}
						if m.Event == rules.Failure {
							one.add(m)
							all.add(m)
						}
					}
				}
				if got := one.attempts(); got != s.attempts {
					t.Errorf("%s: %d attempts, want %d", s.name, got, s.attempts)
				}
				refused += s.attempts
			}
			if got := all.attempts(); got > refused {
				t.Errorf("together %d attempts, more than the %d that were refused", got, refused)
			}
		})
	}
}

// Passwords add up over connections, and over connections that fell to other
// methods.
func TestSSHDAttemptsAddUp(t *testing.T) {
	set := compile(t, embedded(t, "sshd")...)
	sessions := readSessions(t, "testdata/sshd/openssh-9.2.log")
	for _, names := range [][]string{
		{"pam password valid 3", "pam password valid 2"},
		{"nopam password valid 3", "nopam password invalid 3"},
		{"pam password valid 1", "pam kbdint valid 3", "pam default methods 3+3"},
		{"keyonly password valid 3", "keyonly password root 2", "keyonly pubkey 4 refused"},
		{"nopam pubkey 4 refused", "nopam pubkey too many keys"},
		{"pamv kbdint valid maxtries", "pamv password valid maxtries"},
	} {
		t.Run(strings.Join(names, " + "), func(t *testing.T) {
			sum, want := tally{}, 0
			for _, name := range names {
				i := slices.IndexFunc(sessions, func(s session) bool { return s.name == name })
				if i < 0 {
					t.Fatalf("no session %q", name)
				}
				want += sessions[i].attempts
				for _, l := range sessions[i].lines {
					for _, m := range read(set, l.tag, l.message) {
						if m.Event == rules.Failure {
							sum.add(m)
						}
					}
				}
			}
			if got := sum.attempts(); got != want {
				t.Errorf("%d attempts, want %d", got, want)
			}
		})
	}
}

// A login that sshd accepted is a success with the account, and connections
// that named no user are nothing.
func TestSSHDEvents(t *testing.T) {
	set := compile(t, embedded(t, "sshd")...)
	sessions := readSessions(t, "testdata/sshd/openssh-9.2.log")
	events := func(name string) map[string]bool {
		i := slices.IndexFunc(sessions, func(s session) bool { return s.name == name })
		if i < 0 {
			t.Fatalf("no session %q", name)
		}
		out := map[string]bool{}
		for _, l := range sessions[i].lines {
			for _, m := range read(set, l.tag, l.message) {
				out[strings.TrimSpace(m.Event.String()+" "+m.Account)] = true
			}
		}
		return out
	}
	for name, want := range map[string]map[string]bool{
		"pam success password":       {"success alice": true},
		"pam success kbd":            {"success alice": true},
		"pamv pubkey agent good 5th": {"info": true, "success alice": true},
		"pam portscan":               {"info": true},
	} {
		got := events(name)
		delete(got, "info alice") // what is shown of an info rule is not decided upon
		if name != "pam portscan" {
			delete(got, "info")
			delete(want, "info")
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// sshd writes the lines that count as root from its own unit. Whoever can write
// to the journal otherwise bans nobody.
func TestSSHDJournalTrust(t *testing.T) {
	set := compile(t, embedded(t, "sshd")...)
	for _, c := range []struct {
		unit string
		uid  int
		want int
	}{
		{"ssh.service", 0, 1},
		{"sshd.service", 0, 1},
		{"ssh@0-192.0.2.10:22-198.51.100.7:40022.service", 0, 1},
		{"sshd@3-192.0.2.10:22-198.51.100.7:40022.service", 0, 1},
		{"ssh.service", 1000, 0}, // a user's shell without pam_systemd
		{"session-3.scope", 0, 0},
		{"session-3.scope", 1000, 0},
		{"user@1000.service", 1000, 0},
		{"", 0, 0},
	} {
		got := set.AppendMatches(nil, &ingest.Entry{
			Source: "journald", Identifier: []byte("sshd"), Vouched: true, Unit: []byte(c.unit), UID: c.uid, PID: 1, Repeat: 1,
			Message: []byte("Failed password for root from 198.51.100.7 port 40022 ssh2"),
		})
		if len(got) != c.want {
			t.Errorf("unit %q uid %d: %d matches, want %d", c.unit, c.uid, len(got), c.want)
		}
	}
}
