package rules

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bailiff/ingest"
)

// gatePack is a pack for a daemon that writes JSON, or fields of the journal.
const gatePack = `
[pack]
name = "gate"
cut = 200
[pack.match]
identifier = ["gated"]
any_unit = true
[pack.types]
level = '(?:warn|error)'

[[rule]]
name = "refused"
event = "failure"
field.level = "<level>"
field.msg = ["login refused", "login of <who:text> refused"]
field."request.remote_ip" = ["<addr>", "<addr>:<port>"]
account = "who"
  [[rule.sample]]
  line = '{"level":"warn","msg":"login refused","request":{"remote_ip":"192.0.2.1","uri":"/?x=192.0.2.9"}}'
  addr = "192.0.2.1"
  [[rule.sample]]
  line = '{"level":"info","msg":"login refused","request":{"remote_ip":"192.0.2.1"}}'
  match = false

[[rule]]
name = "journal"
event = "failure"
pattern = "refused"
account = "user"
[rule.field]
GATE_USER = "<user:text>"
GATE_PEER = "<addr>"
_COMM = "gated"
  [[rule.sample]]
  line = "refused"
  addr = "192.0.2.1"
  account = "x"
  [rule.sample.field]
  GATE_USER = "x"
  GATE_PEER = "192.0.2.1"
  _COMM = "gated"

[[rule]]
name = "said"
event = "failure"
pattern = "<addr> refused by <text>"
field.origin.ip = "<ip>"

[[rule]]
name = "drill"
event = "ignore"
field.msg = "login of drill refused"

[[rule]]
name = "proxied"
event = "failure"
field.msg = "via"
field.client = "<addr>"
[[rule]]
name = "proxied-direct"
event = "failure"
field.msg = "via"
field.peer = "<addr>"

[[rule]]
name = "relayed"
event = "failure"
field.hops = "<text> by <addr>"
[[rule]]
name = "other"
event = "info"
field._COMM = "other"
[[rule]]
name = "note"
event = "info"
field.GATE_NOTE = "<text>"
`

// given is fields of an entry.
type given map[string]string

func (g given) Field(name string) (value []byte, ok bool) {
	v, ok := g[name]
	return []byte(v), ok
}

