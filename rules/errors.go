package rules

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"bailiff/rules/tomlkeys"
)

// Error is one thing wrong with a pack.
type Error struct {
	File string
	Line int    // counted from 1; 0 if it is about the file as a whole
	Rule string // the rule it is about; may be empty
	Msg  string
	// Remedy says in one line what to do; empty where Msg says it all.
	Remedy string
}

// Error returns "file:line: rule: what is wrong".
func (e *Error) Error() string {
	s := e.File
	if e.Line > 0 {
		s += fmt.Sprintf(":%d", e.Line)
	}
	if e.Rule != "" {
		s += ": rule " + e.Rule
	}
	return s + ": " + e.Msg
}

// Hint returns the remedy.
func (e *Error) Hint() string { return e.Remedy }

// hinted is an error whose place is not known yet.
type hinted struct{ msg, remedy string }

func (h hinted) Error() string { return h.msg }
func (h hinted) Hint() string  { return h.remedy }

// unknown says that there is no such name, and which one may be meant.
func unknown(what, name string, known []string) error {
	h := hinted{msg: fmt.Sprintf("unknown %s %q", what, name)}
	if n := tomlkeys.Nearest(name, known); n != "" {
		h.remedy = fmt.Sprintf("did you mean %q?", n)
	}
	return h
}

// problems collects the errors of one file.
type problems struct {
	file  string
	lines lines
	errs  []*Error
}

// add notes an error about the key at path.
func (p *problems) add(path, rule string, err error) {
	e := &Error{File: p.file, Line: p.lines.of(path), Rule: rule, Msg: err.Error()}
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		e.Remedy = h.Hint()
	}
	p.errs = append(p.errs, e)
}

// err returns all errors in the order of the file, nil if there are none.
func (p *problems) err() error {
	slices.SortStableFunc(p.errs, func(a, b *Error) int { return cmp.Compare(a.Line, b.Line) })
	errs := make([]error, len(p.errs))
	for i, e := range p.errs {
		errs[i] = e
	}
	return errors.Join(errs...)
}
