// Package admin is how people and programs speak with a running bailiff: an
// HTTP/1 API over a unix socket ([Server], [Client]), its JSON types (api.go),
// metrics for Prometheus (metrics.go), and the printing of all of it for a
// terminal ([Printer]).
//
// The package decides nothing and holds no state: a Server asks the functions
// of its [Options], which the daemon provides.
//
// # Trust
//
// Who may open the socket may do everything; the file mode 0660 is the whole
// access control. Text that came out of a log is never a metric label, and
// reaches a terminal only through [Safe].
package admin

import (
	"errors"
	"fmt"
	"net/http"

	"bailiff/config"
	"bailiff/rules"
)

// Error is a refusal that a person can act on. The API carries it as
// {"error":…,"hint":…} with Status as the HTTP status, and the client hands it
// out again as it was made. [http.StatusBadRequest] means that the question was
// wrong: the command line exits 2 for it, and 1 for every other status.
type Error struct {
	Status  int    `json:"-"`
	Message string `json:"error"`
	Advice  string `json:"hint,omitempty"`
}

// Error returns the message without the hint.
func (e *Error) Error() string { return e.Message }

// Hint returns the one-line remedy, or "".
func (e *Error) Hint() string { return e.Advice }

// Refuse returns an [Error] with the given HTTP status and hint.
func Refuse(status int, hint, format string, args ...any) *Error {
	return &Error{Status: status, Message: fmt.Sprintf(format, args...), Advice: hint}
}

// asError turns any error into what the API carries: itself if it is an
// [Error], a bad request if it is about the configuration, and otherwise an
// internal error. The hint stays.
func asError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return &Error{Status: e.Status, Message: err.Error(), Advice: e.Advice}
	}
	e := &Error{Status: http.StatusInternalServerError, Message: err.Error()}
	if isConfiguration(err) {
		e.Status = http.StatusBadRequest
	}
	if h, ok := errors.AsType[interface {
		error
		Hint() string
	}](err); ok {
		e.Advice = h.Hint()
	}
	return e
}

// isConfiguration says whether err is about what the operator wrote.
func isConfiguration(err error) bool {
	_, inFile := errors.AsType[config.Errors](err)
	_, inPack := errors.AsType[*rules.Error](err)
	return inFile || inPack
}
