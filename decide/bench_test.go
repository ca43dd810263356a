package decide

import (
	"net/netip"
	"runtime"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"bailiff/rules"
)

// flooded returns an engine that watches as many addresses as it may.
func flooded(tb testing.TB) *Engine {
	tb.Helper()
	opt := DefaultOptions()
	opt.Jails = []Jail{DefaultJail("sshd", "sshd")}
	e, err := New(opt, nil)
	if err != nil {
		tb.Fatal(err)
	}
	for i := range opt.MaxKeys {
		e.Observe(stranger(i), epoch)
		if i%500 == 0 {
			e.Touched()
		}
	}
	e.Touched()
	return e
}

// stranger is a failure of the nth address.
func stranger(n int) *rules.Match {
	m := failure("10.0.0.1", epoch)
	m.Addr = netip.AddrFrom4([4]byte{byte(n>>24) + 1, byte(n >> 16), byte(n >> 8), byte(n)})
	return m
}

// BenchmarkFlood has each match evict a window.
func BenchmarkFlood(b *testing.B) {
	e := flooded(b)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		e.Observe(stranger(1<<24+i), epoch)
		if i%500 == 0 {
			e.Touched()
		}
	}
}

// BenchmarkExpire is what a second costs in which nothing ends.
func BenchmarkExpire(b *testing.B) {
	e := flooded(b)
	for b.Loop() {
		e.Expire(epoch.Add(time.Minute))
	}
}

// BenchmarkSweep is what a second costs after a flood.
func BenchmarkSweep(b *testing.B) {
	e := flooded(b)
	for b.Loop() {
		if e.Expire(epoch.Add(time.Hour)); e.watched < sweepBudget {
			b.StopTimer()
			e = flooded(b)
			b.StartTimer()
		}
		e.Touched()
	}
}

// BenchmarkMemory reports what one watched address and one ban occupy.
func BenchmarkMemory(b *testing.B) {
	for b.Loop() {
		before := inUse()
		e := flooded(b)
		b.ReportMetric(float64(inUse()-before)/float64(e.watched), "B/window")
		before = inUse()
		for i := range 100_000 {
			d := Decision{Prefix: host(stranger(1<<24 + i).Addr), At: epoch, Until: epoch.Add(time.Hour + time.Duration(i)), Origin: "operator"}
			if _, err := e.Admit(d, epoch); err != nil {
				b.Fatal(err)
			}
			e.Committed()
		}
		b.ReportMetric(float64(inUse()-before)/100_000, "B/ban")
		start := time.Now()
		e.Bans(epoch)
		b.ReportMetric(float64(time.Since(start).Microseconds()), "µs/Bans")
		start = time.Now()
		e.SetGuards([]Guard{{netip.MustParsePrefix("127.0.0.0/8"), "loopback"}}, epoch)
		b.ReportMetric(float64(time.Since(start).Microseconds()), "µs/SetGuards")
		runtime.KeepAlive(e)
	}
}

func inUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkMatch judges one line among so many addresses that are watched, none of which
// has done enough: each is heard of in turn, once in the time that its window spans. It
// reports the processor time of that, and what one address occupies.
func BenchmarkMatch(b *testing.B) {
	for _, watched := range []int{10, 10_000, 1_000_000} {
		b.Run(strconv.Itoa(watched), func(b *testing.B) {
			opt := DefaultOptions()
			j := DefaultJail("sshd", "sshd")
			opt.Jails, opt.MaxKeys = []Jail{j}, watched+1
			before := inUse()
			e, err := New(opt, nil)
			if err != nil {
				b.Fatal(err)
			}
			n := 0
			next := func() {
				m := stranger(n % watched)
				m.Time = epoch.Add(time.Duration(n) * (j.FindTime / time.Duration(watched)))
				if got := e.Observe(m, m.Time); got != nil {
					b.Fatalf("%+v", got)
				}
				if n++; n%500 == 0 {
					e.Touched()
				}
			}
			for range 2 * watched {
				next()
			}
			e.Touched()
			each := float64(inUse()-before) / float64(watched)
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			worked := processor(b)
			for b.Loop() {
				next()
			}
			b.ReportMetric(float64(processor(b)-worked)/float64(b.N), "cpu-ns/op")
			b.ReportMetric(each, "B/window")
			if e.watched != watched {
				b.Fatalf("%d are watched", e.watched)
			}
		})
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
