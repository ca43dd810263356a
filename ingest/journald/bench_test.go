//go:build linux && cgo

package journald_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bailiff/ingest"
	"bailiff/ingest/journald"
	"bailiff/ingest/journald/journaltest"
)

// BenchmarkLatency measures from the write to the call of the handler, with a
// line every few milliseconds, through the child.
func BenchmarkLatency(b *testing.B) {
	for _, every := range []time.Duration{7 * time.Millisecond, 97 * time.Millisecond, time.Second} {
		b.Run(fmt.Sprint("every ", every), func(b *testing.B) {
			journaltest.Start(b)
			write := writer(b)
			got := make(chan time.Duration, 1)
			run(b, options(true), func(e *ingest.Entry) {
				var sent int64
				if _, err := fmt.Sscanf(string(e.Message), "at %d", &sent); err == nil {
					got <- time.Since(time.Unix(0, sent))
				}
			})
			for ready := false; !ready; {
				write(fmt.Sprint("at ", time.Now().UnixNano()))
				select {
				case <-got:
					ready = true
				case <-time.After(100 * time.Millisecond):
				}
			}
			var took []time.Duration
			for b.Loop() {
				time.Sleep(every)
				write(fmt.Sprint("at ", time.Now().UnixNano()))
				took = append(took, <-got)
			}
			slices.Sort(took)
			ms := func(q float64) float64 {
				return float64(took[int(q*float64(len(took)-1))].Microseconds()) / 1000
			}
			b.ReportMetric(ms(0.5), "p50-ms")
			b.ReportMetric(ms(0.99), "p99-ms")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkBacklog reads a journal that is there already, from the beginning.
func BenchmarkBacklog(b *testing.B) {
	for name, child := range map[string]bool{"in process": false, "child": true} {
		b.Run(name, func(b *testing.B) {
			j := journaltest.Start(b)
			write := writer(b)
			const lines = 100_000
			for i := range lines {
				write(fmt.Sprintf("Failed password for invalid user admin%d from 198.51.100.7 port 40022 ssh2", i))
			}
			j.Sync()
			for b.Loop() {
				opts := options(child)
				opts.Since = time.Hour
				var n atomic.Int64
				done := make(chan struct{})
				run(b, opts, func(*ingest.Entry) {
					if n.Add(1) == lines {
						close(done)
					}
				})
				<-done
				if child {
					b.ReportMetric(rss(b, children(b)[0]), "child-anon-MB")
				}
			}
			b.ReportMetric(float64(lines)*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// run runs a source until the benchmark ends.
func run(b *testing.B, opts journald.Options, h ingest.Handler) {
	b.Helper()
	src, err := journald.New(opts)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- src.Run(ctx, h) }()
	b.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
	})
}

// rss is the anonymous memory of a process; what it maps of the journal is
// shared and reclaimable.
func rss(b *testing.B, pid int) float64 {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	_, after, _ := strings.Cut(string(status), "RssAnon:")
	var kb float64
	if _, err := fmt.Sscan(after, &kb); err != nil {
		b.Fatal(err)
	}
	return kb / 1024
}
