package store

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"bailiff/decide"
)

// scattered is the nth of very many addresses, in no order.
func scattered(n int) netip.Prefix {
	b := uint32(n) * 2654435761
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(b >> 24), byte(b >> 16), byte(b >> 8), byte(b)}), 32)
}

// offender is its ban. The evidence lies elsewhere and is left out.
func offender(n int) decide.Decision {
	d := ban("192.0.2.1/32", "sshd", now)
	d.ID, d.Prefix, d.Evidence = strconv.Itoa(n), scattered(n), nil
	return d
}

// offenders are the sizes of BenchmarkRemembered. BAILIFF_OFFENDERS names others.
func offenders(b *testing.B) []int {
	b.Helper()
	sizes := []int{10, 10_000, 1_000_000}
	if text := os.Getenv("BAILIFF_OFFENDERS"); text != "" {
		sizes = nil
		for s := range strings.SplitSeq(text, ",") {
			n, err := strconv.Atoi(s)
			if err != nil {
				b.Fatal(err)
			}
			sizes = append(sizes, n)
		}
	}
	return sizes
}

// remembering is a store of so many offenders. One that was made before in the folder that
// BAILIFF_OFFENDERS_DIR names is used again.
func remembering(b *testing.B, size int) *Store {
	b.Helper()
	opts := testOptions(b)
	opts.Retain = 0 // they are of a day that is long past
	if dir := os.Getenv("BAILIFF_OFFENDERS_DIR"); dir != "" {
		opts.Dir = filepath.Join(dir, strconv.Itoa(size))
		if _, err := os.Stat(opts.Dir); err == nil {
			return mustOpen(b, opts)
		}
	}
	s, start := mustOpen(b, opts), time.Now()
	for n := 0; n < size; {
		var batch Batch
		for ; n < size && len(batch.Decisions) < 500; n++ {
			batch.Decisions = append(batch.Decisions, offender(n))
		}
		if err := s.Commit(batch); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	b.Logf("%d offenders on record in %v", size, time.Since(start))
	return mustOpen(b, opts) // what Badger does behind a filled store is over
}

// BenchmarkRemembered asks for the strikes of one address, and records a ban, in stores of
// very different sizes. It reports the processor time of asking.
func BenchmarkRemembered(b *testing.B) {
	for _, size := range offenders(b) {
		s := remembering(b, size)
		r := rand.New(rand.NewPCG(1, 2))
		for _, who := range []struct {
			name        string
			from, count int
		}{{"known", 0, 1}, {"unknown", 1 << 28, 0}} {
			b.Run(fmt.Sprint(who.name, "/", size), func(b *testing.B) {
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				before := processor(b)
				for b.Loop() {
					strikes, err := s.Strikes(scattered(who.from+r.IntN(size)), "sshd", time.Time{})
					if err != nil || len(strikes) != who.count {
						b.Fatalf("%v, %v", strikes, err)
					}
				}
				b.ReportMetric(float64(processor(b)-before)/float64(b.N), "cpu-ns/op")
			})
		}
		b.Run(fmt.Sprint("ban/", size), func(b *testing.B) {
			n := 1 << 29
			for b.Loop() {
				mustCommit(b, s, offender(n))
				n++
			}
		})
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// processor is the time that this thread has worked (getrusage(2)).
func processor(b *testing.B) time.Duration {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
