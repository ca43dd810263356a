package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"bailiff/ingest/stream"
	"bailiff/rules"
)

// totals is what `match --count` prints.
type totals struct {
	Lines uint64 `json:"lines"`
	// Matched are the lines that at least one pack matched, Ambiguous the
	// matches with more than one reading.
	Matched   uint64       `json:"matched"`
	Ambiguous uint64       `json:"ambiguous"`
	Rules     []ruleTotals `json:"rules"`
}

type ruleTotals struct {
	Pack    string `json:"pack"`
	Rule    string `json:"rule"`
	Event   string `json:"event"`
	Matches uint64 `json:"matches"`
}

// count prints how often each rule matched. Nothing is allocated for a line that
// matches nothing.
func (f *flags) count(cmd *cobra.Command, set *rules.Set, in io.Reader, opt stream.Options) error {
	scanner, err := stream.NewScanner(in, opt)
	if err != nil {
		return err
	}
	set.OmitText()
	start := time.Now()
	var t totals
	byRule := make(map[*rules.Rule]uint64)
	var found []rules.Match
	for {
		entry, _, ok := scanner.Next()
		if !ok {
			break
		}
		t.Lines++
		found = set.AppendMatches(found[:0], entry)
		if len(found) > 0 {
			t.Matched++
		}
		for i := range found {
			byRule[found[i].Rule]++
			if found[i].Ambiguous() {
				t.Ambiguous++
			}
		}
	}
	if err := scanner.Err(); err != nil {
		return fmt.Errorf("read: %w", err)
	}
	took := time.Since(start)

	t.Rules = make([]ruleTotals, 0, len(byRule))
	for _, r := range slices.SortedFunc(maps.Keys(byRule), func(a, b *rules.Rule) int {
		return cmp.Or(cmp.Compare(a.Pack, b.Pack), cmp.Compare(byRule[b], byRule[a]), cmp.Compare(a.Name, b.Name))
	}) {
		t.Rules = append(t.Rules, ruleTotals{r.Pack, r.Name, r.Event.String(), byRule[r]})
	}
	if isTerminal(cmd.ErrOrStderr()) && took > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "%.2f million lines a second\n", float64(t.Lines)/took.Seconds()/1e6)
	}
	if f.json {
		return printJSON(cmd, t)
	}
	return t.print(cmd.OutOrStdout())
}

func (t *totals) print(w io.Writer) error {
	b := fmt.Appendf(nil, "%10d  lines\n%10d  matched\n%10d  ambiguous\n", t.Lines, t.Matched, t.Ambiguous)
	for _, r := range t.Rules {
		b = fmt.Appendf(b, "%10d  %-9s  %s/%s\n", r.Matches, r.Event, r.Pack, r.Rule)
	}
	_, err := w.Write(b)
	return err
}
