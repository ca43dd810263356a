package main

import (
	"os"
	"slices"
	"strings"

	"bailiff/cmd/internal/daemon"
	"bailiff/config"
	"bailiff/rules"
)

// matcher compiles the packs that were named, and the shipped ones if none was.
// Names are looked up as the daemon does: what lies in rules_dir comes before
// what is shipped.
func (f *flags) matcher(names []string) (*rules.Set, error) {
	if len(names) == 0 && f.config == "" {
		shipped, err := rules.Embedded()
		if err != nil {
			return nil, err
		}
		return rules.Compile(shipped...)
	}
	var known []*rules.Pack
	if len(names) == 0 || slices.ContainsFunc(names, func(name string) bool { return !isFile(name) }) {
		var err error
		if known, err = f.configuredPacks(); err != nil {
			return nil, err
		}
	}
	if len(names) == 0 {
		return rules.Compile(known...)
	}
	var packs []*rules.Pack
	for _, name := range names {
		pack, err := findPack(known, name)
		if err != nil {
			return nil, err
		}
		packs = append(packs, pack)
	}
	return rules.Compile(packs...)
}

// isFile tells a file from the name of a pack, which has neither of these.
func isFile(name string) bool {
	return strings.Contains(name, "/") || strings.HasSuffix(name, ".toml")
}

// configuredPacks returns all packs that jails may name.
func (f *flags) configuredPacks() ([]*rules.Pack, error) {
	c, err := config.Load(f.config)
	if err != nil {
		return nil, err
	}
	return daemon.Packs(c)
}

// findPack returns the pack of a name or a file.
func findPack(known []*rules.Pack, name string) (*rules.Pack, error) {
	if isFile(name) {
		return readPack(name)
	}
	for _, p := range known {
		if p.Name == name {
			return p, nil
		}
	}
	var names []string
	for _, p := range known {
		names = append(names, p.Name)
	}
	slices.Sort(names)
	return nil, usage("packs are "+strings.Join(names, ", "), "there is no pack %q", name)
}

// readPack reads one pack from a file.
func readPack(path string) (*rules.Pack, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, usage("", "read pack: %w", err)
	}
	return rules.Parse(path, text)
}
