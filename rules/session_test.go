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

// dirPack is a pack for daemons that name the client on one line and the failure on
// another.
const dirPack = `
[pack]
name = "dir"
cut = 200
session_time = "5m"
[pack.match]
identifier = ["dird", "dirproxy"]
unit = ["dird*.service"]

[[rule]]
name = "accept"
event = "info"
pattern = ["conn=<conn:int> ACCEPT from <addr>:<port>", "conn=<conn:int> ACCEPT via <text> of <addr> <text>", "conn=<conn:int> ACCEPT again"]
bind = "conn"
[[rule]]
name = "bind"
event = "info"
pattern = "conn=<conn:int> BIND dn=<dn:quoted>"
account = "dn"
bind = "conn"
[[rule]]
name = "refused"
event = "failure"
pattern = ["conn=<conn:int> err=49", "conn=<conn:int> err=49 text=<text>"]
session = "conn"
  [[rule.sample]]
  before = ["conn=7 ACCEPT from 192.0.2.1:99", 'conn=7 BIND dn=cn=bob']
  line = "conn=7 err=49"
  addr = "192.0.2.1"
  account = "cn=bob"
  [[rule.sample]]
  line = "conn=7 err=49"
[[rule]]
name = "refused-user"
event = "failure"
pattern = "conn=<conn:int> refused <user:word>"
account = "user"
session = "conn"
unless.addr = "192.0.2.0/25"
[[rule]]
name = "refused-near"
event = "info"
pattern = "conn=<conn:int> refused <word>"
session = "conn"
[[rule]]
name = "seen"
event = "failure"
pattern = ["conn=<conn:int> at <addr> failed", "at <addr> failed <text> conn=<conn:int>."]
session = "conn"
[[rule]]
name = "seen-then"
event = "failure"
pattern = "at <addr> conn=<conn:int> failed<text>"
session = "conn"
[[rule]]
name = "closed"
event = "info"
pattern = "conn=<conn:int> closed"
session = "conn"
end = true
[[rule]]
name = "note"
event = "info"
pattern = "<text>err=49 text=<text>at <addr>"

[[rule]]
name = "hello"
event = "info"
identifier = ["dirproxy"]
pattern = "hello <addr> at <text> of <id:word>"
bind = ["pid", "id"]
[[rule]]
name = "bye"
event = "failure"
pattern = "bye of <id:word>"
session = ["pid", "id"]

[[rule]]
name = "call"
event = "info"
pattern = "call <cid:word> from <addr>"
bind = "cid"
[[rule]]
name = "recall"
event = "info"
pattern = "recall <cid:int> from <addr>"
bind = "cid"
[[rule]]
name = "caller"
event = "info"
pattern = "call <cid:word> by <who:text>"
account = "who"
bind = "cid"
[[rule]]
name = "rejected"
event = "failure"
pattern = "call <cid:word> rejected"
session = "cid"

[[rule]]
name = "from-json"
event = "info"
field.remote = "<addr>"
field.ctx = "c<ctx:int>"
field.user = "<user:text>"
account = "user"
bind = "ctx"
[[rule]]
name = "json"
event = "failure"
field.msg = "failed"
field.ctx = "c<ctx:int>"
session = "ctx"
[[rule]]
name = "two-keys"
event = "failure"
pattern = ["<text>conn <conn:int> <text>", "lost <conn:int> or <int>", "lost <int> or <conn:int>"]
session = "conn"
`

// dirEntry makes an entry of a line. Words before the line and a bar change it:
// "host=b pid=7 | line".
func dirEntry(t testing.TB, text string) *ingest.Entry {
	t.Helper()
	e := entry("dird", text)
	e.Source, e.Host, e.ProcID = "udp", []byte("a"), []byte("1")
	e.Peer = netip.MustParseAddrPort("198.51.100.1:514")
	e.Time = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	head, line, ok := strings.Cut(text, " | ")
	if !ok {
		return e
	}
	e.Message = []byte(line)
	for word := range strings.FieldsSeq(head) {
		name, v, _ := strings.Cut(word, "=")
		switch name {
		case "host":
			e.Host = []byte(v)
		case "source":
			e.Source = v
		case "peer":
			e.Peer = netip.MustParseAddrPort(v)
		case "proc":
			e.ProcID = []byte(v)
		case "as":
			e.Identifier = []byte(v)
		case "at":
			d, err := time.ParseDuration(v)
			if err != nil {
				t.Fatal(err)
			}
			e.Time = e.Time.Add(d)
		case "unit":
			e.Vouched, e.Unit, e.UID, e.PID, e.Peer = true, []byte(v), 0, 500, netip.AddrPort{}
		case "pid":
			if _, err := fmt.Sscan(v, &e.PID); err != nil {
				t.Fatal(err)
			}
		case "cut":
			e.Truncated = true
		case "open":
			e.Spoofable = true
		default:
			t.Fatalf("what is %s?", word)
		}
	}
	return e
}

