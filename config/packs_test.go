package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestResolveNamesTheUnknownPack(t *testing.T) {
	c, err := Parse("b.toml", []byte("[jail.a]\npacks = [\n  'sshd',\n  'asterix',\n  'qqqqq',\n]\n[pack.ssh]\nunit = ['x']\n"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Resolve([]string{"sshd", "asterisk"}, nil)
	want := `b.toml:4: jail.a.packs: there is no pack "asterix"
b.toml:5: jail.a.packs: there is no pack "qqqqq"
b.toml:7: pack.ssh: there is no pack "ssh"`
	if fmt.Sprint(err) != want {
		t.Errorf("Resolve = %v, want\n%s", err, want)
	}
	var errs Errors
	if !errors.As(err, &errs) || errs.Hint() != "did you mean \"asterisk\"?\nbailiff rules lists them\ndid you mean \"sshd\"?" {
		t.Errorf("hints: %q", errs.Hint())
	}
	_, err = Default().Resolve([]string{"sshd"}, nil)
	if !strings.Contains(fmt.Sprint(err), "built-in configuration: jail.pbx.packs") {
		t.Errorf("Resolve of the built-in configuration = %v", err)
	}
}

// "*" is every pack that no jail names, whichever jail says it, but for optional
// ones ("probes").
func TestOthers(t *testing.T) {
	known := []string{"door", "gate", "sshd", "wall"}
	for _, c := range []struct {
		name, doc string
		want      map[string][]string
	}{
		{"alone", "[jail.a]\npacks = ['*']\n", map[string][]string{"a": known}},
		{"an optional one that is named", "[jail.a]\npacks = ['*', 'probes']\n", map[string][]string{"a": append(slices.Clone(known), "probes")}},
		{"beside others", "[jail.a]\npacks = ['sshd']\n[jail.b]\npacks = ['gate', '*', 'sshd']\n", map[string][]string{
			"a": {"sshd"}, "b": {"gate", "door", "wall", "sshd"},
		}},
		{"a jail that is off names its packs too", "[jail.a]\nenabled = false\npacks = ['sshd']\n[jail.b]\npacks = ['*']\n", map[string][]string{
			"a": {"sshd"}, "b": {"door", "gate", "wall"},
		}},
		{"two jails", "[jail.a]\npacks = ['*']\n[jail.b]\npacks = ['*', 'gate']\n", map[string][]string{
			"a": {"door", "sshd", "wall"}, "b": {"door", "sshd", "wall", "gate"},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			conf, err := Parse("b.toml", []byte(c.doc))
			if err != nil {
				t.Fatal(err)
			}
			r, err := conf.Resolve(append(known, "probes"), known)
			if err != nil {
				t.Fatal(err)
			}
			got := map[string][]string{}
			for _, j := range r.Jails {
				got[j.Name] = j.Packs
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
			if first := conf.Jails[0].Packs[0]; first != Others && first != "sshd" {
				t.Errorf("Resolve changed the configuration: %v", conf.Jails)
			}
		})
	}
}

func TestPackTables(t *testing.T) {
	c, err := Parse("b.toml", []byte("[pack.asterisk]\nunit = ['my-pbx.service', 'pbx-*.service']\n"))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string][]string{"asterisk": {"my-pbx.service", "pbx-*.service"}}, c.Units); d != "" {
		t.Error(d)
	}
	_, err = Parse("b.toml", []byte("[pack.a]\nunit = ['[']\n[pack.b]\nunits = ['x']\n[pack.c]\nunit = 'x'\n"))
	want := `b.toml:2: pack.a.unit[0]: "[" is no glob of units
b.toml:3: pack.b: the table says nothing
b.toml:4: pack.b.units: unknown key
b.toml:6: pack.c.unit: want an array of strings, not a string`
	if fmt.Sprint(err) != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}
