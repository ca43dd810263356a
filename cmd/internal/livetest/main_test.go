package livetest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"bailiff/enforce/nft/nfttest"
	"bailiff/ingest/journald/journaltest"
)

// TestMain runs the tests as root of their own namespaces: nothing they do to
// the network, the journal or /run is seen outside.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == deaf {
		os.Exit(runDeaf(os.Args[2:]))
	}
	if code, done := journaltest.InNamespace(syscall.CLONE_NEWNET); done {
		os.Exit(code)
	}
	code := nfttest.InNamespace(m)
	if buildDir != "" {
		_ = os.RemoveAll(buildDir)
	}
	os.Exit(code)
}

var buildDir string

// build returns the path of the bailiff under test, built once.
var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "bailiff-live")
	if err != nil {
		return "", err
	}
	buildDir = dir
	path := filepath.Join(dir, "bailiff")
	if out, err := exec.Command("go", "build", "-o", path, "bailiff/cmd/bailiff").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build bailiff: %w\n%s", err, out)
	}
	return path, nil
})

// newBailiff returns a bailiff with a configuration; see New.
func newBailiff(t *testing.T, config string) *Bailiff {
	t.Helper()
	nfttest.Need(t)
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return New(t, path, config)
}
