package livetest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// docs is where the pages are.
const docs = "../../../docs/pipelines"

// Snippet returns the block of a page of docs/pipelines whose fence has this language
// and name, "```rsyslog tcp.conf".
func Snippet(t testing.TB, page, language, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(docs, page))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), fmt.Sprintf("\n```%s %s\n", language, name))
	block, _, closed := strings.Cut(rest, "\n```\n")
	if !ok || !closed {
		t.Fatalf("%s has no block %q", page, language+" "+name)
	}
	return block + "\n"
}

// Snippets returns the names of all blocks of a language on a page, in their order.
func Snippets(t testing.TB, page, language string) (names []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(docs, page))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(line, "```"+language+" "); ok {
			names = append(names, strings.TrimSpace(name))
		}
	}
	return names
}