func TestSessions(t *testing.T) {
	const accept = "conn=7 ACCEPT from 192.0.2.1:99"
	long := strings.Repeat("x", 200)
	refused := func(addr, account string) []outcome {
		return []outcome{{Rule: "dir/refused", Addr: addr, Account: account}}
	}
	rule := func(rule, addr string) []outcome { return []outcome{{Rule: "dir/" + rule, Addr: addr}} }
	for _, c := range []struct {
		name    string
		lines   []string // all but the last are before it
		want    []outcome
		unbound uint64
	}{
		{"the address", []string{accept, "conn=7 err=49"}, refused("192.0.2.1", ""), 0},
		{"and the account", []string{accept, `conn=7 BIND dn=cn=bob`, "conn=7 err=49"}, refused("192.0.2.1", "cn=bob"), 0},
		{"used twice", []string{accept, "conn=7 err=49", "conn=7 err=49"}, refused("192.0.2.1", ""), 0},
		{"another session", []string{accept, "conn=8 err=49"}, refused("", ""), 1},
		{"none", []string{"conn=7 err=49"}, refused("", ""), 1},
		{"the account of none", []string{`conn=7 BIND dn=cn=bob`, "conn=7 err=49"}, refused("", "cn=bob"), 1},
		{"the last account", []string{accept, `conn=7 BIND dn=cn=bob`, `conn=7 BIND dn=cn=eve`, "conn=7 err=49"}, refused("192.0.2.1", "cn=eve"), 0},
		{"begun again", []string{accept, `conn=7 BIND dn=cn=bob`, "conn=7 ACCEPT from 192.0.2.2:99", "conn=7 err=49"}, refused("192.0.2.2", ""), 0},
		{"a line that says nothing of it", []string{accept, `conn=7 BIND dn=cn=bob`, "conn=7 ACCEPT again", "conn=7 err=49"}, refused("192.0.2.1", "cn=bob"), 0},
		{"two sessions", []string{accept, "conn=8 ACCEPT from 192.0.2.2:99", "conn=7 err=49"}, refused("192.0.2.1", ""), 0},
		{"its own account", []string{"conn=7 ACCEPT from 192.0.2.200:99", `conn=7 BIND dn=cn=bob`, "conn=7 refused eve"}, []outcome{{Rule: "dir/refused-user", Addr: "192.0.2.200", Account: "eve"}}, 0},
		{"its own address", []string{accept, `conn=7 BIND dn=cn=bob`, "conn=7 at 192.0.2.9 failed"}, []outcome{{Rule: "dir/seen", Addr: "192.0.2.9", Account: "cn=bob"}}, 0},
		{"its own address, without a session", []string{"conn=7 at 192.0.2.9 failed"}, rule("seen", "192.0.2.9"), 0},

		{"an exception for the address", []string{accept, "conn=7 refused eve"}, rule("refused-near", "192.0.2.1"), 0},
		{"no exception without an address", []string{"conn=7 refused eve"}, []outcome{{Rule: "dir/refused-user", Account: "eve"}}, 1},
		{"an exception for one of two addresses", []string{"conn=7 ACCEPT via x of 192.0.2.2 of 192.0.2.200 y", "conn=7 refused eve"}, []outcome{{Rule: "dir/refused-user", Candidates: []string{"192.0.2.2", "192.0.2.200"}, Account: "eve"}}, 0},

		{"ended", []string{accept, "conn=7 closed", "conn=7 err=49"}, refused("", ""), 1},
		{"at its end", []string{accept, "conn=7 closed"}, rule("closed", "192.0.2.1"), 0},
		{"the end of none", []string{"conn=7 closed"}, rule("closed", ""), 0},
		{"begun after the end", []string{accept, "conn=7 closed", accept, "conn=7 err=49"}, refused("192.0.2.1", ""), 0},

		{"another host", []string{accept, "host=b | conn=7 err=49"}, refused("", ""), 1},
		{"two hosts", []string{accept, "host=b | conn=7 ACCEPT from 192.0.2.2:99", "conn=7 err=49"}, refused("192.0.2.1", ""), 0},
		{"another source", []string{accept, "source=tcp | conn=7 err=49"}, refused("", ""), 1},
		{"two sources", []string{accept, "source=tcp | conn=7 ACCEPT from 192.0.2.2:99", "conn=7 err=49"}, refused("192.0.2.1", ""), 0},
		{"another sender", []string{accept, "peer=198.51.100.2:514 | conn=7 err=49"}, refused("", ""), 1},
		{"two senders", []string{accept, "peer=198.51.100.2:514 | conn=7 ACCEPT from 192.0.2.2:99", "conn=7 err=49"}, refused("192.0.2.1", ""), 0},
		{"another port of the sender", []string{accept, "peer=198.51.100.1:999 | conn=7 err=49"}, refused("192.0.2.1", ""), 0},
		{"no sender", []string{"peer=[::]:0 | " + accept, "conn=7 err=49"}, refused("", ""), 1},
		{"another process", []string{accept, "proc=2 | conn=7 err=49"}, refused("192.0.2.1", ""), 0},
		{"another daemon of the machine", []string{"unit=dird@1.service | " + accept, "unit=dird@2.service | conn=7 err=49"}, refused("", ""), 1},
		{"the same", []string{"unit=dird@1.service | " + accept, "unit=dird@1.service | conn=7 err=49"}, refused("192.0.2.1", ""), 0},
		{"vouched for and not", []string{"unit=dird.service peer=198.51.100.1:514 | " + accept, "conn=7 err=49"}, refused("", ""), 1},

		{"forged", []string{"unit=session-3.scope | " + accept, "unit=dird.service | conn=7 err=49"}, refused("", ""), 1},
		{"forged afterwards", []string{"unit=dird.service | " + accept, "unit=session-3.scope | conn=7 ACCEPT from 192.0.2.2:99", "unit=dird.service | conn=7 err=49"}, refused("192.0.2.1", ""), 0},
		{"a forged end", []string{"unit=dird.service | " + accept, "unit=session-3.scope | conn=7 closed", "unit=dird.service | conn=7 err=49"}, refused("192.0.2.1", ""), 0},
		{"a forged use", []string{"unit=dird.service | " + accept, "unit=session-3.scope | conn=7 err=49"}, nil, 0},

		{"as long as it lasts", []string{accept, "at=5m | conn=7 err=49"}, refused("192.0.2.1", ""), 0},
		{"and longer", []string{accept, "at=5m1ns | conn=7 err=49"}, refused("", ""), 1},
		{"heard of meanwhile", []string{accept, "at=4m | conn=7 err=49", "at=8m | conn=7 err=49"}, refused("192.0.2.1", ""), 0},
		{"an account does not revive it", []string{accept, "at=6m | conn=7 BIND dn=x", "at=6m | conn=7 err=49"}, refused("", "x"), 1},
		{"a line that was late", []string{"at=1m | " + accept, "conn=7 err=49"}, refused("192.0.2.1", ""), 0},
		{"a clock that was set back", []string{"at=6m | " + accept, "conn=7 err=49"}, refused("", ""), 1},

		{"ambiguous from the beginning", []string{"conn=7 ACCEPT via x of 192.0.2.1 of 192.0.2.2 y", "conn=7 err=49"}, []outcome{{Rule: "dir/refused", Candidates: []string{"192.0.2.1", "192.0.2.2"}}}, 0},
		{"ambiguous, and begun again", []string{"conn=7 ACCEPT via x of 192.0.2.1 of 192.0.2.2 y", accept, "conn=7 err=49"}, refused("192.0.2.1", ""), 0},
		{"an exception for both addresses", []string{"conn=7 ACCEPT via x of 192.0.2.1 of 192.0.2.2 y", "conn=7 refused eve"}, []outcome{{Rule: "dir/refused-near", Candidates: []string{"192.0.2.1", "192.0.2.2"}}}, 0},
		{"a line of two addresses", []string{accept, "conn=7 err=49 text=at 192.0.2.2"}, []outcome{{Rule: "dir/refused", Candidates: []string{"192.0.2.2", "192.0.2.1"}}}, 0},
		{"of twice the same", []string{accept, "conn=7 err=49 text=at 192.0.2.1"}, refused("192.0.2.1", ""), 0},
		{"another rule's address alone", []string{"conn=7 err=49 text=at 192.0.2.2"}, refused("", ""), 1},

		{"several values", []string{"as=dirproxy | hello 192.0.2.1 at x of q1", "bye of q1"}, rule("bye", "192.0.2.1"), 0},
		{"another value", []string{"as=dirproxy | hello 192.0.2.1 at x of q1", "bye of q2"}, rule("bye", ""), 1},
		{"of another process", []string{"as=dirproxy | hello 192.0.2.1 at x of q1", "proc=2 | bye of q1"}, rule("bye", ""), 1},
		{"of no process", []string{"as=dirproxy proc= | hello 192.0.2.1 at x of q1", "proc= | bye of q1"}, rule("bye", ""), 1},
		{"the process that journald names", []string{"unit=dird.service proc=5 as=dirproxy | hello 192.0.2.1 at x of q1", "unit=dird.service proc=6 | bye of q1"}, rule("bye", "192.0.2.1"), 0},
		{"another one, by journald", []string{"unit=dird.service as=dirproxy | hello 192.0.2.1 at x of q1", "unit=dird.service pid=501 | bye of q1"}, rule("bye", ""), 1},
		{"none, by journald", []string{"unit=dird.service pid=-1 as=dirproxy | hello 192.0.2.1 at x of q1", "unit=dird.service pid=-1 | bye of q1"}, rule("bye", ""), 1},
		{"two readings of the value", []string{"as=dirproxy | hello 192.0.2.1 at x of q1 of q2", "bye of q2"}, rule("bye", "192.0.2.1"), 0},

		{"a stranger's key", []string{"call k from 192.0.2.1", "call k rejected"}, rule("rejected", "192.0.2.1"), 0},
		{"twice the same client", []string{"call k from 192.0.2.1", "call k from 192.0.2.1", "call k rejected"}, rule("rejected", "192.0.2.1"), 0},
		{"two clients", []string{"call k from 192.0.2.1", "call k from 192.0.2.2", "call k rejected"}, []outcome{{Rule: "dir/rejected", Candidates: []string{"192.0.2.1", "192.0.2.2"}}}, 0},
		{"a number that a stranger may choose too", []string{"call 7 from 192.0.2.1", "recall 7 from 192.0.2.2", "call 7 rejected"}, []outcome{{Rule: "dir/rejected", Candidates: []string{"192.0.2.1", "192.0.2.2"}}}, 0},
		{"no way back", []string{"call k from 192.0.2.1", "call k from 192.0.2.2", "call k from 192.0.2.1", "call k rejected"}, []outcome{{Rule: "dir/rejected", Candidates: []string{"192.0.2.1", "192.0.2.2"}}}, 0},
		{"but by time", []string{"call k from 192.0.2.1", "at=6m | call k from 192.0.2.2", "at=6m | call k rejected"}, rule("rejected", "192.0.2.2"), 0},
		{"an account", []string{"call k from 192.0.2.1", "call k by bob", "call k rejected"}, []outcome{{Rule: "dir/rejected", Addr: "192.0.2.1", Account: "bob"}}, 0},
		{"two accounts", []string{"call k from 192.0.2.1", "call k by bob", "call k by eve", "call k rejected"}, rule("rejected", "192.0.2.1"), 0},
		{"two accounts and one again", []string{"call k from 192.0.2.1", "call k by bob", "call k by eve", "call k by bob", "call k rejected"}, rule("rejected", "192.0.2.1"), 0},

		{"fields", []string{`{"remote":"192.0.2.1","ctx":"c12","user":"bob"}`, `{"msg":"failed","ctx":"c12"}`}, []outcome{{Rule: "dir/json", Addr: "192.0.2.1", Account: "bob"}}, 0},
		{"another field", []string{`{"remote":"192.0.2.1","ctx":"c12","user":"bob"}`, `{"msg":"failed","ctx":"c1"}`}, rule("json", ""), 1},
		{"a name of another kind", []string{accept, `{"msg":"failed","ctx":"c7"}`}, rule("json", ""), 1},

		{"one key", []string{accept, "conn 7 failed"}, rule("two-keys", "192.0.2.1"), 0},
		{"two keys", []string{accept, "conn=8 ACCEPT from 192.0.2.2:99", "conn 7 failed, conn 8 as well"}, rule("two-keys", ""), 1},
		{"two alternatives with a key each", []string{accept, "lost 8 or 7"}, rule("two-keys", ""), 1},
		{"two alternatives with one key", []string{accept, "lost 7 or 7"}, rule("two-keys", "192.0.2.1"), 0},
		{"a key twice", []string{accept, "conn 7 failed, conn 7 as well"}, rule("two-keys", ""), 1},

		{"cut behind the key", []string{accept, "cut | conn=7 err=49 text=" + long}, refused("192.0.2.1", ""), 0},
		{"cut, and the key may have been longer", []string{accept, "cut | conn=7 err=49"}, nil, 0},
		{"cut behind the address, and the key may have been longer", []string{accept, "cut | at 192.0.2.9 conn=7 failed" + long[:92-26-1]}, nil, 0},
		{"cut behind the address, and the key is whole", []string{accept, "cut | at 192.0.2.9 conn=7 failed" + long[:92-26]}, rule("seen-then", "192.0.2.9"), 0},
		{"as long as the daemon cuts", []string{accept, "conn=7 err=49 text=" + long}, refused("192.0.2.1", ""), 0},
		{"cut, and the key may have moved", []string{accept, "cut | conn 7 failed " + long}, nil, 0},
		{"a beginning that was cut", []string{accept, "cut | conn=7 ACCEPT via x of 192.0.2.2 y", "conn=7 err=49"}, refused("192.0.2.1", ""), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			set := compiled(t, parse(t, dirPack))
			var got []Match
			for i, line := range c.lines {
				if got = set.AppendMatches(nil, dirEntry(t, line)); i == len(c.lines)-1 {
					break
				}
			}
			if diff := cmp.Diff(c.want, outcomes(got)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			var unbound uint64
			for _, n := range set.Sessions() {
				unbound += n.Unbound
			}
			if unbound != c.unbound {
				t.Errorf("%d unbound, want %d", unbound, c.unbound)
			}
		})
	}
}

