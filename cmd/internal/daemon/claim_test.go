package daemon

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestClaim: one process has the table of a network namespace, until it is gone.
func TestClaim(t *testing.T) {
	name := fmt.Sprintf("@bailiff/test/%d", os.Getpid())
	first, err := claim(t.Context(), name, quiet)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := claim(t.Context(), name, quiet); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("another bailiff (pid %d)", os.Getpid())) {
			t.Errorf("a second claim: %v", err)
		}
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := claim(t.Context(), name, quiet)
	if err != nil {
		t.Fatalf("after the end of the first: %v", err)
	}
	again.Close()
}
