package journald

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMarks(t *testing.T) {
	m := marks{"remote-pbx": someCursor, "a b/%\n": someCursor}
	var p places
	p.restore(nil)
	var text []byte
	for name, cursor := range m {
		p.set([]byte(name), []byte("s=;i=1"))
		text = p.set([]byte(name), []byte(cursor))
	}
	got, err := parseMarks(string(text))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(m, got); diff != "" {
		t.Error(diff)
	}
	var again places
	if diff := cmp.Diff(len(text), len(again.restore(text))); diff != "" {
		t.Error(diff)
	}
	if got := string(again.remove("a b/%\n")); got != "remote-pbx "+someCursor+"\n" {
		t.Errorf("one is left: %q", got)
	}
	if got := string(again.set([]byte("remote-pbx"), []byte("x"))); got != "remote-pbx x\n" {
		t.Errorf("and is set: %q", got)
	}
	for _, bad := range []string{someCursor, "a\n", "a \n", "%zz " + someCursor} {
		if m, err := parseMarks(bad); err == nil {
			t.Errorf("%q is %v, want an error", bad, m)
		}
	}
}

func TestShelfName(t *testing.T) {
	for file, want := range map[string]string{
		"remote-pbx.journal":                         "remote-pbx",
		"remote-pbx@0123-000001-000002.journal":      "remote-pbx",
		"remote-pbx@000613f1-cafe.journal~":          "remote-pbx",
		"remote-C=DE,CN=pbx@home.example.journal":    "remote-C=DE,CN=pbx@home.example",
		"system.journal":                             "",
		"machine/system.journal":                     "machine/",
		"machine/system@0123-000001-000002.journal":  "machine/",
		"machine/user-1000.journal":                  "machine/",
		"machine/user-1000@0123-0001-000002.journal": "machine/",
		"notes.txt":                      "",
		"machine/remote-pbx.journal.tmp": "",
	} {
		if got, _ := shelfName(file); got != want {
			t.Errorf("%s is of %q, want %q", file, got, want)
		}
	}
}

func TestSeen(t *testing.T) {
	var s seen
	at := func(n uint64) position { return position{boot: "x", mono: n, realtime: n, xor: 1, seqnum: n} }
	for n := range uint64(maxSeen) {
		if s.again(at(n)) {
			t.Fatalf("%d was not there before", n)
		}
	}
	copied := at(0)
	copied.seqnumID, copied.seqnum = "another", 7 // numbers are the receiver's
	if !s.again(copied) || !s.again(at(maxSeen-1)) {
		t.Error("what was sent again is not known")
	}
	other := at(5)
	other.xor++
	if s.again(other) {
		t.Error("another line of the same moment passes for one sent again")
	}
	if s.again(at(0)) || len(s.last) > maxSeen {
		t.Errorf("the oldest is remembered; %d in all", len(s.last))
	}
	none := (*seen)(nil)
	if first, second := none.again(at(1)), none.again(at(1)); first || second {
		t.Error("who sees nothing has seen something")
	}
}
