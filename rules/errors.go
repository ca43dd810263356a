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

// origin is a file and where its keys stand.
type origin struct {
	file    string
	lines   lines
	shipped bool // one of bailiff's own, which the tests have checked
}

// fault is an error about the key at path.
func (o origin) fault(path, rule string, err error) *Error {
	e := &Error{File: o.file, Line: o.lines.of(path), Rule: rule, Msg: err.Error()}
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		e.Remedy = h.Hint()
	}
	return e
}

// problems collects the errors of one file, and of those that it builds on.
type problems struct {
	origin
	errs []*Error
}

// add notes an error about the key at path of the file.
func (p *problems) add(path, rule string, err error) {
	p.errs = append(p.errs, p.fault(path, rule, err))
}

// err returns all errors in the order of the file, nil if there are none.
func (p *problems) err() error {
	slices.SortStableFunc(p.errs, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	errs := make([]error, len(p.errs))
	for i, e := range p.errs {
		errs[i] = e
	}
	return errors.Join(errs...)
}
