package file

import (
	"bytes"
	"fmt"
	"os"
	"testing"

	"bailiff/ingest"
	"bailiff/ingest/stream"
)

// BenchmarkRead reads lines that are there, from the file to a handler that does
// nothing.
func BenchmarkRead(b *testing.B) {
	lines := map[stream.Format]string{
		stream.Syslog:  "Nov 23 01:38:44 pbx sshd[812345]: Failed password for invalid user admin from 198.51.100.7 port 40022 ssh2\n",
		stream.Message: "[2026-11-23 01:38:44] NOTICE[4242] chan_sip.c: Registration from '<sip:101@192.0.2.1>' failed for '198.51.100.7:5060' - Wrong password\n",
	}
	for _, format := range []stream.Format{stream.Syslog, stream.Message} {
		for _, files := range []int{1, 100} {
			b.Run(fmt.Sprintf("%s/files=%d", format, files), func(b *testing.B) {
				dir, line := b.TempDir(), lines[format]
				each := b.N/files + 1
				text := bytes.Repeat([]byte(line), each)
				for i := range files {
					if err := os.WriteFile(fmt.Sprintf("%s/%d.log", dir, i), text, 0o644); err != nil {
						b.Fatal(err)
					}
				}
				opts := DefaultOptions()
				opts.Paths, opts.Format, opts.FromStart, opts.Identifier = []string{dir + "/*.log"}, format, true, "sshd"
				src, err := New(opts)
				if err != nil {
					b.Fatal(err)
				}
				n := 0
				b.SetBytes(int64(len(line)))
				b.ReportAllocs()
				b.ResetTimer()
				src.begin(func(e *ingest.Entry) { n++ })
				for src.read(b.Context()) {
				}
				b.StopTimer()
				src.end()
				if n != each*files {
					b.Fatalf("%d of %d lines", n, each*files)
				}
				b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "lines/s")
			})
		}
	}
}
