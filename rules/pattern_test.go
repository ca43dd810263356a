package rules

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var diffReadings = cmp.Options{cmp.AllowUnexported(token{}, reading{}), cmpopts.EquateComparable(netip.Addr{}), cmpopts.EquateEmpty()}

// checkPattern holds what a form reads in msg against the definition.
func checkPattern(t *testing.T, expr, msg string) {
	t.Helper()
	f := &form{expr: expr, names: []string{"account"}, halves: new(halves)}
	if f.check() != nil {
		return
	}
	if len(referenceReadings(expr, msg)) > 0 || f.after == nil && whole(expr).MatchString(latin1(msg)) {
		for _, c := range f.holds {
			if !slices.ContainsFunc(c, func(text string) bool { return strings.Contains(msg, text) }) {
				t.Fatalf("%s on %q: holds none of %q", expr, msg, c)
			}
		}
	}
	if f.after == nil {
		if got, want := f.before.automaton().matches([]byte(msg)), whole(expr).MatchString(latin1(msg)); got != want {
			t.Errorf("%s on %q: matches %t, want %t", expr, msg, got, want)
		}
		return
	}
	var s scratch
	var got []reading
	for _, long := range []bool{true, false} {
		s.reset([]byte(msg))
		s.long = long
		got = f.readings(&s)
		if diff := cmp.Diff(referenceReadings(expr, msg), got, diffReadings); diff != "" {
			t.Fatalf("%s on %q, as if long %t: readings (-want +got)\n%s", expr, msg, long, diff)
		}
	}
	if f.captures[0] == nil || !strings.Contains(expr, "(?P<account>") {
		return
	}
	before, after, _ := strings.Cut(expr, "(?P<addr>)")
	for _, t0 := range got {
		half, part := msg[:t0.start], before
		if f.captures[0].behind {
			half, part = msg[t0.end:], after
		}
		want, ok := referenceAccount(half, part)
		if got := string(f.captures[0].find([]byte(msg), t0.token)); !ok || got != want {
			t.Fatalf("%s on %q: account %q, want %q", expr, msg, got, want)
		}
	}
}

// pieceKinds are what random patterns are made of: a spelling, and texts that it
// stands for or nearly does.
var pieceKinds = []struct {
	pattern string
	texts   []string
}{
	{"from ", []string{"from ", "from", "rom "}},
	{" port ", []string{" port ", " port", "port "}},
	{" ", []string{" ", "  "}},
	{"a", []string{"a", "aa"}},
	{"ab", []string{"ab", "aab", "abab"}},
	{"'", []string{"'", `"`}},
	{`",K="`, []string{`",K="`, `",`, `="`}},
	{"<int>", []string{"1", "22", ""}},
	{"<port>", []string{"5060", "123456"}},
	{"<word>", []string{"x", "abc", "a b"}},
	{"<text>", []string{"", "a", "from ab port ", "x 192.0.2.1 port 22", " "}},
	{"<text>", []string{"abab ab", "192.0.2.2", `",K="`}},
	{"<quoted>", []string{"", `ab'`, `x"y`}},
	{"<squoted>", []string{"", `ab"`, `x'y`}},
	{"<callid>", []string{"", "[C-0000001a]", "[C-]"}},
	{"<value>", []string{"", `a,"b`, `=`, `x="y`, `,="`}},
	{"<last>", []string{"ab", "b'", " x'y"}},
	{"<pair>", []string{"ab", "ba", "a"}},
}

var randomGrammar = &grammar{
	types: map[string]string{
		"value": `[^,]*|(?:[^=]|=+[^="])*=*`,
		"last":  `[^ ]*|.*[^']`,
	},
	define: map[string][]string{"pair": {"ab", "ba"}},
}

// randomPattern makes a pattern, and a message that it matches, perhaps.
func randomPattern(r *rand.Rand) (pattern, msg string) {
	var p, m strings.Builder
	n := 1 + r.IntN(7)
	addr, account := r.IntN(n+1), r.IntN(2*n)
	for i := range n + 1 {
		if i == addr {
			p.WriteString("<addr>")
			m.WriteString([]string{"192.0.2.1", "2001:db8::1", "[2001:db8::2]", "192.0.2.300", "::ffff:192.0.2.9", "fe80::1%eth0"}[r.IntN(6)])
			continue
		}
		kind := pieceKinds[r.IntN(len(pieceKinds))]
		spelling := kind.pattern
		if i == account && spelling[0] == '<' && spelling != "<pair>" {
			spelling = "<account:" + spelling[1:]
		}
		p.WriteString(spelling)
		m.WriteString(kind.texts[min(r.IntN(2*len(kind.texts)), len(kind.texts)-1)*r.IntN(2)])
	}
	b := []byte(m.String())
	for len(b) > 0 && r.IntN(3) == 0 { // and perhaps not
		switch i, j := r.IntN(len(b)), r.IntN(len(b)); r.IntN(3) {
		case 0:
			b[i] = b[j]
		case 1:
			b = append(b[:i:i], b[min(i, j):]...)
		case 2:
			b[i] = byte(r.IntN(256))
		}
	}
	return p.String(), string(b)
}