// An address that came over an open path does not get better by a line that did not.
func TestSessionIsAsSpoofableAsItsLines(t *testing.T) {
	for _, c := range []struct {
		name  string
		lines []string
		want  bool
	}{
		{"neither", []string{"conn=7 ACCEPT from 192.0.2.1:99", "conn=7 err=49"}, false},
		{"the address", []string{"open | conn=7 ACCEPT from 192.0.2.1:99", "conn=7 err=49"}, true},
		{"the account", []string{"conn=7 ACCEPT from 192.0.2.1:99", "open | conn=7 BIND dn=x", "conn=7 err=49"}, true},
		{"the use", []string{"conn=7 ACCEPT from 192.0.2.1:99", "open | conn=7 err=49"}, true},
		{"an address before", []string{"open | conn=7 ACCEPT from 192.0.2.1:99", "conn=7 ACCEPT from 192.0.2.1:99", "conn=7 err=49"}, false},
		{"one of two", []string{"open | call k from 192.0.2.1", "call k from 192.0.2.2", "call k rejected"}, true},
		{"the other", []string{"call k from 192.0.2.1", "open | call k from 192.0.2.2", "call k rejected"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			set := compiled(t, parse(t, dirPack))
			var got []Match
			for _, line := range c.lines {
				got = set.AppendMatches(nil, dirEntry(t, line))
			}
			if len(got) != 1 || got[0].Spoofable != c.want {
				t.Errorf("got %+v, want spoofable %t", got, c.want)
			}
		})
	}
}
