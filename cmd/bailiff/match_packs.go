package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"bailiff/rules"
	"bailiff/rules/tomlkeys"
)

// matcher compiles packs.
func (f *flags) matcher(names []string) (*rules.Set, error) {
	packs, err := f.packs(names)
	if err != nil {
		return nil, err
	}
	return rules.Compile(packs...)
}

// packs returns the packs that were named, and the shipped ones if none was. Names
// are looked up as the daemon does: what lies in rules_dir comes before what is
// shipped.
func (f *flags) packs(names []string) ([]*rules.Pack, error) {
	library, err := f.library(names)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return library.Packs, nil
	}
	var packs []*rules.Pack
	for _, name := range names {
		pack, err := findPack(library, name)
		if err != nil {
			return nil, err
		}
		packs = append(packs, pack)
	}
	return packs, nil
}

// isFile tells a file from the name of a pack, which has neither of these.
func isFile(name string) bool {
	return strings.Contains(name, "/") || strings.HasSuffix(name, ".toml")
}

// library returns the packs to find names in: all that jails may name, or only the
// shipped ones if neither a configuration nor a pack is named.
func (f *flags) library(names []string) (*rules.Library, error) {
	if f.config == "" && !slices.ContainsFunc(names, func(name string) bool { return !isFile(name) }) {
		return rules.Shipped()
	}
	return f.configured()
}

// findPack returns the pack of a name or a file.
func findPack(library *rules.Library, name string) (*rules.Pack, error) {
	if isFile(name) {
		return readPack(library, name)
	}
	if p := library.Pack(name); p != nil {
		return p, nil
	}
	hint := "bailiff rules lists them"
	if near := tomlkeys.Nearest(name, library.Names()); near != "" {
		hint = fmt.Sprintf("did you mean %q?", near)
	}
	return nil, usage(hint, "there is no pack %q", name)
}

// readPack reads one pack from a file, which may extend one of the library.
func readPack(library *rules.Library, path string) (*rules.Pack, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, usage("", "read pack: %w", err)
	}
	return library.Parse(path, text)
}
