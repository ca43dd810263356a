//go:build !cgo

package journald

import (
	"errors"
	"strings"
	"testing"

	"bailiff/ingest"
)

// A build without cgo says how to get one with it.
func TestNoCgo(t *testing.T) {
	src, err := New(DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	err = src.Run(t.Context(), func(*ingest.Entry) {})
	if last := (*Error)(nil); !errors.As(err, &last) || !strings.Contains(last.Hint(), "libsystemd-dev") {
		t.Errorf("Run: %v", err)
	}
}
