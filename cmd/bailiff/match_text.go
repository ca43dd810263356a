package main

import (
	"fmt"
	"strings"

	"bailiff/cmd/internal/admin"
	"bailiff/rules"
)

// matchView writes what was found in one form.
type matchView interface {
	appendMatch(b []byte, line int, m *rules.Match) []byte
	appendMiss(b []byte, line int, message []byte) []byte
}

// matchText is the form for people.
type matchText struct{ p *admin.Printer }

func (v matchText) appendMatch(b []byte, line int, m *rules.Match) []byte {
	who := "-"
	switch {
	case m.Ambiguous():
		who = "ambiguous"
	case m.Addr.IsValid():
		who = m.Addr.String()
	}
	b = fmt.Appendf(b, "%6d  %-15s  %-9s  %s", line, who, m.Event, m.Rule)
	if m.Account != "" {
		b = append(append(b, "  account "...), admin.Safe(m.Account)...)
	}
	if m.Ambiguous() {
		var candidates []string
		for _, a := range m.Candidates {
			candidates = append(candidates, a.String())
		}
		b = append(append(b, "  "...), strings.Join(candidates, " or ")...)
	}
	return append(b, '\n')
}

func (v matchText) appendMiss(b []byte, line int, message []byte) []byte {
	return fmt.Appendf(b, "%6d  %s\n", line, v.p.Faint(admin.Safe(string(message))))
}