func TestFields(t *testing.T) {
	set := compiled(t, parse(t, gatePack))
	other := entry("gated", `{"level":"x","msg":"x","hops":"x","client":"192.0.2.3","request":{"remote_ip":"192.0.2.3"}}`)
	long := strings.Repeat("x", 200)
	for _, c := range []struct {
		name, msg string
		fields    given
		truncated bool
		want      *outcome
	}{
		{name: "JSON", msg: `{"level":"warn","msg":"login refused","request":{"remote_ip":"192.0.2.1"}}`, want: &outcome{Rule: "gate/refused", Addr: "192.0.2.1"}},
		{name: "behind the cookie", msg: `@cee: {"level":"warn","msg":"login refused","request":{"remote_ip":"192.0.2.1"}}`, want: &outcome{Rule: "gate/refused", Addr: "192.0.2.1"}},
		{name: "in text", msg: `x {"level":"warn","msg":"login refused","request":{"remote_ip":"192.0.2.1"}}`},
		{name: "text behind it", msg: `{"level":"warn","msg":"login refused","request":{"remote_ip":"192.0.2.1"}} x`},
		{
			name: "an account that needs escapes", msg: `{"level":"error","msg":"login of \"b\u00f6b\" refused","request":{"remote_ip":"[2001:db8::1]:7"}}`,
			want: &outcome{Rule: "gate/refused", Addr: "2001:db8::1", Account: `"böb"`},
		},
		{
			name: "addresses elsewhere", msg: `{"level":"warn","msg":"login of 192.0.2.7 refused","request":{"remote_ip":"192.0.2.1","x":"192.0.2.9"},"remote_ip":"192.0.2.8"}`,
			want: &outcome{Rule: "gate/refused", Addr: "192.0.2.1", Account: "192.0.2.7"},
		},
		{name: "a member in a string", msg: `{"level":"warn","msg":"login refused","x":"\"request\":{\"remote_ip\":\"192.0.2.9\"}"}`},
		{name: "a member twice", msg: `{"level":"warn","msg":"login refused","request":{"remote_ip":"192.0.2.1","remote_ip":"192.0.2.1"}}`},
		{name: "a condition does not hold", msg: `{"level":"info","msg":"login refused","request":{"remote_ip":"192.0.2.1"}}`},
		{name: "a field is missing", msg: `{"msg":"login refused","request":{"remote_ip":"192.0.2.1"}}`},
		{name: "more than an address", msg: `{"level":"warn","msg":"login refused","request":{"remote_ip":"192.0.2.1, 192.0.2.2"}}`},
		{name: "no address", msg: `{"level":"warn","msg":"login refused","request":{"remote_ip":"@"}}`},
		{name: "truncated", truncated: true, msg: `{"level":"warn","msg":"login refused","request":{"remote_ip":"192.0.2.1"}}`},
		{
			name: "longer than the daemon cuts, and whole", msg: `{"level":"warn","msg":"login refused","request":{"remote_ip":"192.0.2.1"},"x":"` + long + `"}`,
			want: &outcome{Rule: "gate/refused", Addr: "192.0.2.1"},
		},
		{name: "a value as long as the daemon cuts", msg: `{"hops":"` + long[:200-13] + ` by 192.0.2.1"}`},
		{name: "and one byte less", msg: `{"hops":"` + long[:200-14] + ` by 192.0.2.1"}`, want: &outcome{Rule: "gate/relayed", Addr: "192.0.2.1"}},
		{
			name: "fields of the entry first", fields: given{"request.remote_ip": "192.0.2.2"}, msg: `{"level":"warn","msg":"login refused","request":{"remote_ip":"192.0.2.1"}}`,
			want: &outcome{Rule: "gate/refused", Addr: "192.0.2.2"},
		},
		{
			name: "fields alone", fields: given{"request.remote_ip": "192.0.2.2", "level": "warn", "msg": "login refused"},
			want: &outcome{Rule: "gate/refused", Addr: "192.0.2.2"},
		},
		{
			name: "journal", msg: "refused", fields: given{"GATE_USER": "bob", "GATE_PEER": "192.0.2.1", "_COMM": "gated"},
			want: &outcome{Rule: "gate/journal", Addr: "192.0.2.1", Account: "bob"},
		},
		{
			name: "an empty field", msg: "refused", fields: given{"GATE_USER": "", "GATE_PEER": "192.0.2.1", "_COMM": "gated"},
			want: &outcome{Rule: "gate/journal", Addr: "192.0.2.1"},
		},
		{name: "another message", msg: "refused ", fields: given{"GATE_USER": "bob", "GATE_PEER": "192.0.2.1", "_COMM": "gated"}},
		{name: "without fields", msg: "refused"},
		{name: "a field of the journal is no member", msg: `{"GATE_NOTE":"x","hops":"y"}`},
		{name: "of the entry it is", fields: given{"GATE_NOTE": "x"}, want: &outcome{Rule: "gate/note"}},
		{name: "a trusted field is no member", msg: `{"_COMM":"other"}`},
		{name: "of the journal it is", fields: given{"_COMM": "other"}, want: &outcome{Rule: "gate/other"}},
		{name: "the address in the message", msg: "192.0.2.1 refused by y", fields: given{"origin.ip": "192.0.2.9"}, want: &outcome{Rule: "gate/said", Addr: "192.0.2.1"}},
		{name: "and it must be there", msg: "gate refused by y", fields: given{"origin.ip": "192.0.2.9"}},
		{name: "and not behind a cut", truncated: true, msg: "192.0.2.1 refused by y", fields: given{"origin.ip": "192.0.2.9"}},
		{name: "and the field too", msg: "192.0.2.1 refused by y"},
		{
			name: "ignored", msg: `{"level":"warn","msg":"login of drill refused","request":{"remote_ip":"192.0.2.1"}}`,
			want: &outcome{Rule: "gate/drill"},
		},
		{name: "one of two rules", msg: `{"msg":"via","client":"192.0.2.1"}`, want: &outcome{Rule: "gate/proxied", Addr: "192.0.2.1"}},
		{
			name: "two rules that read two addresses", msg: `{"msg":"via","client":"192.0.2.1","peer":"192.0.2.2"}`,
			want: &outcome{Rule: "gate/proxied", Candidates: []string{"192.0.2.1", "192.0.2.2"}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := entry("gated", c.msg)
			e.Truncated = c.truncated
			if c.fields != nil {
				e.Fields = c.fields
			}
			var want []outcome
			if c.want != nil {
				want = []outcome{*c.want}
			}
			for range 2 { // what was looked up for one entry is not there for the next
				if diff := cmp.Diff(want, outcomes(set.AppendMatches(nil, e))); diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
				if got := set.AppendMatches(nil, other); got != nil {
					t.Errorf("another entry matches: %v", got)
				}
			}
		})
	}
	if diff := cmp.Diff([]string{"GATE_NOTE", "GATE_PEER", "GATE_USER", "_COMM"}, set.Fields()); diff != "" {
		t.Errorf("fields (-want +got)\n%s", diff)
	}
}

