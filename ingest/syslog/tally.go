package syslog

import (
	"sync/atomic"

	"bailiff/ingest"
)

// tally counts what became of the lines of one listener.
type tally struct {
	received, delivered, truncated atomic.Uint64
	refusedAddr, refusedUID        atomic.Uint64
	framing, empty                 atomic.Uint64
	connsAddr, connsLimit          atomic.Uint64
	kernel                         atomic.Uint64
}

// Counts tells what became of the lines. Every line received was delivered,
// refused or malformed, so the sum of those three is received, except for
// totals whose reason begins with "connections". Truncated lines were
// delivered. What the kernel dropped because its buffer was full was never
// received: it is lost.
func (l *Listener) Counts() []ingest.Count {
	l.mu.Lock()
	if u, ok := l.sock.(*udpSocket); ok {
		u.countDrops()
	}
	l.mu.Unlock()

	n := &l.n
	counts := []ingest.Count{
		{Name: "received", N: n.received.Load()},
		{Name: "delivered", N: n.delivered.Load()},
		{Name: "truncated", N: n.truncated.Load()},
	}
	switch l.ep.network {
	case "udp":
		counts = append(counts,
			ingest.Count{Name: "refused", Reason: "address", N: n.refusedAddr.Load()},
			ingest.Count{Name: "malformed", Reason: "empty", N: n.empty.Load()},
			ingest.Count{Name: "lost", Reason: "kernel", N: n.kernel.Load()})
	case "tcp":
		counts = append(counts,
			ingest.Count{Name: "refused", Reason: "connections by address", N: n.connsAddr.Load()},
			ingest.Count{Name: "refused", Reason: "connections over limit", N: n.connsLimit.Load()},
			ingest.Count{Name: "malformed", Reason: "framing", N: n.framing.Load()})
	case "unixgram":
		counts = append(counts,
			ingest.Count{Name: "refused", Reason: "uid", N: n.refusedUID.Load()},
			ingest.Count{Name: "malformed", Reason: "empty", N: n.empty.Load()})
	}
	return counts
}
