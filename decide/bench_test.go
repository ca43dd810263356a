package decide

import (
	"net/netip"
	"runtime"
	"testing"
	"time"

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