func TestPatternsMeanTheirTranslation(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	read, failed := 0, 0
	for range 20_000 {
		pattern, msg := randomPattern(r)
		exprs, err := randomGrammar.translate(pattern)
		if err != nil {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, expr := range exprs {
			checkPattern(t, expr, msg)
			if len(referenceReadings(expr, msg)) > 0 {
				read++
			} else {
				failed++
			}
		}
	}
	if read < 2000 || failed < 2000 {
		t.Errorf("%d readings and %d without: the test tests little", read, failed)
	}
}

func FuzzPattern(f *testing.F) {
	f.Add("<text>from <addr> port <port>", "from 192.0.2.1 port 2 from 192.0.2.2 port 3")
	f.Add(`<a:quoted>"<addr>/<int>"<text>`, `x"[::1]/5"`)
	f.Add("<value>,<value>=<addr>", "=,=::1")
	f.Fuzz(func(t *testing.T, pattern, msg string) {
		exprs, err := randomGrammar.translate(pattern)
		if err != nil || len(pattern) > 200 || len(msg) > 400 {
			return
		}
		for _, expr := range exprs {
			checkPattern(t, expr, msg)
		}
	})
}

func FuzzRegex(f *testing.F) {
	f.Add(`^x (?:a|b)+(?P<addr>\S+)(?i)Port [^\d]?$`, "x ab192.0.2.1port x")
	f.Add(`(a{2,3}|.*?c)*(?P<addr>)`, "aac::1")
	f.Add(`(?:ö|[à-ü])+x`, "öx")
	f.Fuzz(func(t *testing.T, regex, msg string) {
		if len(regex) > 60 || len(msg) > 200 || strings.Contains(regex, "account") || strings.Contains(regex, `\Q`) || strings.Contains(regex, "(?P<addr>") && !strings.Contains(regex, "(?P<addr>)") {
			return
		}
		if before, after, ok := strings.Cut(latin1(regex), "(?P<addr>)"); ok {
			// Cut in two, it must be two expressions.
			if _, err := parseExpression(before); err != nil {
				return
			}
			if _, err := parseExpression(after); err != nil || strings.Contains(before, "(?") {
				return
			}
		}
		checkPattern(t, latin1(regex), msg)
	})
}

func TestTranslate(t *testing.T) {
	g := &grammar{
		types:  map[string]string{"name": `[^ ]*`},
		define: map[string][]string{"peer": {"<addr>:<port>", "[<addr>]:<port>"}, "head": {"A<int>", "B.", "C"}, "one": {"<user:name>!"}},
	}
	for _, c := range []struct {
		name, pattern string
		want          []string
	}{
		{"literal", "a.b<<c", []string{`a\.b<c`}},
		{"types", "<int> <n:name>", []string{`(?:[0-9]{1,20}) (?P<n>[^ ]*)`}},
		{"alternatives that name nothing are one", "<head>x", []string{`(?:A(?:[0-9]{1,20})|B\.|C)x`}},
		{"alternatives that name something are several", "<peer>", []string{`(?P<addr>):(?:[0-9]{1,5})`, `\[(?P<addr>)\]:(?:[0-9]{1,5})`}},
		{"one alternative", "<one>", []string{`(?P<user>[^ ]*)!`}},
		{"bytes", "ö", []string{"\u00c3\u00b6"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := g.translate(c.pattern)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Forms that have a half in common read a message one after the other as each does
// alone.
func TestFormsShareWhatTheyRead(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	shared := new(halves)
	read := 0
	for range 3000 {
		var s scratch
		pattern, msg := randomPattern(r)
		other, _ := randomPattern(r)
		before, behind, _ := strings.Cut(pattern, "<addr>")
		otherBefore, _, _ := strings.Cut(other, "<addr>")
		s.reset([]byte(msg))
		for _, p := range []string{before + "<addr>" + behind, otherBefore + "<addr>" + behind, "<text><addr>" + behind, pattern} {
			exprs, err := randomGrammar.translate(p)
			if err != nil {
				t.Fatal(err)
			}
			for _, expr := range exprs {
				f := &form{expr: expr, halves: shared}
				f.ready()
				got := f.readings(&s)
				if diff := cmp.Diff(referenceReadings(expr, msg), got, diffReadings); diff != "" {
					t.Fatalf("%s on %q behind others: readings (-want +got)\n%s", expr, msg, diff)
				}
				read += len(got)
			}
		}
	}
	if read < 1000 {
		t.Errorf("%d readings: the test tests little", read)
	}
}
