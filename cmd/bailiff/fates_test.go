package main

import (
	"os"
	"strings"
	"testing"

	"bailiff/ingest"
)

// TestFatesAreTold holds that the manual has a word on everything that can become of
// a line.
func TestFatesAreTold(t *testing.T) {
	page, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range append(ingest.Fates(), ingest.Count{Name: ingest.InHand}, ingest.Count{Name: ingest.Queued}) {
		for _, word := range []string{c.Name, c.Reason} {
			if word != "" && !strings.Contains(string(page), "`"+word+"`") {
				t.Errorf("docs/cli.md does not say what %q is", word)
			}
		}
	}
}
