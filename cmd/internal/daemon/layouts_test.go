package daemon

import (
	"bytes"
	"cmp"
	"os"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"bailiff/ingest"
	"bailiff/ingest/ingesttest"
	"bailiff/ingest/syslog"
	"bailiff/rules"
)

// verdict is what matters of a match to whoever may be banned for it.
type verdict struct {
	Rule, Event, Addr, Account, Line string
	Candidates, Count                int
}

// TestCaptureMatchesInEveryLayout wraps each message of the recorded telephone
// exchange in every layout: the same rules match, with the same addresses.
func TestCaptureMatchesInEveryLayout(t *testing.T) {
	text, err := os.ReadFile("../../../rules/testdata/asterisk-18/rfc5424.lines")
	if err != nil {
		t.Fatal(err)
	}
	packs, err := rules.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	read := func(set *rules.Set, e *ingest.Entry) (out []verdict) {
		e.Source, e.Time, e.Received = "pbx", time.Unix(1e9, 0), time.Unix(1e9, 0)
		for _, m := range set.AppendMatches(nil, e) {
			out = append(out, verdict{m.Rule.Pack + "/" + m.Rule.Name, string(m.Event), m.Addr.String(), m.Account, m.Line, len(m.Candidates), m.Count})
		}
		return out
	}
	lines := bytes.Split(bytes.TrimSuffix(text, []byte("\n")), []byte("\n"))
	var want [][]verdict
	matched := 0
	for i := -1; i < len(ingesttest.Layouts); i++ {
		set, err := rules.Compile(packs...) // which knows no sessions yet
		if err != nil {
			t.Fatal(err)
		}
		for n, line := range lines {
			var p syslog.Parser
			var e ingest.Entry
			p.Parse(bytes.Clone(line), &e)
			if i < 0 {
				want = append(want, read(set, &e))
				matched += len(want[n])
				continue
			}
			tag := bytes.Clone(e.Identifier)
			l := &ingesttest.Layouts[i]
			p.Parse(l.Wrap(cmp.Or(l.Tag, string(tag)), "1", string(e.Message)), &e)
			if l.Tag != "" {
				e.Identifier = tag // as the operator says of a source whose lines carry none
			}
			if diff := gocmp.Diff(want[n], read(set, &e)); diff != "" {
				t.Errorf("%s, line %d (-want +got):\n%s", l.Name, n+1, diff)
			}
		}
	}
	if matched < 300 {
		t.Errorf("%d matches in %d lines", matched, len(lines))
	}
}
