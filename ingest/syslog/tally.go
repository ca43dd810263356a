package syslog

import (
	"sync/atomic"

	"bailiff/ingest"
)

// tally counts what became of the lines of one listener, and of its connections.
type tally struct {
	lines ingest.Ledger
	// Connections that were refused, by address, user, limit and TLS; that had to
	// go for others; and whose frames could not be found again.
	connsAddr, connsUID, connsLimit, connsTLS, connsClosed, connsLost atomic.Uint64
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
	case "tcp", "tls", "unix":
		counts := n.lines.Counts(ingest.Truncated, ingest.MalformedFraming)
		refused := func(reason string, n *atomic.Uint64) {
			counts = append(counts, ingest.Count{Name: "refused", Reason: "connections " + reason, N: n.Load()})
		}
		if l.ep.network == "unix" {
			refused("by user", &n.connsUID)
		} else {
			refused("by address", &n.connsAddr)
		}
		if l.ep.network == "tls" {
			refused("by tls", &n.connsTLS)
		}
		refused("over limit", &n.connsLimit)
		refused("closed for others", &n.connsClosed)
		refused("out of step", &n.connsLost)
		return counts
	}
	return n.lines.Counts(ingest.Truncated, ingest.RefusedUID, ingest.MalformedEmpty)
}