// What a rule of fields nearly read is counted, and so is JSON that hides its fields.
func TestFieldNearMisses(t *testing.T) {
	for _, c := range []struct {
		name, msg string
		truncated bool
		near      bool
	}{
		{name: "no address", msg: `{"msg":"via","client":"@"}`, near: true},
		{name: "no field for it", msg: `{"msg":"via"}`, near: true},
		{name: "another condition does not hold", msg: `{"msg":"for","client":"@"}`},
		{name: "a rule of the address alone", msg: `{"hops":"x"}`},
		{name: "broken", msg: `{"msg":"via","client":"192.0.2.1"`, near: true},
		{name: "cut", msg: `{"msg":"via","client":"192.0.2.1"}`, truncated: true, near: true},
		{name: "text", msg: `via 192.0.2.1`},
		{name: "read", msg: `{"msg":"via","client":"192.0.2.1"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			set := compiled(t, parse(t, gatePack))
			e := entry("gated", c.msg)
			e.Truncated = c.truncated
			set.AppendMatches(nil, e)
			if got := set.NearMisses(); (len(got) == 1) != c.near {
				t.Errorf("near misses %v", got)
			}
		})
	}
}

// Who is shown a match sees what it was made by.
func TestFieldsAreEvidence(t *testing.T) {
	set := compiled(t, parse(t, gatePack))
	e := entry("gated", "refused")
	e.Fields = given{"_COMM": "gated", "GATE_USER": strings.Repeat("x", 1000), "GATE_PEER": "192.0.2.1", "OTHER": "x"}
	want := "refused GATE_PEER=192.0.2.1 _COMM=gated GATE_USER=" + strings.Repeat("x", MaxEvidence)
	if got := set.AppendMatches(nil, e); len(got) != 1 || got[0].Line != want[:len("refused")+MaxEvidence/2] {
		t.Errorf("got %+v", got)
	}
	e.Fields = given{"_COMM": "gated", "GATE_USER": "x", "GATE_PEER": "192.0.2.1", "OTHER": "x"}
	if got := set.AppendMatches(nil, e); len(got) != 1 || got[0].Line != "refused GATE_PEER=192.0.2.1 _COMM=gated GATE_USER=x" {
		t.Errorf("got %+v", got)
	}
	e = entry("gated", `{"level":"warn","msg":"login refused","request":{"remote_ip":"192.0.2.1"}}`)
	if got := set.AppendMatches(nil, e); len(got) != 1 || got[0].Line != string(e.Message) {
		t.Errorf("got %+v", got)
	}
}

func TestFieldSamples(t *testing.T) {
	if err := parse(t, gatePack).Check(); err != nil {
		t.Error(err)
	}
	wrong := strings.Replace(gatePack, `  GATE_PEER = "192.0.2.1"`, `  GATE_PEER = "192.0.2.2"`, 1)
	want := []string{`35: rule journal: sample "refused GATE_PEER=192.0.2.2 GATE_USER=x _COMM=gated" has address 192.0.2.2, not 192.0.2.1`}
	if diff := cmp.Diff(want, told(t, parse(t, wrong).Check())); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestFieldErrors(t *testing.T) {
	head := "[pack]\nname = \"gate\"\n[pack.match]\nidentifier = [\"gated\"]\n[[rule]]\nname = \"r\"\nevent = \"failure\"\n"
	for _, c := range []struct {
		name, doc string
		want      []string
	}{
		{"placeholder", "field.x = \"<addr>\"\nfield.y = \"<wrod>\"\n", []string{`9: rule r: unknown placeholder type "wrod"; did you mean "word"?`}},
		{"two addresses", "field.x = \"<addr>\"\nfield.\"y.z\" = \"<addr>\"\n", []string{"9: rule r: <addr> stands in field.x and field.y.z; take <ip> for an address that is not the peer's"}},
		{"in the message too", "pattern = \"<addr>\"\nfield.x = \"<addr>\"\n", []string{"9: rule r: <addr> stands in pattern and field.x; take <ip> for an address that is not the peer's"}},
		{"in one alternative", "field.x = [\"x\", \"<addr>\"]\n", []string{"8: rule r: some alternatives have <addr> and some have not; make a rule of each kind"}},
		{"no address", "field.x = \"x\"\n", []string{"8: rule r: a rule for event failure needs the address; put <addr> where the daemon prints the peer"}},
		{"no account", "field.x = \"<addr>\"\naccount = \"who\"\n", []string{`9: rule r: no pattern has a placeholder "who"; write <who:text> where the account stands`}},
		{"two accounts", "field.x = \"<addr>\"\naccount = \"who\"\npattern = \"<who:text>\"\nfield.y = \"<who:text>\"\n", []string{
			`11: rule r: placeholder "who" stands in pattern and field.y; leave it out of all but one`,
		}},
		{"a name that is journald's", "field.x = \"<addr>\"\nfield._msg = \"x\"\n", []string{
			`9: rule r: field "_msg" is none of the journal's, and no other begins with _; take a field that the daemon sets itself`,
		}},
		{"no name", "field.x = \"<addr>\"\nfield.\"\" = \"x\"\n", []string{`9: rule r: a field has no name; write field.NAME = "pattern"`}},
		{"a long name", "field.x = \"<addr>\"\nfield." + strings.Repeat("x", 257) + " = \"x\"\n", []string{`9: rule r: the name of field "xxxxxxxxxxxxxxxxxxxx"… is longer than 256 bytes`}},
		{"no pattern", "field.x = \"<addr>\"\nfield.y = []\n", []string{"9: rule r: the field has no pattern; write <text> for a field that may be anything"}},
		{"a number", "field.x = 1\n", []string{"8: rule r: want a string or an array of strings"}},
		{"no table", "field = \"x\"\n", []string{`8: rule r: want a table of fields; write field.NAME = "pattern"`}},
		{"a sample", "field.x = \"<addr>\"\n[[rule.sample]]\nfield.x = [\"x\", \"y\"]\nmatch = false\n", []string{"10: rule r: a field of a sample has one value, not 2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse("door.toml", []byte(head+c.doc))
			if err == nil {
				t.Fatal("it loads")
			}
			if diff := cmp.Diff(c.want, told(t, err)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestFieldsCostNoMemory(t *testing.T) {
	set := compiled(t, parse(t, gatePack))
	plain := entry("gated", "a line of text, "+strings.Repeat("x", 100))
	json := entry("gated", `{"level":"warn","msg":"login of \"x\" refused","request":{"remote_ip":"@","x":[1,2,{"y":"\u00e9"}]}}`)
	fields := entry("gated", "refused")
	fields.Fields = given{"_COMM": "gated"}
	var dst []Match
	for _, e := range []*ingest.Entry{plain, json} {
		if n := testing.AllocsPerRun(100, func() { dst = set.AppendMatches(dst[:0], e) }); n != 0 || len(dst) != 0 {
			t.Errorf("%s: %v allocations, %d matches", e.Message, n, len(dst))
		}
	}
	if set.groups["gated"].search(plain.Message) != nil {
		t.Error("a line of text has candidates")
	}
}

// Whoever may add members to a message cannot choose the address: a member that is
// there twice is not there.
func TestAddedMembersDoNotChoose(t *testing.T) {
	set := compiled(t, parse(t, gatePack))
	const line = `{"level":"warn",%s"msg":"login refused",%s"request":{%s"remote_ip":"192.0.2.1"%s}%s}`
	for _, added := range []string{
		`"remote_ip":"192.0.2.9"`, `"request":{"remote_ip":"192.0.2.9"}`, `"request.remote_ip":"192.0.2.9"`, `"\u0072equest":{"remote_ip":"192.0.2.9"}`,
		`"request":["192.0.2.9"]`, `"x":"","y":"\",\"remote_ip\":\"192.0.2.9"`, `"remote_ip\u0000":"192.0.2.9"`,
	} {
		for i := range 5 {
			parts := []any{"", "", "", "", ""}
			if parts[i] = added + ","; i > 2 {
				parts[i] = "," + added
			}
			e := entry("gated", fmt.Sprintf(line, parts...))
			for _, m := range set.AppendMatches(nil, e) {
				if m.Addr.String() != "192.0.2.1" {
					t.Errorf("%s: %v %v", e.Message, m.Addr, m.Candidates)
				}
			}
		}
	}
}
