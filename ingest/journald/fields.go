package journald

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"sync"
)

// maxNames is how many fields may be asked for.
const maxNames = 256

// fieldName is the name of a field of the journal (systemd, journal_field_valid).
// Two underscores begin what is no field: the cursor and the times.
var fieldName = regexp.MustCompile(`^(_[A-Z0-9]|[A-Z])[A-Z0-9_]{0,62}$`)

func checkNames(names []string) error {
	if len(names) > maxNames {
		return fmt.Errorf("%d fields are more than %d", len(names), maxNames)
	}
	for _, name := range names {
		if !fieldName.MatchString(name) {
			return fmt.Errorf("%q is no field of the journal", name)
		}
	}
	return nil
}

// asked is the fields that are to be shipped.
type asked struct {
	mu    sync.Mutex
	names []string // sorted, never changed in place
	stop  context.CancelFunc
}

// AddFields makes the source ship fields besides those that it ships already. A
// reader that does not know of them is started again behind the entry that is being
// handed out: no entry is lost or comes twice, and those after the next one carry
// the fields. It may be called at any time, and is an error if Options.Fields with
// these names were one.
func (s *Source) AddFields(names ...string) error {
	s.asked.mu.Lock()
	defer s.asked.mu.Unlock()
	all := union(s.asked.names, names)
	if err := checkNames(all); err != nil {
		return fmt.Errorf("journald source: %w", err)
	}
	if len(all) == len(s.asked.names) {
		return nil
	}
	s.asked.names = all
	if s.asked.stop != nil {
		s.asked.stop()
	}
	return nil
}

func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// begin returns what the next reader is to ship, and a context that ends when that
// is no longer all.
func (a *asked) begin(ctx context.Context) (names []string, reading context.Context, stop context.CancelFunc) {
	a.mu.Lock()
	defer a.mu.Unlock()
	reading, a.stop = context.WithCancel(ctx)
	return a.names, reading, a.stop
}

// values is the fields of one entry. It implements ingest.Fields.
type values struct {
	names  []string
	values [][]byte // nil: there is none
}

// Field returns the value of a field that was asked for.
func (v *values) Field(name string) (value []byte, ok bool) {
	i, ok := slices.BinarySearch(v.names, name)
	if !ok || i >= len(v.values) || v.values[i] == nil {
		return nil, false
	}
	return v.values[i], true
}

// some says whether there is any.
func (v *values) some() bool {
	return slices.ContainsFunc(v.values, func(value []byte) bool { return value != nil })
}
