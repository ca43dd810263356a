package store

import (
	"fmt"
	"net/netip"
	"os"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"bailiff/decide"
)

// remembered is how many addresses the benchmarks have on record.
const remembered = 50_000

func nth(n int) decide.Decision {
	a := netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
	d := ban("192.0.2.1/32", "sshd", now)
	d.ID = fmt.Sprintf("%032x", n)
	d.Prefix = netip.PrefixFrom(a, 32)
	d.Evidence = nil
	for i := range 5 {
		d.Evidence = append(d.Evidence, fmt.Sprintf("Failed password for invalid user admin%d from %v port %d ssh2", i, a, n&0xffff))
	}
	return d
}

// filled returns an open store with remembered bans.
func filled(b *testing.B) (*Store, Options) {
	b.Helper()
	opts := testOptions(b)
	s := mustOpen(b, opts)
	for n := 0; n < remembered; n += 100 {
		var batch Batch
		for i := range 100 {
			batch.Decisions = append(batch.Decisions, nth(n+i))
		}
		if err := s.Commit(batch); err != nil {
			b.Fatal(err)
		}
	}
	return s, opts
}

func BenchmarkCommit(b *testing.B) {
	s := mustOpen(b, testOptions(b))
	n := 0
	for b.Loop() {
		mustCommit(b, s, nth(n))
		n++
	}
}

// BenchmarkCommitWindows commits what a flood from many addresses leaves behind:
// so many windows of five lines each.
func BenchmarkCommitWindows(b *testing.B) {
	for _, size := range []int{100, 500} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			s := mustOpen(b, testOptions(b))
			var batch Batch
			for n := range size {
				d := nth(n)
				w := decide.Window{Jail: "sshd", Prefix: d.Prefix, Evidence: d.Evidence}
				for range 5 {
					w.Tallies = append(w.Tallies, decide.Tally{Time: now, Rule: "sshd/refused", Service: "ssh", Witness: "main", Lines: 1})
				}
				batch.Windows = append(batch.Windows, w)
			}
			for b.Loop() {
				if err := s.Commit(batch); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCommitAndSync(b *testing.B) {
	s := mustOpen(b, testOptions(b))
	n := 0
	for b.Loop() {
		mustCommit(b, s, nth(n))
		if err := s.Sync(); err != nil {
			b.Fatal(err)
		}
		n++
	}
}

func BenchmarkStrikes(b *testing.B) {
	s, _ := filled(b)
	for _, tc := range []struct {
		name string
		n    int
		want int
	}{{"known", 0, 1}, {"unknown", 1 << 20, 0}} {
		b.Run(tc.name, func(b *testing.B) {
			n := 0
			for b.Loop() {
				n = (n + 7919) % remembered
				strikes, err := s.Strikes(nth(tc.n+n).Prefix, "sshd", time.Time{})
				if err != nil || len(strikes) != tc.want {
					b.Fatalf("%v, %v", strikes, err)
				}
			}
		})
	}
}

func BenchmarkBans(b *testing.B) {
	s, _ := filled(b)
	for b.Loop() {
		if bans, err := s.Bans(now); err != nil || len(bans) != remembered {
			b.Fatalf("%d, %v", len(bans), err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	s, opts := filled(b)
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s, err := Open(opts)
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRest reports what anonymous memory a fresh process takes with a store
// of remembered addresses, all of which it has asked for once.
func BenchmarkRest(b *testing.B) {
	s, opts := filled(b)
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		out, err := self(b.Context(), "rest", opts.Dir).Output()
		if err != nil {
			b.Fatal(err)
		}
		var before, after float64
		if _, err := fmt.Sscan(string(out), &before, &after); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(before, "MiB-empty")
		b.ReportMetric(after, "MiB-anon")
	}
}

// rest prints the anonymous memory of this process before it opens the store and
// after it used it.
func rest(dir string) error {
	before, err := rssAnon()
	if err != nil {
		return err
	}
	opts := DefaultOptions()
	opts.Dir = dir
	s, err := Open(opts)
	if err != nil {
		return err
	}
	for n := range remembered {
		if _, err := s.Strikes(nth(n).Prefix, "", time.Time{}); err != nil {
			return err
		}
	}
	debug.FreeOSMemory()
	after, err := rssAnon()
	if err != nil {
		return err
	}
	fmt.Println(before, after)
	return s.Close()
}

// rssAnon returns the anonymous memory of this process in MiB
// (proc_pid_status(5)).
func rssAnon() (float64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(status), "RssAnon:")
	var kib float64
	_, err = fmt.Sscan(rest, &kib)
	return kib / 1024, err
}
