package rules

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// Whatever a form reads, the prefilter lets pass.
func TestPrefilterIsSound(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var forms []*form
	var messages []string
	for len(forms) < 400 {
		pattern, msg := randomPattern(r)
		exprs, err := randomGrammar.translate(pattern)
		if err != nil {
			t.Fatal(err)
		}
		messages = append(messages, msg, msg+msg+msg+msg)
		for _, expr := range exprs {
			f := &form{expr: expr, halves: new(halves)}
			f.ready()
			forms = append(forms, f)
		}
	}
	g := &group{forms: forms, prefilter: newPrefilter(forms)}
	g.scratch.New = func() any { return &scratch{candidates: make([]uint64, (len(forms)+63)/64)} }
	var s scratch
	read := 0
	for _, msg := range messages {
		found := g.search([]byte(msg))
		s.reset([]byte(msg))
		for i, f := range forms {
			if len(f.readings(&s)) == 0 {
				continue
			}
			read++
			if found == nil || found.candidates[i/64]&(1<<(i%64)) == 0 {
				t.Fatalf("form %d reads %q and is no candidate", i, msg)
			}
		}
		if found != nil {
			clear(found.candidates)
			g.scratch.Put(found)
		}
	}
	if read < 200 {
		t.Errorf("%d readings: the test tests little", read)
	}
}

// The prefilter finds every text wherever it stands, among others and across the
// pieces that it reads in step.
func FuzzPrefilter(f *testing.F) {
	f.Add("abcdefgh,bcd,d,cdefghijkl", "xxabcdefghijklxx")
	f.Add("abcdefghi|ef|g,bcd|cde", "xxabcdefg")
	f.Add("abcdefgh,abcdefgi,abcdefgj,abcdefgk", "xabcdefgi")
	f.Add("abcde,abcdf,abcdg,aabcde,abcdefgh", "abcdgabcde")
	f.Add("aaaa,aaab,aa", strings.Repeat("a", 50)+"b")
	f.Fuzz(func(t *testing.T, texts, msg string) {
		var forms []*form
		for text := range strings.SplitSeq(texts, ",") {
			if c := choice(strings.Split(text, "|")); !slices.Contains(c, "") {
				forms = append(forms, &form{holds: []choice{c}})
			}
		}
		if len(forms) > 100 {
			return
		}
		g := &group{forms: forms, prefilter: newPrefilter(forms)}
		g.scratch.New = func() any { return &scratch{candidates: make([]uint64, (len(forms)+63)/64)} }
		found := g.search([]byte(msg))
		for i, texts := range windows(forms) {
			got := found != nil && found.candidates[i/64]&(1<<(i%64)) != 0
			if want := slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(msg, text) }); got != want {
				t.Errorf("%q in %q: found %t, want %t", texts, msg, got, want)
			}
		}
	})
}
