package syslog

import (
	"bytes"
	"cmp"
	"os"
	"path/filepath"
	"testing"

	"bailiff/ingest"
	"bailiff/ingest/ingesttest"
)

const captureDir = "../../rules/testdata/asterisk-18"

func readCapture(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(captureDir, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestCaptureIsOneInAllDialects holds that rsyslog's four ways to forward a
// message end in the same entry.
func TestCaptureIsOneInAllDialects(t *testing.T) {
	split := func(name string) (lines [][]byte) {
		return bytes.Split(bytes.TrimSuffix(readCapture(t, name), []byte("\n")), []byte("\n"))
	}
	dialects := map[string][][]byte{
		"rfc3164": split("rfc3164.lines"),
		"rfc3339": split("rfc3339.lines"),
		"rfc5424": split("rfc5424.lines"),
	}
	in := newFrames(bytes.NewReader(readCapture(t, "octet-counted.tcp")))
	for {
		frame, fate := in.next()
		if fate == ended {
			break
		}
		if fate != whole {
			t.Fatalf("frame %d has fate %d", len(dialects["octet-counted"])+1, fate)
		}
		dialects["octet-counted"] = append(dialects["octet-counted"], bytes.Clone(frame))
	}

	type label struct{ host, tag, pid, message string }
	parsed := map[string][]label{}
	var p Parser
	var e ingest.Entry
	for name, lines := range dialects {
		for _, line := range lines {
			p.Parse(line, &e)
			parsed[name] = append(parsed[name], label{string(e.Host), string(e.Identifier), string(e.ProcID), string(e.Message)})
		}
	}
	want := parsed["rfc3164"]
	if len(want) != 857 {
		t.Fatalf("%d lines in the capture, want 857", len(want))
	}
	for name, got := range parsed {
		if len(got) != len(want) {
			t.Errorf("%s: %d lines, want %d", name, len(got), len(want))
			continue
		}
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("%s line %d:\n%+v, want\n%+v", name, i+1, got[i], want[i])
			}
		}
	}
	for i, l := range want {
		if l.host != "vm" || l.tag != "asterisk" && l.tag != "rsyslogd" || l.message == "" {
			t.Errorf("line %d is not understood: %+v", i+1, l)
		}
	}
}

// TestCaptureInEveryLayout wraps each message of the recorded telephone exchange in
// every layout and gets it back, whole.
func TestCaptureInEveryLayout(t *testing.T) {
	lines := bytes.Split(bytes.TrimSuffix(readCapture(t, "rfc5424.lines"), []byte("\n")), []byte("\n"))
	for _, line := range lines {
		var p Parser
		var want, got ingest.Entry
		p.Parse(line, &want)
		for i := range ingesttest.Layouts {
			l := &ingesttest.Layouts[i]
			p.Parse(l.Wrap(cmp.Or(l.Tag, string(want.Identifier)), cmp.Or(string(want.ProcID), "1"), string(want.Message)), &got)
			if !bytes.Equal(got.Message, want.Message) || l.Tag == "" && !bytes.Equal(got.Identifier, want.Identifier) || got.Dialect != l.Dialect {
				t.Errorf("%s: %q[%q] %q, want %q %q", l.Name, got.Identifier, got.ProcID, got.Message, want.Identifier, want.Message)
			}
		}
	}
	if len(lines) != 857 {
		t.Errorf("%d lines in the capture, want 857", len(lines))
	}
}
