package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// Every command that the pages name is one, with the flags that they give it.
func TestPagesNameCommandsThatThereAre(t *testing.T) {
	for page, least := range map[string]int{"from-fail2ban.md": 20, "decisions.md": 3} {
		text, err := os.ReadFile("../../docs/" + page)
		if err != nil {
			t.Fatal(err)
		}
		found := regexp.MustCompile("`bailiff ([^`]+)`").FindAllStringSubmatch(string(text), -1)
		if len(found) < least {
			t.Errorf("%s names %d commands, want %d", page, len(found), least)
		}
		for _, f := range found {
			args := strings.Fields(f[1])
			cmd, rest, err := newRoot().Find(args)
			if err == nil {
				err = cmd.ParseFlags(rest)
			}
			if err == nil && cmd.Args != nil && len(args) > 1 {
				err = cmd.Args(cmd, cmd.Flags().Args())
			}
			if err != nil || cmd.Parent() == nil {
				t.Errorf("%s: bailiff %s: %v", page, f[1], err)
			}
		}
	}
}
