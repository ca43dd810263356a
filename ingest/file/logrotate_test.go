package file

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"bailiff/ingest"
)

// TestLogrotate runs the real logrotate on the configurations that the
// documentation gives, beside a daemon that writes all the time, and beside one
// that writes while nobody reads.
func TestLogrotate(t *testing.T) {
	logrotate, err := exec.LookPath("logrotate")
	if err != nil {
		logrotate, err = exec.LookPath("/usr/sbin/logrotate")
	}
	if err != nil {
		if os.Getenv("BAILIFF_REQUIRE") != "" {
			t.Fatal(err)
		}
		t.Skip("no logrotate here")
	}
	page, err := os.ReadFile("../../docs/pipelines/files.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?ms)^```logrotate (\\w+)\n(.*?)^```").FindAllStringSubmatch(string(page), -1)
	if len(blocks) != 2 {
		t.Fatalf("the page has %d configurations", len(blocks))
	}
	for _, block := range blocks {
		for _, glob := range []string{"full", "full*"} {
			for _, resumed := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s %s resumed %v", block[1], glob, resumed), func(t *testing.T) {
					testLogrotate(t, logrotate, block[2], glob, resumed)
				})
			}
		}
	}
}

func testLogrotate(t *testing.T, logrotate, config, glob string, resumed bool) {
	const rounds, lines = 6, 200
	opts, _ := stress(t, glob)
	dir := filepath.Dir(opts.Paths[0])
	// What differs from the page: where the logs are, whose they are, and how the
	// daemon is told.
	config = strings.ReplaceAll(config, "/var/log/asterisk", dir)
	config = strings.ReplaceAll(config, "create 0640 asterisk asterisk", "create 0640")
	config = regexp.MustCompile(`/usr/sbin/asterisk .*`).ReplaceAllString(config, "touch "+dir+"/reload")
	conf := filepath.Join(t.TempDir(), "logrotate.conf")
	if err := os.WriteFile(conf, []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}

	w := newWriter(t, filepath.Join(dir, "full"))
	rotate := func() {
		t.Helper()
		if out, err := exec.CommandContext(t.Context(), logrotate, "-f", "-s", conf+".state", conf).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		w.write(3) // not told yet
		if err := os.Remove(filepath.Join(dir, "reload")); err == nil {
			w.f.Close()
			w.open()
		}
	}
	g := newGauge(rounds*(lines+3) + 1)
	if !resumed {
		follow(t, opts, g, w, func() {
			for range rounds {
				before := w.next - 1
				w.write(lines)
				// What nobody read is compressed by the rotation after the next: six of them in
				// a tenth of a second are more than a busy machine keeps up with.
				g.await(before)
				rotate()
			}
		})
		return
	}
	w.write(1)
	src, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	for range rounds { // reads but for some lines, is killed, and logs are rotated
		ctx, cancel := context.WithCancel(t.Context())
		src.begin(func(e *ingest.Entry) {
			if g.take(e); int(g.n.Load()) == w.next-1-lines/4 {
				cancel()
			}
			opts.Cursor = append(opts.Cursor[:0], e.Cursor...)
		})
		w.write(lines)
		for src.read(ctx) {
		}
		cancel()
		src.end()
		if n := src.gaps.Load(); n > 0 {
			t.Errorf("%d gaps", n)
		}
		rotate()
		if src, err = New(opts); err != nil {
			t.Fatal(err)
		}
	}
	src.begin(g.take)
	for src.read(t.Context()) {
	}
	src.scan(false)
	for src.read(t.Context()) {
	}
	src.end()
	g.check(t)
	if n := src.gaps.Load(); n > 0 {
		t.Errorf("%d gaps", n)
	}
}
