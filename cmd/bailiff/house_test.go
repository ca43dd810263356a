package main

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The tests in this file hold the shape of the house: who may import whom, what
// the README says of it, and how large a file may grow.

const root = "../.."

// mayImport lists, for each room, the rooms it may import. What is deeper in a
// room may import what the room may, and the room itself.
var mayImport = map[string][]string{
	"ingest":  {},
	"rules":   {"ingest"},
	"decide":  {"ingest", "rules"},
	"store":   {"ingest", "rules", "decide"},
	"enforce": {"rules", "decide"},
	"config":  {"ingest", "rules", "decide", "store", "enforce"},
	"cmd":     {"ingest", "rules", "decide", "store", "enforce", "config"},
}

// only lists libraries that one room alone may import.
var only = map[string]string{
	"github.com/google/nftables":                 "enforce/nft",
	"github.com/dgraph-io/badger":                "store",
	"github.com/prometheus/client_golang":        "cmd/internal/admin",
	"github.com/coreos/go-systemd/v22/sdjournal": "ingest/journald",
	"github.com/influxdata/go-syslog":            "ingest/syslog",
	"github.com/fsnotify/fsnotify":               "ingest/file",
}

type source struct {
	path string // slash-separated, from the root
	file *ast.File
	text []byte
}

func sources(t *testing.T) []source {
	t.Helper()
	var out []source
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root && strings.HasPrefix(d.Name(), ".") {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".go" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, text, parser.ParseComments)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		out = append(out, source{filepath.ToSlash(rel), file, text})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (s *source) isTest() bool { return strings.HasSuffix(s.path, "_test.go") }

// testOnly are packages that exist for tests; they may reach further.
func (s *source) testOnly() bool {
	return s.isTest() || strings.HasSuffix(filepath.Dir(s.path), "test")
}

func TestCodeLivesInTheRooms(t *testing.T) {
	for _, s := range sources(t) {
		room, _, _ := strings.Cut(s.path, "/")
		if _, ok := mayImport[room]; !ok {
			t.Errorf("%s lies outside the seven rooms", s.path)
		}
	}
}

func TestImportGraph(t *testing.T) {
	for _, s := range sources(t) {
		room, _, _ := strings.Cut(s.path, "/")
		for _, imp := range s.file.Imports {
			name := strings.Trim(imp.Path.Value, `"`)
			for library, home := range only {
				if strings.HasPrefix(name, library) && !strings.HasPrefix(s.path, home+"/") {
					t.Errorf("%s imports %s; only %s may", s.path, name, home)
				}
			}
			inside, ok := strings.CutPrefix(name, "bailiff/")
			if !ok || s.testOnly() {
				continue
			}
			other, _, _ := strings.Cut(inside, "/")
			if other != room && !slices.Contains(mayImport[room], other) {
				t.Errorf("%s imports %s; %s may import only %v", s.path, name, room, mayImport[room])
			}
		}
	}
}

// TestReadmeFollowsALine checks that the five files the README opens with
// exist, in the order in which a line travels through them.
func TestReadmeFollowsALine(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	rest := readme
	for _, path := range []string{
		"ingest/syslog/syslog.go", "ingest/journald/journald.go", "cmd/internal/daemon/pipeline.go",
		"rules/set.go", "decide/engine.go", "enforce/nft/nft.go",
	} {
		if _, err := os.Stat(filepath.Join(root, path)); err != nil {
			t.Errorf("the README's line passes through a file that is not there: %v", err)
		}
		_, after, ok := bytes.Cut(rest, []byte(path))
		if !ok {
			t.Fatalf("README.md does not name %s after the file before it", path)
		}
		rest = after
	}
	for _, link := range regexp.MustCompile(`\]\(([^)#]+)\)`).FindAllSubmatch(readme, -1) {
		if target := string(link[1]); !strings.Contains(target, "://") {
			if _, err := os.Stat(filepath.Join(root, target)); err != nil {
				t.Errorf("README.md links to %s, which is not there", target)
			}
		}
	}
}

func TestFilesStaySmall(t *testing.T) {
	const longest = 450
	for _, s := range sources(t) {
		if n := bytes.Count(s.text, []byte("\n")); n > longest {
			t.Errorf("%s has %d lines; split it, %d is the most", s.path, n, longest)
		}
	}
}

func TestInterfacesStaySmall(t *testing.T) {
	const most = 3
	for _, s := range sources(t) {
		ast.Inspect(s.file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if i, ok := spec.Type.(*ast.InterfaceType); ok && len(i.Methods.List) > most {
				t.Errorf("%s: interface %s has %d methods; %d is the most", s.path, spec.Name.Name, len(i.Methods.List), most)
			}
			return true
		})
	}
}

func TestEveryPackageHasOneDoc(t *testing.T) {
	docs, packages := map[string]int{}, map[string]bool{}
	for _, s := range sources(t) {
		if s.isTest() {
			continue
		}
		dir := filepath.Dir(s.path)
		packages[dir] = true
		if s.file.Doc != nil {
			docs[dir]++
		}
	}
	for dir := range packages {
		if docs[dir] != 1 {
			t.Errorf("package %s has %d package comments, want 1", dir, docs[dir])
		}
	}
}

// TestExportedNamesAreDocumented covers functions, methods of exported types and
// types.
func TestExportedNamesAreDocumented(t *testing.T) {
	for _, s := range sources(t) {
		if s.isTest() {
			continue
		}
		for _, decl := range s.file.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) {
					t.Errorf("%s: %s has no comment", s.path, d.Name.Name)
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if ts, ok := spec.(*ast.TypeSpec); ok && ts.Name.IsExported() && ts.Doc == nil && d.Doc == nil {
						t.Errorf("%s: type %s has no comment", s.path, ts.Name.Name)
					}
				}
			}
		}
	}
}

func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	exported := false
	ast.Inspect(d.Recv.List[0].Type, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && !exported {
			exported = id.IsExported()
			return false
		}
		return true
	})
	return exported
}
