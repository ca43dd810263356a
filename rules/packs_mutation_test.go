package rules_test

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"

	"bailiff/rules"
)

// source is a pack as TOML, for tests that change it.
type source struct {
	Pack map[string]any   `toml:"pack"`
	Rule []map[string]any `toml:"rule"`
}

func readSource(t *testing.T, file string) source {
	t.Helper()
	var s source
	if _, err := toml.DecodeFile(file, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// holds says that the pack with these rules loads and that its samples hold.
func (s source) holds(t *testing.T, only ...map[string]any) bool {
	t.Helper()
	var buf bytes.Buffer
	if err := toml.NewEncoder(&buf).Encode(source{s.Pack, only}); err != nil {
		t.Fatal(err)
	}
	p, err := rules.Parse("mutant.toml", buf.Bytes())
	return err == nil && p.Check() == nil
}

// needed returns the rules that the samples of a rule need besides it, without their
// own samples: none for most; one that makes a line ambiguous or names its session;
// or all the others.
func (s source) needed(t *testing.T, rule map[string]any) []map[string]any {
	t.Helper()
	others := []map[string]any{}
	if s.holds(t, rule) {
		return others
	}
	for _, r := range s.Rule {
		if r["name"] == rule["name"] {
			continue
		}
		bare := maps.Clone(r)
		delete(bare, "sample")
		if s.holds(t, bare, rule) {
			return []map[string]any{bare}
		}
		others = append(others, bare)
	}
	return others
}

// alternatives returns the patterns of a rule, and a function that gives a copy
// of the rule in which one of them is another.
func alternatives(rule map[string]any) (patterns []string, with func(i int, p string) map[string]any) {
	switch p := rule["pattern"].(type) {
	case string:
		patterns = []string{p}
	case []any:
		for _, one := range p {
			patterns = append(patterns, one.(string))
		}
	}
	return patterns, func(i int, p string) map[string]any {
		out := map[string]any{}
		maps.Copy(out, rule)
		changed := append([]string{}, patterns...)
		changed[i] = p
		out["pattern"] = changed
		return out
	}
}

// fieldMutants are copies of a rule in which one literal letter of a condition on a
// field is changed, by what was changed.
func fieldMutants(rule map[string]any) map[string]map[string]any {
	flat := map[string]any{}
	var flatten func(prefix string, table map[string]any)
	flatten = func(prefix string, table map[string]any) {
		for name, v := range table {
			if below, ok := v.(map[string]any); ok {
				flatten(prefix+name+".", below)
			} else {
				flat[prefix+name] = v
			}
		}
	}
	table, _ := rule["field"].(map[string]any)
	flatten("", table)
	out := map[string]map[string]any{}
	for name, v := range flat {
		patterns, with := alternatives(map[string]any{"pattern": v})
		for i, p := range patterns {
			for _, m := range mutants(p) {
				mutant, fields := maps.Clone(rule), maps.Clone(flat)
				fields[name] = with(i, m)["pattern"]
				mutant["field"] = fields
				out[name+" = "+m] = mutant
			}
		}
	}
	return out
}

// mutants are a pattern with one literal letter changed: the first, the middle
// and the last.
func mutants(pattern string) []string {
	var literal []int
	for i := 0; i < len(pattern); i++ {
		if pattern[i] == '<' && !strings.HasPrefix(pattern[i:], "<<") {
			i += strings.IndexByte(pattern[i:], '>')
			continue
		}
		if c := pattern[i] | 0x20; c >= 'a' && c <= 'z' {
			literal = append(literal, i)
		}
	}
	var out []string
	if n := len(literal); n > 0 {
		for _, i := range []int{literal[0], literal[n/2], literal[n-1]} {
			out = append(out, pattern[:i]+"~"+pattern[i+1:])
		}
	}
	return out
}

// eachPack runs a test on the file of each shipped pack, one beside the other.
func eachPack(t *testing.T, test func(t *testing.T, file string)) {
	t.Helper()
	files, err := filepath.Glob("packs/*.toml")
	if err != nil || len(files) < 2 {
		t.Fatalf("packs: %v %v", files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".toml"), func(t *testing.T) {
			t.Parallel()
			test(t, file)
		})
	}
}

// Every rule has a sample that matches and one that does not, and no literal of
// any pattern can change without a sample that fails.
func TestSamplesHoldPatterns(t *testing.T) {
	eachPack(t, func(t *testing.T, file string) {
		s := readSource(t, file)
		for _, rule := range s.Rule {
			others := s.needed(t, rule)
			positive, negative := 0, 0
			for _, sample := range rule["sample"].([]map[string]any) {
				if sample["match"] == false {
					negative++
				} else {
					positive++
				}
			}
			if positive == 0 || negative == 0 {
				t.Errorf("%v: %d samples match and %d do not", rule["name"], positive, negative)
			}
			patterns, with := alternatives(rule)
			for i, p := range patterns {
				for _, m := range mutants(p) {
					if s.holds(t, append(others, with(i, m))...) {
						t.Errorf("%v: no sample misses %s", rule["name"], m)
					}
				}
			}
			for what, mutant := range fieldMutants(rule) {
				if s.holds(t, append(others, mutant)...) {
					t.Errorf("%v: no sample misses field %s", rule["name"], what)
				}
			}
		}
	})
}

// The fragments are literals as well: each of their alternatives is in a sample.
func TestSamplesHoldFragments(t *testing.T) {
	eachPack(t, func(t *testing.T, file string) {
		s := readSource(t, file)
		fragments, _ := s.Pack["define"].(map[string]any)
		for name, v := range fragments {
			var users []map[string]any
			for _, rule := range s.Rule {
				patterns, _ := alternatives(rule)
				if strings.Contains(strings.Join(patterns, ""), "<"+name+">") {
					users = append(users, rule)
				}
			}
			list, ok := v.([]any)
			if !ok {
				list = []any{v}
			}
			for i, one := range list {
				for _, m := range mutants(one.(string)) {
					changed := append([]any{}, list...)
					changed[i] = m
					fragments[name] = changed
					if s.holds(t, users...) && s.holds(t, s.Rule...) {
						t.Errorf("%s: no sample misses %s", name, m)
					}
				}
			}
			fragments[name] = v
		}
	})
}

// A pack says where its rules come from: the source file of the daemon.
func TestRulesNameTheirSource(t *testing.T) {
	eachPack(t, func(t *testing.T, file string) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, block := range strings.Split(string(data), "\n[[rule]]\n")[1:] {
			if !strings.HasPrefix(block, "# ") {
				t.Errorf("rule %d does not begin with a comment", i+1)
			}
		}
	})
}
