package rules

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bailiff/ingest"
)

// The line of a failure may come before the one that names the client, if the
// pack says so: it is told with that one.
func TestEarlyLines(t *testing.T) {
	const early = "session_time = \"5m\"\nsession_early = \"2s\""
	type said struct {
		after time.Duration
		line  string
	}
	const failed, accepted, named = "conn=7 err=49", "conn=7 ACCEPT from 198.51.100.7:99", "conn=7 BIND dn=cn=bob"
	for _, c := range []struct {
		name    string
		pack    string
		lines   []said
		want    []string // of failures: address and account, with the line that told
		unbound uint64
	}{
		{"in time", early, []said{{0, named}, {0, failed}, {time.Second, accepted}}, []string{"2: 198.51.100.7 cn=bob"}, 0},
		{"twice", early, []said{{0, failed}, {0, failed}, {time.Second, accepted}}, []string{"2: 198.51.100.7 ", "2: 198.51.100.7 "}, 0},
		{"the account stays for what follows", early, []said{{0, named}, {0, accepted}, {0, failed}}, []string{"2: 198.51.100.7 cn=bob"}, 0},
		{"too late", early, []said{{0, failed}, {3 * time.Second, accepted}}, nil, 1},
		{"never", early, []said{{0, failed}, {6 * time.Minute, "conn=8 ACCEPT from 198.51.100.8:99"}}, nil, 1},
		{"another's address", early, []said{{0, failed}, {0, "conn=8 ACCEPT from 198.51.100.8:99"}}, nil, 0},
		{"the pack does not wait", `session_time = "5m"`, []said{{0, failed}, {0, accepted}}, []string{"0: none "}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			set := compiled(t, parse(t, strings.Replace(dirPack, `session_time = "5m"`, c.pack, 1)))
			now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
			var got []string
			for i, s := range c.lines {
				now = now.Add(s.after)
				for _, m := range set.AppendMatches(nil, &ingest.Entry{Source: "test", Identifier: []byte("dird"), Message: []byte(s.line), Time: now}) {
					if m.Event == Failure {
						got = append(got, strings.Replace(fmt.Sprintf("%d: %v %s", i, m.Addr, m.Account), "invalid IP", "none", 1))
						if m.Line != failed {
							t.Errorf("the match has the line %q", m.Line)
						}
					}
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if n := set.Sessions()[0].Unbound; n != c.unbound {
				t.Errorf("%d are unbound, want %d", n, c.unbound)
			}
		})
	}
}

// What waits is bounded: of one session, and of all.
func TestEarlyLinesAreBounded(t *testing.T) {
	table := newSessions(maxSessions)
	at := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	m := &mention{pack: "dir", source: "test", at: at, lasts: time.Minute, early: time.Second}
	held := 0
	for n := range 2 * maxHeld {
		key := sessionKey{byte(n), byte(n >> 8)}
		for range maxWaiting + 1 {
			if table.hold(key, m, Match{Time: at}) {
				held++
			}
		}
	}
	if held != maxHeld || table.held != maxHeld {
		t.Fatalf("%d wait, %d are counted, want %d", held, table.held, maxHeld)
	}
	m.addrs = []netip.Addr{netip.MustParseAddr("198.51.100.7")}
	if n := len(table.bind(sessionKey{}, m)); n != maxWaiting {
		t.Errorf("%d of one session waited, want %d", n, maxWaiting)
	}
	m.addrs, m.at = nil, at.Add(time.Hour)
	for range maxHeld {
		table.clear(m)
	}
	if table.held != 0 || table.counts()[0].Unbound != maxHeld-maxWaiting {
		t.Errorf("%d still wait, and %d are unbound", table.held, table.counts()[0].Unbound)
	}
}
