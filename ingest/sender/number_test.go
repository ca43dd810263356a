package sender

import (
	"math/rand/v2"
	"testing"
)

// count feeds numbers, one a second, and waits until nothing is late.
func count(of uint32, scheme Scheme, numbers ...uint32) uint64 {
	var l loss
	second := int64(1)
	for _, n := range numbers {
		l.settle(second)
		l.add(Number{scheme, n}, of, second)
		second++
	}
	l.settle(second + patience + 1)
	return l.lost
}

func run(from uint32, n int) (out []uint32) {
	for i := range n {
		out = append(out, from+uint32(i))
	}
	return out
}

func join(all ...[]uint32) (out []uint32) {
	for _, a := range all {
		out = append(out, a...)
	}
	return out
}

func TestLoss(t *testing.T) {
	const top = 1<<31 - 1
	for _, c := range []struct {
		name    string
		scheme  Scheme
		numbers []uint32
		want    uint64
	}{
		{"none", SequenceID, run(5, 500), 0},
		{"one", AudioCodesCount, join(run(5, 20), run(26, 20)), 1},
		{"the last but one", AudioCodesCount, []uint32{5, 6, 7, 9}, 1},
		{"up to the window", CiscoCount, join(run(1, 20), run(1+20+63, 20)), 63},
		{"over the window", CiscoCount, join(run(1, 20), run(1+20+64, 20)), 64},
		{"many", CiscoCount, join(run(1, 20), run(1021, 20)), 1000},
		{"many, and nothing follows yet", CiscoCount, join(run(1, 20), run(1021, 7)), 0},
		{"overtaking", CiscoCount, join(run(1, 20), []uint32{23, 22, 25, 21, 24}, run(26, 20)), 0},
		{"twice", CiscoCount, join(run(1, 20), run(10, 40)), 0},
		{"restart at 0", CiscoCount, join(run(5_000, 20), run(0, 20)), 0},
		{"restart at 0 soon", CiscoCount, join(run(1, 20), run(0, 40)), 0},
		{"restart far ahead", AudioCodesCount, join(run(1, 20), run(4_000_000, 20)), 0},
		{"restart from far ahead", AudioCodesCount, join(run(4_000_000_000, 20), run(1, 20)), 0},
		{"a gap, and a restart", AudioCodesCount, join(run(1, 20), run(22, 200), run(1, 20)), 1},
		{"round 32 bits", AudioCodesCount, join(run(1<<32-10, 10), run(0, 10)), 0},
		{"round 32 bits with a gap", AudioCodesCount, join(run(1<<32-10, 8), run(3, 10)), 5},
		{"round 31 bits", SequenceID, join(run(top-9, 10), run(1, 10)), 0},
		{"round 31 bits with a gap", SequenceID, join(run(top-9, 8), run(3, 10)), 4},
	} {
		if got := count(0, c.scheme, c.numbers...); got != c.want {
			t.Errorf("%s: %d lost, want %d", c.name, got, c.want)
		}
	}
}

// Two counters behind one address, of the same host or not, lose nothing.
func TestCountersBesideEachOther(t *testing.T) {
	for _, hosts := range [][2]uint32{{1, 1}, {1, 2}} {
		var l loss
		a, b := uint32(100), uint32(9_000)
		for range 500 {
			l.add(Number{CiscoCount, a}, hosts[0], 1)
			l.add(Number{CiscoCount, b}, hosts[1], 1)
			a, b = a+1, b+1
		}
		l.settle(100)
		if l.lost != 0 {
			t.Errorf("hosts %v: %d lost", hosts, l.lost)
		}
		for range 100 { // each third line of one of the two
			l.add(Number{CiscoCount, a}, hosts[0], 1)
			l.add(Number{CiscoCount, b}, hosts[1], 1)
			a, b = a+3, b+1
		}
		l.settle(100)
		if l.lost != 2*99 {
			t.Errorf("hosts %v: %d lost, want 198", hosts, l.lost)
		}
	}
}

// Whatever is lost and however datagrams overtake each other, exactly the lost
// lines are counted.
func TestLossIsExact(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		scheme := []Scheme{SequenceID, CiscoCount, AudioCodesCount}[seed%3]
		rate := []float64{0, 0.001, 0.05, 0.3}[seed/3%4]
		next := []uint32{1, 5000, 1<<31 - 300, 1<<31 - 1}[seed/12%4]
		var l loss
		var held []uint32
		outage := 0
		var want uint64
		send := func(n uint32) { l.add(Number{scheme, n}, 7, 1) }
		flush := func() {
			for _, n := range held {
				send(n)
			}
			held = nil
		}
		for i := range 3000 {
			n := next
			if next++; scheme == SequenceID && next == 1<<31 {
				next = 1
			}
			switch {
			case i > 20 && i < 2900 && r.Float64() < rate:
				want++
				if r.Float64() < 0.01 && i > outage+40 { // so that one is understood before the next
					outage = i
					flush()
					for range r.IntN(500) {
						want++
						if next++; scheme == SequenceID && next >= 1<<31 {
							next = 1
						}
					}
				}
			case i < 2900 && i > outage+2*convincing && r.Float64() < 0.05 && len(held) < 5:
				held = append(held, n)
			default:
				send(n)
				if len(held) > 0 && r.Float64() < 0.3 {
					send(held[0])
					held = held[1:]
				}
			}
			if i%50 == 49 { // so that nothing is late by more than the window
				flush()
			}
		}
		l.settle(patience + 2)
		if l.lost != want {
			t.Errorf("seed %d, loss %v: %d lost, want %d", seed, rate, l.lost, want)
		}
	}
}

// However hostile the numbers are, no more lines are lost than a gap may have for
// each of the lines that it takes to convince.
func FuzzLoss(f *testing.F) {
	f.Add([]byte{1, 2, 3, 200, 1, 0})
	f.Fuzz(func(t *testing.T, steps []byte) {
		var l loss
		n := uint32(0)
		for i, s := range steps {
			n += uint32(int8(s)) * uint32(int8(s)) * uint32(int8(s)) * 401
			l.add(Number{Scheme(1 + s%3), n}, uint32(s%2), int64(i))
			l.settle(int64(i))
		}
		if most := uint64(len(steps)) * (window + longestGap/convincing + 1); l.lost > most {
			t.Errorf("%d lost of %d lines", l.lost, len(steps))
		}
	})
}
