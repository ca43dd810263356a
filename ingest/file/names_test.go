package file

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRotated(t *testing.T) {
	for name, want := range map[string]bool{
		"app.log.1": true, "app.log-20261123": true, "app.log.2026-11-23T01:00": true, "app.log.old": true, "app.log~": true,
		"app.1.log": true, "app-20261123.log": true, "app.log.10": true,
		"app.log": false, "app.log.1.gz": false, "app.logger": false, "app.log.custom": false, "app.log1": false,
		"app2.log": false, "app-auth.log": false, "app.log.": false, "app.log.-": false, "b.log.1": false,
	} {
		if got := rotated("app.log", name); got != want {
			t.Errorf("%s: %v", name, got)
		}
		if got := aged("/d.1/" + name); got != want && name != "b.log.1" && name != "app.log.1.gz" {
			t.Errorf("%s aged: %v", name, got)
		}
		if got := originated("/d/"+name, map[string]bool{"/d/app.log": true, "/e/app": true}); got != want {
			t.Errorf("%s originated: %v", name, got)
		}
	}
	if !rotated("messages", "messages-20261123") || rotated("messages", "messages2") || rotated(".log", "1.log") {
		t.Error("a name without an ending")
	}
}

func TestExpand(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a/x.log", "a/y.log", "b/x.log", "b/x.txt", "c"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(dir, "a"), filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ pattern, want, err string }{
		{pattern: "a/x.log", want: "a/x.log"},
		{pattern: "a/*.log", want: "a/x.log a/y.log"},
		{pattern: "[ab]/x.???", want: "a/x.log b/x.log b/x.txt"},
		{pattern: "*/x.log", want: "a/x.log b/x.log link/x.log"},
		{pattern: "*/y.log", want: "a/y.log link/y.log"},
		{pattern: "c/x.log", err: "not a directory"},
		{pattern: "c/*", err: "not a directory"},
		{pattern: "a/z.log", err: "no such file"},
		{pattern: "a/z*"},
		{pattern: "d/z*", err: "no such file"},
	} {
		got, err := expand(filepath.Join(dir, c.pattern))
		for i := range got {
			got[i], _ = filepath.Rel(dir, got[i])
		}
		if d := cmp.Diff(c.want, strings.Join(got, " ")); d != "" {
			t.Errorf("%s: %s", c.pattern, d)
		}
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: error %v, want %q", c.pattern, err, c.err)
		}
	}
}

func TestCompressed(t *testing.T) {
	for _, name := range []string{"m.1.gz", "m.ZST", "m.xz", "m.bz2", "m.Z"} {
		if !compressed(name) {
			t.Errorf("%s is not taken for compressed", name)
		}
	}
	if compressed("m.1") || compressed("gz") {
		t.Error("a plain file is taken for compressed")
	}
	if !packed([]byte("\x1f\x8b\x08")) || packed([]byte("Nov 23")) || packed(nil) {
		t.Error("signatures")
	}
}

func TestCheckPath(t *testing.T) {
	for _, p := range []string{"/var/log/x", "/var/log/*/x[0-9]"} {
		if err := CheckPath(p); err != nil {
			t.Error(err)
		}
	}
	for _, p := range []string{"", "x", "/var/log/", "/var/log/[x", "/var/**/x"} {
		if CheckPath(p) == nil {
			t.Errorf("%q was taken", p)
		}
	}
}
