package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bailiff/rules"
)

const packListHead = `# Shipped packs

What bailiff recognises without a pack of yours, and what must be switched on for it. Each pack begins with what it was read from, what was run for real, which of a
daemon's lines count once, and who can write what in them: ` + "`bailiff rules show --source NAME`" + `. An optional pack is judged only by a jail that names it. What is missing stands in
[wanted.md](wanted.md).

| pack | reads | needs |
|---|---|---|
`

// docs/packs.md lists the shipped packs as they are; UPDATE=1 writes it.
func TestPackList(t *testing.T) {
	packs, err := rules.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	cell := strings.NewReplacer("|", "\\|", "\n", " ")
	list := packListHead
	for _, p := range packs {
		name := "`" + p.Name + "`"
		if p.Optional {
			name += " (optional)"
		}
		if p.Needs == "" {
			t.Errorf("%s does not say what it needs", p.Name)
		}
		list += fmt.Sprintf("| %s | %s | %s |\n", name, cell.Replace(p.Description), cell.Replace(p.Needs))
	}
	const file = "../../docs/packs.md"
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(file, []byte(list), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(list, string(page)); diff != "" {
		t.Errorf("docs/packs.md; UPDATE=1 writes it: (-packs +page)\n%s", diff)
	}
}
