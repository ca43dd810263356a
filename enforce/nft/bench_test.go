package nft_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"bailiff/decide"
	"bailiff/enforce/nft"
	"bailiff/enforce/nft/nfttest"
)

const many = 100_000

// BenchmarkBan is one ban of a new address, with the median and the 99th
// percentile of its latency.
func BenchmarkBan(b *testing.B) {
	for _, present := range []int{0, many} {
		b.Run(fmt.Sprintf("present=%d", present), func(b *testing.B) {
			f := filled(b, present)
			var took []time.Duration
			for b.Loop() {
				d := ban("192.0.2.7/32", time.Hour)
				began := time.Now()
				apply(b, f, d)
				took = append(took, time.Since(began))
				d.Action = decide.Lift
				apply(b, f, d)
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
		})
	}
}

// BenchmarkRestore puts 100,000 bans back into an empty kernel, and has nft -f
// do the same beside it.
func BenchmarkRestore(b *testing.B) {
	nfttest.Need(b)
	bans, file := manyBans(many), filepath.Join(b.TempDir(), "bans.nft")
	var elements strings.Builder
	for _, d := range bans {
		fmt.Fprintf(&elements, "%v timeout 1h, ", d.Prefix.Addr())
	}
	ruleset := "table inet bailiff { set banned4 { type ipv4_addr; flags timeout; counter; elements = { " + elements.String() + " }; }; }"
	if err := os.WriteFile(file, []byte(ruleset), 0o600); err != nil {
		b.Fatal(err)
	}
	var ours, theirs time.Duration
	n := 0
	for b.Loop() {
		nfttest.Fresh(b)
		f := open(b)
		began := time.Now()
		if err := f.Sync(b.Context(), bans); err != nil {
			b.Fatal(err)
		}
		ours += time.Since(began)
		f.Close()

		nfttest.Fresh(b)
		began = time.Now()
		if out, err := exec.Command("nft", "-f", file).CombinedOutput(); err != nil {
			b.Fatalf("nft -f: %v\n%s", err, out)
		}
		theirs += time.Since(began)
		n++
	}
	b.ReportMetric(float64(ours.Milliseconds())/float64(n), "sync-ms")
	b.ReportMetric(float64(theirs.Milliseconds())/float64(n), "nft-ms")
	b.ReportMetric(float64(ours)/float64(theirs), "ratio")
}

// BenchmarkSyncUnchanged compares 100,000 standing bans with what they should be.
func BenchmarkSyncUnchanged(b *testing.B) {
	f := filled(b, many)
	bans := manyBans(many)
	for b.Loop() {
		if err := f.Sync(b.Context(), bans); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRefused reads the counters of 10,000 bans.
func BenchmarkRefused(b *testing.B) {
	f := filled(b, 10_000)
	for b.Loop() {
		if _, err := f.Refused(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// filled is a firewall on which so many bans stand.
func filled(b *testing.B, n int) *nft.Firewall {
	nfttest.Need(b)
	nfttest.Fresh(b)
	f := open(b)
	if err := f.Sync(b.Context(), manyBans(n)); err != nil {
		b.Fatal(err)
	}
	return f
}

func manyBans(n int) []decide.Decision {
	bans := make([]decide.Decision, n)
	for i := range bans {
		bans[i] = ban("192.0.2.7/32", time.Hour)
		bans[i].Prefix = hostPrefix(i)
	}
	return bans
}
