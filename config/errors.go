package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Error is one thing wrong with the configuration.
type Error struct {
	File string
	Line int    // counted from 1; 0 if it is about the file as a whole
	Key  string // "jail.sshd.max_retry", "source.syslog[1].listen"; may be empty
	Msg  string

	hint string
}

// Error returns "file:line: key: what is wrong".
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
	}
	if e.Key != "" {
		b.WriteString(": " + e.Key)
	}
	return b.String() + ": " + e.Msg
}

// Hint says in one line what to do; it is empty where the error says it all.
func (e *Error) Hint() string { return e.hint }

// Errors is all that is wrong, in the order of the file. There is at least one.
type Errors []*Error

// Error returns one line for each error.
func (es Errors) Error() string {
	lines := make([]string, len(es))
	for i, e := range es {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.As find each of them.
func (es Errors) Unwrap() []error {
	errs := make([]error, len(es))
	for i, e := range es {
		errs[i] = e
	}
	return errs
}

// Hint returns the hints that differ, one a line.
func (es Errors) Hint() string {
	var hints []string
	for _, e := range es {
		if e.hint != "" && !slices.Contains(hints, e.hint) {
			hints = append(hints, e.hint)
		}
	}
	return strings.Join(hints, "\n")
}

// sorted returns es in the order of the file, as an error that is nil if there
// are none.
func sorted(es []*Error) error {
	if len(es) == 0 {
		return nil
	}
	slices.SortStableFunc(es, func(a, b *Error) int { return cmp.Compare(a.Line, b.Line) })
	return Errors(es)
}
