package syslog

import (
	"sync/atomic"

	"bailiff/ingest"
)

// tally counts what became of the lines of one listener, and of its connections.
type tally struct {
	lines                 ingest.Ledger
	connsAddr, connsLimit atomic.Uint64
}

// Counts tells what became of the lines; see ingest.Balance. Totals whose reason
// begins with "connections" are not of lines. What the kernel dropped because its
// buffer was full was never received: it is lost.
func (l *Listener) Counts() []ingest.Count {
	l.mu.Lock()
	if u, ok := l.sock.(*udpSocket); ok {
		u.countDrops()
	}
	l.mu.Unlock()

	n := &l.n
	switch l.ep.network {
	case "udp":
		return n.lines.Counts(ingest.Truncated, ingest.RefusedAddress, ingest.MalformedEmpty, ingest.LostKernel)
	case "tcp":
		return append(n.lines.Counts(ingest.Truncated, ingest.MalformedFraming),
			ingest.Count{Name: "refused", Reason: "connections by address", N: n.connsAddr.Load()},
			ingest.Count{Name: "refused", Reason: "connections over limit", N: n.connsLimit.Load()})
	}
	return n.lines.Counts(ingest.Truncated, ingest.RefusedUID, ingest.MalformedEmpty)
}
