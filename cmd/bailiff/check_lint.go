package main

import (
	"fmt"
	"io"
	"sync"

	"bailiff/cmd/internal/admin"
	"bailiff/rules"
)

// checkFinding is what a pack's author should look at.
type checkFinding struct {
	Check   string `json:"check"`
	File    string `json:"file"`
	Line    int    `json:"line"`
	Rule    string `json:"rule,omitempty"`
	Finding string `json:"finding"`
	// Example is a line of a log that shows it, as a person may see it.
	Example string `json:"example,omitempty"`
	Hint    string `json:"hint,omitempty"`

	place string
}

// packs runs the samples of packs and looks for what they do not show, one pack
// beside the other.
func (r *checkReport) packs(packs []*rules.Pack) {
	type result struct {
		found []rules.Finding
		err   error
	}
	results := make([]result, len(packs))
	var group sync.WaitGroup
	for i, p := range packs {
		group.Go(func() {
			at := &results[i]
			if at.err = p.Check(); at.err == nil {
				at.found, at.err = p.Lint()
			}
		})
	}
	group.Wait()
	for i, p := range packs {
		if err := results[i].err; err != nil {
			r.errs = append(r.errs, err)
			continue
		}
		for _, taken := range p.Taken() {
			r.Notes = append(r.Notes, taken.Error())
		}
		found := results[i].found
		r.Packs = append(r.Packs, checkPack{p.Name, p.File, len(p.Rules), len(found)})
		for _, f := range found {
			r.Findings = append(r.Findings, checkFinding{
				Check: f.Check, File: f.File, Line: f.Line, Rule: f.Rule, Finding: f.Msg,
				Example: admin.Safe(f.Example), Hint: f.Remedy, place: f.Error.Error(),
			})
		}
	}
}

// longestExample is how much of a line is shown: both ends, because what is
// between is padding.
const longestExample = 400

func (f *checkFinding) print(w io.Writer) {
	fmt.Fprintf(w, "finding: %s\n", f.place)
	if example := f.Example; example != "" {
		if n := len(example); n > longestExample {
			example = example[:longestExample/2] + " ... " + example[n-longestExample/2:]
		}
		fmt.Fprintf(w, "line: %s\n", example)
	}
	printLines(w, "hint: ", f.Hint)
}

// count spells a number of things.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
