package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every command that the pages name is one, with the flags that they give it.
func TestPagesNameCommandsThatThereAre(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob("../../docs/*/*.md")
	if err != nil {
		t.Fatal(err)
	}
	commands := 0
	for _, page := range append(append(pages, more...), "../../README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range regexp.MustCompile("`(?:sudo )?bailiff ([^`\n]+)`").FindAllStringSubmatch(string(text), -1) {
			if strings.HasPrefix(f[1], "COMMAND") {
				continue
			}
			commands++
			args := strings.Fields(f[1])
			cmd, rest, err := newRoot().Find(args)
			if err == nil {
				err = cmd.ParseFlags(rest)
			}
			if err != nil || cmd.Parent() == nil {
				t.Errorf("%s: bailiff %s: %v", page, f[1], err)
			}
		}
	}
	if commands < 60 {
		t.Errorf("the pages name %d commands", commands)
	}
}
