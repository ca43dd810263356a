// Bailiff reads authentication failures out of logs, decides bans that grow
// with an offender's history, and keeps nftables equal to what was decided.
//
// This package is the command line: one file a sub-command, nothing that
// another program could want.
package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"bailiff/cmd/internal/admin"
	"bailiff/config"
	"bailiff/rules"
)

// The rules of this command line: answers go to stdout and everything else to
// stderr; an error is printed once, here, as "bailiff: open store: …" and then,
// if there is a remedy, "hint: …"; no capitals, no full stop. Exit 0 means
// done, 1 failed, 2 that the command line or the configuration is wrong.
const (
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	if err := newRoot().Execute(); err != nil {
		os.Exit(report(os.Stderr, err))
	}
}

// quiet is the exit code of a command that has said already what there is to
// say.
type quiet int

func (q quiet) Error() string { return fmt.Sprintf("exit %d", int(q)) }

// failure is an error with a remedy and an exit code.
type failure struct {
	error
	hint string
	code int
}

func (f *failure) Unwrap() error { return f.error }
func (f *failure) Hint() string  { return f.hint }

// usage returns an error of the command line.
func usage(hint, format string, args ...any) error {
	return &failure{fmt.Errorf(format, args...), hint, exitUsage}
}

// hint returns the remedy that err knows, or "".
func hint(err error) string {
	h, ok := errors.AsType[interface {
		error
		Hint() string
	}](err)
	if !ok {
		return ""
	}
	return h.Hint()
}

// report prints err, each of several errors with its own hint, and returns the
// exit code that it stands for.
func report(w io.Writer, err error) int {
	if q, ok := errors.AsType[quiet](err); ok {
		return int(q)
	}
	for _, err := range flatten(err) {
		printLines(w, "bailiff: ", err.Error())
		printLines(w, "hint: ", hint(err))
	}
	return exitCode(err)
}

// printLines prints each line of text behind a prefix: the daemon, too, may
// answer with a list.
func printLines(w io.Writer, prefix, text string) {
	for line := range strings.Lines(text) {
		fmt.Fprintf(w, "%s%s\n", prefix, strings.TrimSuffix(line, "\n"))
	}
}

func exitCode(err error) int {
	if f, ok := errors.AsType[*failure](err); ok {
		return f.code
	}
	if _, ok := errors.AsType[config.Errors](err); ok {
		return exitUsage
	}
	if _, ok := errors.AsType[*rules.Error](err); ok {
		return exitUsage
	}
	if e, ok := errors.AsType[*admin.Error](err); ok && e.Status == http.StatusBadRequest {
		return exitUsage
	}
	return exitFailed
}

// flatten returns the errors of which err is a mere list, and err alone if it
// is more than that.
func flatten(err error) []error {
	list, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var parts []error
	var text []string
	for _, part := range list.Unwrap() {
		parts = append(parts, flatten(part)...)
		text = append(text, part.Error())
	}
	if strings.Join(text, "\n") != err.Error() {
		return []error{err}
	}
	return parts
}
