package rules

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bailiff/ingest"
)

// wardPack is a pack that others replace and extend.
const wardPack = `
[pack]
name = "door"
[pack.match]
identifier = ["doord"]
unit = ["doord.service"]
[pack.types]
lock = "[a-z]+"
[[rule]]
name = "wrong-key"
event = "failure"
pattern = "wrong key for <lock> from <addr>"
  [[rule.sample]]
  line = "wrong key for cellar from 192.0.2.7"
  addr = "192.0.2.7"
[[rule]]
name = "knock"
event = "info"
pattern = "knock from <addr>"
`

// dir is a rules directory.
type dir struct {
	*testing.T
	path string
}

func newDir(t *testing.T) dir {
	path := t.TempDir()
	if err := os.Chmod(path, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir{t, path}
}

func (d dir) write(name, data string, mode fs.FileMode) {
	d.Helper()
	path := filepath.Join(d.path, name)
	if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
		d.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		d.Fatal(err)
	}
}

// doors is a library of the one pack door.
func doors(t *testing.T) *Library {
	t.Helper()
	p, err := Parse("shipped/door.toml", []byte(wardPack))
	if err != nil {
		t.Fatal(err)
	}
	return &Library{Packs: []*Pack{p}}
}

func TestAddDir(t *testing.T) {
	d := newDir(t)
	d.write("b.toml", wardPack, 0o644)
	d.write("a.toml", strings.Replace(wardPack, `"door"`, `"gate"`, 1), 0o600)
	d.write("c.toml.bak", "not read", 0o666)
	d.write(".d.toml", "not read", 0o666)
	l := new(Library)
	if err := l.AddDir(d.path); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range l.Packs {
		names = append(names, p.Name+" "+filepath.Base(p.File))
	}
	if diff := cmp.Diff([]string{"gate a.toml", "door b.toml"}, names); diff != "" {
		t.Error(diff)
	}

	d.write("b.toml", wardPack, 0o664)
	d.write("e.toml", "[pack]", 0o600)
	if err := errors.Join(
		os.Mkdir(filepath.Join(d.path, "f.toml"), 0o700),
		os.Symlink("nowhere", filepath.Join(d.path, "g.toml")),
		syscall.Mkfifo(filepath.Join(d.path, "h.toml"), 0o600), // nobody will ever write into it
	); err != nil {
		t.Fatal(err)
	}
	err := new(Library).AddDir(d.path)
	for _, want := range []string{
		"b.toml: mode 0664 lets others than the owner write to it", "e.toml:1: ",
		"f.toml: not a regular file", "g.toml: no such file or directory", "h.toml: not a regular file",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("not all errors told: %v, want %q", err, want)
		}
	}
	if err := os.Chmod(d.path, 0o777); err != nil {
		t.Fatal(err)
	}
	if err = new(Library).AddDir(d.path); err == nil || !strings.Contains(err.Error(), "mode 0777") {
		t.Errorf("a directory of everybody's: %v", err)
	}
	if err = new(Library).AddDir(filepath.Join(d.path, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
}

// An operator's pack replaces a shipped one in its place, and one that is older
// than what it hides is named.
func TestReplace(t *testing.T) {
	for _, c := range []struct {
		name          string
		own, embedded int
		stale         bool
	}{
		{"older", 1, 2, true}, {"same", 2, 2, false}, {"newer", 3, 2, false}, {"without version", 0, 1, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := doors(t)
			l.Packs[0].Version = c.embedded
			d := newDir(t)
			d.write("mine.toml", strings.Replace(wardPack, "[pack]", fmt.Sprintf("[pack]\nversion = %d", c.own), 1), 0o600)
			if err := l.AddDir(d.path); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(d.path, "mine.toml")
			if len(l.Packs) != 1 || l.Packs[0].File != file {
				t.Errorf("packs: %v", l.Packs)
			}
			var want []Stale
			if c.stale {
				want = []Stale{{"door", file, c.own, c.embedded}}
			}
			if diff := cmp.Diff(want, l.Stale); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTwoOfOneName(t *testing.T) {
	d := newDir(t)
	d.write("a.toml", wardPack, 0o600)
	d.write("b.toml", wardPack, 0o600)
	err := new(Library).AddDir(d.path)
	if err == nil || !strings.Contains(err.Error(), "b.toml:") || !strings.Contains(err.Error(), "a.toml") {
		t.Errorf("two packs of one name: %v", err)
	}
}

// What extends a pack adds its rules before that one's, and has its types,
// identifiers and trust.
func TestExtend(t *testing.T) {
	d := newDir(t)
	d.write("1.toml", `
[pack]
extends = "door"
disable = ["knock"]
[pack.types]
tool = "[a-z]+"
[[rule]]
name = "lockpick"
event = "failure"
pattern = "lockpick <tool> in <lock> at <addr>"
  [[rule.sample]]
  line = "lockpick hook in cellar at 192.0.2.9"
  addr = "192.0.2.9"
`, 0o600)
	d.write("0-second.toml", `
[pack]
extends = "door"
[[rule]]
name = "crowbar"
event = "failure"
pattern = "crowbar at <addr>"
`, 0o600)
	l := doors(t)
	if err := l.AddDir(d.path); err != nil {
		t.Fatal(err)
	}
	p := l.Pack("door")
	var names []string
	for _, r := range p.Rules {
		names = append(names, r.String())
	}
	if diff := cmp.Diff([]string{"door/lockpick", "door/crowbar", "door/wrong-key"}, names); diff != "" {
		t.Error(diff)
	}
	set, err := Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		unit string
		want int
	}{{"doord.service", 1}, {"evil.service", 0}} {
		e := &ingest.Entry{Identifier: []byte("doord"), Message: []byte("lockpick hook in cellar at 192.0.2.9"), Vouched: true, Unit: []byte(c.unit)}
		if got := len(set.AppendMatches(nil, e)); got != c.want {
			t.Errorf("%d matches from %s, want %d", got, c.unit, c.want)
		}
	}
}

func TestExtendErrors(t *testing.T) {
	const rule = "[[rule]]\nname = \"r\"\nevent = \"failure\"\npattern = \"<addr> \"\n"
	for _, c := range []struct {
		name, doc string
		want      []string
	}{
		{"no such pack", "[pack]\nextends = \"dor\"\n" + rule, []string{`2: there is no pack "dor" to extend; did you mean "door"?`}},
		{"another name", "[pack]\nname = \"gate\"\nextends = \"door\"\n" + rule, []string{`2: a pack that extends another has that one's name; leave name out`}},
		{"trust of its own", "[pack]\nextends = \"door\"\n[pack.match]\nunit = [\"x\"]\n" + rule, []string{
			"3: whose journal entries are believed is said by the pack that is extended; write [pack.door] with unit = [...] in the configuration",
		}},
		{"no such rule", "[pack]\nextends = \"door\"\ndisable = [\"knok\"]\n", []string{`3: unknown rule "knok"; did you mean "knock"?`}},
		{"a rule that is there", "[pack]\nextends = \"door\"\n" + strings.Replace(rule, `"r"`, `"knock"`, 1), []string{
			`4: rule knock: the pack that is extended has a rule of that name; choose another name, or write disable = ["knock"] to replace it`,
		}},
		{"a type that is there", "[pack]\nextends = \"door\"\n[pack.types]\nlock = \"x\"\n" + rule, []string{
			`4: <lock> is there already, in the pack that is extended; choose another name`,
		}},
		{"disable alone", "[pack]\nname = \"gate\"\ndisable = [\"knock\"]\nmatch.identifier = [\"g\"]\n" + rule, []string{
			`3: there is nothing to disable rules of; write extends = "NAME" for the pack whose rules these are`,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := doors(t).Parse("door.toml", []byte(c.doc))
			if diff := cmp.Diff(c.want, told(t, err)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A rule that takes a sample away from the pack it extends is told of, and loads: a
// new sample of a shipped pack must not keep an operator's file from loading.
func TestExtendTakesSample(t *testing.T) {
	d := newDir(t)
	d.write("1.toml", "[pack]\nextends = \"door\"\n[[rule]]\nname = \"all\"\nevent = \"ignore\"\npattern = \"<text>\"\n", 0o600)
	l := doors(t)
	if err := l.AddDir(d.path); err != nil {
		t.Fatal(err)
	}
	taken := l.Pack("door").Taken()
	if len(taken) == 0 {
		t.Fatal("nothing told")
	}
	for _, e := range taken {
		if !strings.HasSuffix(e.File, "1.toml") || e.Line != 3 || e.Rule != "all" || !strings.Contains(e.Msg, "of shipped/door.toml and takes") {
			t.Errorf("told: %v", e)
		}
	}
}

// An ignore rule of the pack comes before all others. One that takes a sample of what
// extends the pack is an error: the file does not do what its author shows.
func TestExtendLosesSample(t *testing.T) {
	base, err := Parse("shipped/door.toml", []byte(wardPack+"[[rule]]\nname = \"noise\"\nevent = \"ignore\"\npattern = \"hinge <text>\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	l := &Library{Packs: []*Pack{base}}
	p, err := l.Parse("own.toml", []byte("[pack]\nextends = \"door\"\n[[rule]]\nname = \"hinge\"\nevent = \"failure\"\npattern = \"hinge of <addr>\"\n"+
		"  [[rule.sample]]\n  line = \"hinge of 192.0.2.7\"\n  addr = \"192.0.2.7\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	err = p.Check()
	if err == nil || !strings.Contains(err.Error(), "own.toml:8: rule hinge:") || !strings.Contains(err.Error(), "matched by rule noise") {
		t.Errorf("nothing told: %v", err)
	}
	if taken := p.Taken(); taken != nil {
		t.Errorf("taken: %v", taken)
	}
}

func TestRehome(t *testing.T) {
	l := doors(t)
	shipped := l.Packs[0]
	l.Rehome("door", []string{"my-*.service"})
	l.Rehome("none", nil)
	believes := func(p *Pack, unit string) bool {
		return p.trust.believes(&ingest.Entry{Vouched: true, Unit: []byte(unit)})
	}
	if p := l.Packs[0]; !believes(p, "my-door.service") || believes(p, "doord.service") {
		t.Error("the pack was not re-homed")
	}
	if !believes(shipped, "doord.service") {
		t.Error("the pack that others share was changed")
	}
}
