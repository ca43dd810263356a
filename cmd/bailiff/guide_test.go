package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The guide for authors of packs is what happens: its files are written, its
// commands run, and their answers are those on the page.
func TestGuide(t *testing.T) {
	page, err := os.ReadFile("../../docs/writing-packs.md")
	if err != nil {
		t.Fatal(err)
	}
	dir, bin := t.TempDir(), t.TempDir()
	if out, err := exec.Command("go", "build", "-o", filepath.Join(bin, "bailiff"), ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	commands := 0
	for _, block := range regexp.MustCompile("(?ms)^```(\\w+) ?([\\w.]*)\n(.*?)^```").FindAllStringSubmatch(string(page), -1) {
		kind, file, text := block[1], block[2], block[3]
		if file != "" {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if kind != "console" {
			continue
		}
		for _, step := range strings.Split("\n"+text, "\n$ ")[1:] {
			command, want, _ := strings.Cut(step, "\n")
			cmd := exec.Command("sh", "-c", command)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
			got, _ := cmd.CombinedOutput() // a finding is no failure of the page
			if diff := cmp.Diff(strings.TrimRight(want, "\n"), strings.TrimRight(string(got), "\n")); diff != "" {
				t.Errorf("%s: (-page +answer)\n%s", command, diff)
			}
			commands++
		}
	}
	if commands < 6 {
		t.Errorf("the page has %d commands", commands)
	}
}
