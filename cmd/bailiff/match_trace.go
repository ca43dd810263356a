package main

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"bailiff/cmd/internal/admin"
	"bailiff/ingest"
	"bailiff/ingest/stream"
	"bailiff/rules"
)

// trace explains each line of the stream for each pack that reads its identifier.
func (f *flags) trace(cmd *cobra.Command, packs []*rules.Pack, in io.Reader, opt stream.Options) error {
	var tracers []*rules.Tracer
	for _, p := range packs {
		t, err := p.Tracer()
		if err != nil {
			return err
		}
		tracers = append(tracers, t)
	}
	out := bufio.NewWriter(cmd.OutOrStdout())
	scanner, err := stream.NewScanner(flushBeforeRead{in, out}, opt)
	if err != nil {
		return err
	}
	for {
		entry, line, ok := scanner.Next()
		if !ok {
			break
		}
		t := lineTrace{line: line, entry: entry}
		for _, tracer := range tracers {
			if trace, ok := tracer.Explain(entry); ok {
				t.add(tracer, trace)
			}
		}
		if len(t.packs) == 0 {
			t.unread(packs)
		}
		if f.json {
			err = t.json(out)
		} else {
			err = t.print(out, printer(cmd))
		}
		if err != nil {
			return fmt.Errorf("write: %w", err)
		}
	}
	if err := scanner.Err(); err != nil {
		return fmt.Errorf("read: %w", err)
	}
	return out.Flush()
}

// lineTrace is what is known of one line.
type lineTrace struct {
	line  int
	entry *ingest.Entry
	packs []packTrace
	// nobody says why no pack was asked.
	nobody, hint string
}

// packTrace is what one pack makes of it.
type packTrace struct {
	rules.Trace
	// refused says what the journal would make of it, if that is known.
	refused string
}

func (t *lineTrace) add(tracer *rules.Tracer, trace rules.Trace) {
	p := packTrace{Trace: trace}
	if e := t.entry; trace.Match != nil && len(e.Unit) > 0 && !tracer.Believes(e, trace.Match.Rule) {
		p.refused = fmt.Sprintf("from the journal it would be refused: unit %s, uid %d is not one that the pack believes (%s)",
			admin.Safe(string(e.Unit)), e.UID, strings.Join(tracer.Pack().Units(), ", "))
	}
	t.packs = append(t.packs, p)
}

// unread says why no pack was asked, and how to have one asked.
func (t *lineTrace) unread(packs []*rules.Pack) {
	var tags []string
	for _, p := range packs {
		for _, id := range p.Identifiers() {
			if !slices.Contains(tags, id) {
				tags = append(tags, id)
			}
		}
	}
	slices.Sort(tags)
	t.hint = "the packs read " + strings.Join(tags, ", ")
	if id := t.entry.Identifier; len(id) > 0 {
		t.nobody = fmt.Sprintf("no pack reads lines of %q", admin.Safe(string(id)))
		return
	}
	t.nobody = "the line does not say whose it is"
	t.hint = "say it with --identifier TAG; " + t.hint
}

// print writes the explanation for people.
func (t *lineTrace) print(w io.Writer, p *admin.Printer) error {
	var b strings.Builder
	whose := admin.Safe(string(t.entry.Identifier))
	fmt.Fprintf(&b, "line %d", t.line)
	if whose != "" {
		fmt.Fprintf(&b, ", %s", whose)
	}
	fmt.Fprintf(&b, "\n  %s\n", admin.Safe(string(t.entry.Message)))
	if t.nobody != "" {
		fmt.Fprintf(&b, "%s\n%s\n", t.nobody, p.Faint("hint: "+t.hint))
	}
	for i := range t.packs {
		t.packs[i].print(&b, p)
	}
	b.WriteByte('\n')
	_, err := io.WriteString(w, b.String())
	return err
}

