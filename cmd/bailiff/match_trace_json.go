package main

import (
	"encoding/json"
	"io"
	"net/netip"

	"bailiff/rules"
)

// What `match --trace --json` prints for each line.
type (
	traceJSON struct {
		Line       int             `json:"line"`
		Identifier string          `json:"identifier"`
		Message    traceText       `json:"message"`
		Packs      []tracePackJSON `json:"packs"`
		Hint       string          `json:"hint,omitempty"`
	}
	tracePackJSON struct {
		Pack string `json:"pack"`
		// Rule is the one that matches, null if none does.
		Rule    *string         `json:"rule"`
		Addr    *netip.Addr     `json:"addr"`
		Refused string          `json:"refused,omitempty"`
		Rules   []traceRuleJSON `json:"rules"`
		Others  []traceRuleJSON `json:"others"`
	}
	traceRuleJSON struct {
		Rule    string          `json:"rule"`
		Pattern string          `json:"pattern,omitempty"`
		Fate    rules.Fate      `json:"fate"`
		By      string          `json:"by,omitempty"`
		Reads   []traceSpanJSON `json:"reads,omitempty"`
		Missing string          `json:"missing,omitempty"`
		Stops   []traceStopJSON `json:"stops,omitempty"`
	}
	traceSpanJSON struct {
		Addr  netip.Addr `json:"addr"`
		Field string     `json:"field,omitempty"`
		Start int        `json:"start"`
		End   int        `json:"end"`
	}
	traceStopJSON struct {
		Field    string      `json:"field,omitempty"`
		At       int         `json:"at"`
		Wanted   string      `json:"wanted"`
		Anywhere bool        `json:"anywhere,omitempty"`
		Behind   *netip.Addr `json:"behind,omitempty"`
	}
)

// traceText is text of a log, spelled as in the other forms of JSON.
type traceText string

// MarshalJSON spells what is unprintable by escapes.
func (s traceText) MarshalJSON() ([]byte, error) { return appendString(nil, string(s)), nil }

// json writes the explanation as an object on a line.
func (t *lineTrace) json(w io.Writer) error {
	out := traceJSON{Line: t.line, Identifier: string(t.entry.Identifier), Message: traceText(t.entry.Message), Packs: []tracePackJSON{}, Hint: t.hint}
	for i := range t.packs {
		p := &t.packs[i]
		one := tracePackJSON{Pack: p.Pack, Refused: p.refused, Rules: traceRules(p.Rules, true), Others: traceRules(p.Others, false)}
		if m := p.Match; m != nil {
			one.Rule = &m.Rule.Name
			if m.Addr.IsValid() {
				one.Addr = &m.Addr
			}
		}
		out.Packs = append(out.Packs, one)
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(out)
}

// traceRules gives rules their form, with where reading them stopped or without.
func traceRules(traces []rules.RuleTrace, stops bool) []traceRuleJSON {
	out := []traceRuleJSON{}
	for i := range traces {
		r := &traces[i]
		one := traceRuleJSON{Rule: r.Rule.Name, Pattern: r.Pattern, Fate: r.Fate, Missing: r.Missing}
		if r.By != nil {
			one.By = r.By.Name
		}
		for _, s := range r.Reads {
			one.Reads = append(one.Reads, traceSpanJSON{s.Addr, s.Field, s.Start, s.End})
		}
		for _, s := range r.Stops {
			if !stops {
				break
			}
			stop := traceStopJSON{Field: s.Field, At: s.At, Wanted: s.Wanted, Anywhere: s.Anywhere}
			if s.Addr.IsValid() {
				stop.Behind = &s.Addr
			}
			one.Stops = append(one.Stops, stop)
		}
		out = append(out, one)
	}
	return out
}
