package rules

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

// attackLines is how many lines are made for each rule: a thousand, and more
// where somebody asks for them and waits.
func attackLines(t testing.TB) int {
	if s := os.Getenv("BAILIFF_ATTACK_LINES"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatalf("BAILIFF_ATTACK_LINES: %v", err)
		}
		return n
	}
	if testing.Short() {
		return 1000
	}
	return 10_000
}

// shippedPacks returns the shipped packs with their samples.
func shippedPacks(t testing.TB) []*Pack {
	t.Helper()
	packs, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range packs {
		if packs[i], err = p.whole(); err != nil {
			t.Fatal(err)
		}
	}
	return packs
}

// attackable are the shapes that an attack is made of, and how many each rule
// has.
func attackable(p *Pack) (all, targets []*shape, perRule map[*compiledRule]int) {
	all, perRule = p.shapes(), make(map[*compiledRule]int)
	for _, s := range all {
		if s.charges(all) && s.hostile() {
			targets = append(targets, s)
			perRule[s.rule]++
		}
	}
	return all, targets, perRule
}

// Whatever clients write, and whether or not the types of the pack admit it, no
// line of any shipped rule names anybody but the client.
func TestAttack(t *testing.T) {
	packs := shippedPacks(t)
	set := compiled(t, packs...)
	for _, p := range packs {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			all, targets, perRule := attackable(p)
			a := newAttack(all, 1)
			for _, s := range targets {
				read := 0
				for range max(attackLines(t)/perRule[s.rule], 100) {
					a.line(s)
					switch a.judge(set, s.rule) {
					case forged:
						t.Fatalf("rule %s: %s speaks for %v", s.rule.Name, quote(a.text()), a.named())
					case charged, ambiguous:
						read++
					default: // nothing came of it
					}
				}
				if read == 0 {
					t.Errorf("rule %s, %s: no line is read at all; the last is %s", s.rule.Name, s.source, quote(a.text()))
				}
			}
		})
	}
}

// quote shows both ends of a line.
func quote(line string) string {
	s := strconv.Quote(line)
	if len(s) > 600 {
		s = s[:300] + " ... " + s[len(s)-300:]
	}
	return s
}

// What honest clients do is read by the pack, with the address of the client.
func TestHonestLines(t *testing.T) {
	for _, p := range shippedPacks(t) {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			set := compiled(t, p)
			all, targets, _ := attackable(p)
			a := newAttack(all, 1)
			for _, s := range targets {
				for range 20 {
					a.honest(s)
					if f := a.judge(set, s.rule); f == forged || f == ambiguous {
						t.Errorf("rule %s: fate %d of %s", s.rule.Name, f, quote(a.text()))
					}
				}
			}
		})
	}
}

// naive are rules whose authors thought of no attack. Each must fall.
var naive = map[string]string{
	"text behind the address": `pattern = '''Failed password for invalid user <user:word> from <addr> port <port> <rest:text>'''`,
	"the first address":       `regex = '''login of (?P<user>\S*) from (?P<addr>)(?:[ ,].*)?'''`,
	"quotes are not escaped":  `pattern = '''user "<user:quoted>" refused, client: <addr>, server: <text>'''`,
	"a word of the client's":  `regex = '''login failed for (?P<user>\S+) at (?P<addr>)(?: .*)?'''`,
	"nothing beside it":       `pattern = '''refused <text>:<addr>'''`,
}

func naivePack(t testing.TB, rule string) *Pack {
	t.Helper()
	return parse(t, "[pack]\nname = \"naive\"\nevidence = \"proven\"\n[pack.match]\nidentifier = [\"naived\"]\nany_unit = true\n"+
		"[[rule]]\nname = \"refused\"\nevent = \"failure\"\n"+rule)
}

// The attack can succeed.
func TestAttackOfNaivePacks(t *testing.T) {
	for name, rule := range naive {
		t.Run(name, func(t *testing.T) {
			p := naivePack(t, rule)
			set := compiled(t, p)
			all, targets, _ := attackable(p)
			a := newAttack(all, 1)
			var count [fates]int
			for _, s := range targets {
				for range 1000 {
					a.line(s)
					count[a.judge(set, s.rule)]++
				}
			}
			if count[forged] < 10 {
				t.Errorf("of 1000 lines %d speak for the victim; fates %v", count[forged], count)
			}
		})
	}
}

// The same seed makes the same lines, and another makes others.
func TestAttackIsRepeatable(t *testing.T) {
	p := naivePack(t, naive["text behind the address"])
	lines := func(seed uint64) string {
		all, targets, _ := attackable(p)
		a := newAttack(all, seed)
		var b strings.Builder
		for range 50 {
			a.line(targets[0])
			b.Write(a.raw)
		}
		return b.String()
	}
	if first, again := lines(1), lines(1); first != again {
		t.Error("one seed made two attacks")
	}
	if lines(1) == lines(2) {
		t.Error("two seeds made one attack")
	}
}

// FuzzAttack goes on making lines, with some text of the fuzzer's own among the
// client's.
func FuzzAttack(f *testing.F) {
	packs := shippedPacks(f)
	set := compiled(f, packs...)
	type target struct {
		all   []*shape
		shape *shape
	}
	var targets []target
	for _, p := range packs {
		all, shapes, _ := attackable(p)
		for _, s := range shapes {
			targets = append(targets, target{all, s})
		}
	}
	f.Add(uint(0), uint64(1), "")
	f.Add(uint(100), uint64(7), "\x1b")
	f.Add(uint(300), uint64(1<<63), `",`)
	f.Fuzz(func(t *testing.T, n uint, seed uint64, own string) {
		at := targets[n%uint(len(targets))]
		a := newAttack(at.all, seed)
		a.own = own
		for range 8 {
			a.line(at.shape)
			if a.judge(set, at.shape.rule) == forged {
				t.Fatalf("rule %s: %s speaks for %v", at.shape.rule, quote(a.text()), a.named())
			}
		}
	})
}