func (t *packTrace) print(b *strings.Builder, p *admin.Printer) {
	fmt.Fprintf(b, "%s\n", t.verdict())
	if t.refused != "" {
		fmt.Fprintf(b, "  %s\n", t.refused)
	}
	for i := range t.Rules {
		r := &t.Rules[i]
		pattern := r.Pattern
		if pattern == "" {
			pattern = "by its fields"
		}
		fmt.Fprintf(b, "\n  %s  %s\n", r.Rule.Name, p.Faint(pattern))
		fmt.Fprintf(b, "    %s\n", explain(r))
		for _, s := range r.Reads {
			pointAt(b, s.Field, s.Text, s.Start, s.End, "the address")
		}
		for _, s := range r.Stops {
			if s.Wanted == rules.WantsField {
				fmt.Fprintf(b, "      there is no field %s\n", s.Field)
				continue
			}
			pointAt(b, s.Field, s.Text, s.At, s.At, wanted(&s))
		}
	}
	switch n := len(t.Others); {
	case n == 1:
		fmt.Fprintf(b, "\n  %s\n", p.Faint("1 more rule is about other lines"))
	case n > 1:
		fmt.Fprintf(b, "\n  %s\n", p.Faint(fmt.Sprintf("%d more rules are about other lines", n)))
	}
}

// verdict says what the pack makes of the line as a whole.
func (t *packTrace) verdict() string {
	m := t.Match
	if m == nil {
		return fmt.Sprintf("pack %s: no rule matches", t.Pack)
	}
	s := fmt.Sprintf("pack %s: %s by %s", t.Pack, m.Event, m.Rule.Name)
	switch {
	case m.Ambiguous():
		s += ", ambiguous: " + addresses(m)
	case m.Addr.IsValid():
		s += ", " + m.Addr.String()
	case m.Event != rules.Info && m.Event != rules.Ignore:
		s += ", no address: nothing is known of the session that the line names"
	}
	if m.Account != "" {
		s += ", account " + admin.Safe(m.Account)
	}
	return s
}

func addresses(m *rules.Match) string {
	var out []string
	for _, a := range m.Candidates {
		out = append(out, a.String())
	}
	return strings.Join(out, " or ")
}

// explain says what became of the line in a rule.
func explain(r *rules.RuleTrace) string {
	switch r.Fate {
	case rules.Won:
		return "reads the line, and matches"
	case rules.Beaten:
		if r.By == nil {
			return "reads the line"
		}
		return "reads the line, but " + r.By.Name + " comes first"
	case rules.Excepted:
		return "reads the line, but unless holds"
	case rules.Refused:
		return "reads the line, but does not believe where it comes from"
	case rules.Torn:
		return "would read the line, but it may have lost its end: see cut"
	case rules.Missing:
		return fmt.Sprintf("is not tried: there is no %q in the line", r.Missing)
	default:
		return "does not read it"
	}
}

const (
	// shownBefore and shownBehind are how much of a text is shown on either
	// side of a caret.
	shownBefore, shownBehind = 60, 40
)

// wanted says what a pattern wants.
func wanted(s *rules.Stop) string {
	out := "wants " + s.Wanted
	if s.Of != "" {
		out += " of " + s.Of
	}
	if s.Anywhere {
		out += " here or further on"
	}
	if s.Addr.IsValid() {
		out += ", behind " + s.Addr.String()
	}
	return out
}

// pointAt prints a text with a mark under what is from start to end, and says what
// that is.
func pointAt(b *strings.Builder, field, text string, start, end int, what string) {
	before, within, behind := []rune(admin.Safe(text[:start])), []rune(admin.Safe(text[start:end])), []rune(admin.Safe(text[end:]))
	head, tail := "", ""
	if len(before) > shownBefore {
		before, head = before[len(before)-shownBefore:], "… "
	}
	if len(behind) > shownBehind {
		behind, tail = behind[:shownBehind], " …"
	}
	if field != "" {
		head = field + "=" + head
	}
	fmt.Fprintf(b, "      %s%s%s%s%s\n", head, string(before), string(within), string(behind), tail)
	fmt.Fprintf(b, "      %s%s %s\n", strings.Repeat(" ", len([]rune(head))+len(before)), strings.Repeat("^", max(1, len(within))), what)
}
