package syslog

import (
	"errors"
	"net/netip"
	"os"
	"strconv"
	"time"

	"bailiff/ingest"
	"bailiff/ingest/sender"
)

// worker makes entries of the lines of one goroutine. What is known of the
// sender is set in entry by whoever reads the socket.
type worker struct {
	l      *Listener
	page   *ingest.Page
	h      ingest.Handler
	parser Parser
	entry  ingest.Entry

	key    sender.Key
	sign   ingest.Sign
	sender *sender.Sender // nil until the sender has written a line

	identifier []byte // a copy of Options.Identifier that handlers may not spoil
}

// from says that the next lines are of a network peer.
func (w *worker) from(peer netip.AddrPort) {
	if k := (sender.Key{Addr: peer.Addr()}); k != w.key || w.entry.Origin == "" {
		w.is(k, w.l.sign.Of(peer.Addr()))
	}
	w.entry.Peer = peer
}

// certified says that the next lines are of a network peer which showed a
// certificate with the names, or none.
func (w *worker) certified(peer netip.AddrPort, names []string) {
	if len(names) == 0 {
		w.from(peer)
		return
	}
	w.is(sender.Key{Name: names[0]}, w.l.sign.Named(w.l.opts.Origins.Certificate(names), names[0]))
	w.entry.Peer = peer
}

// of says that the next line is of a process of this machine, as the kernel says.
func (w *worker) of(uid, pid int) {
	if w.entry.UID != uid || w.entry.Origin == "" {
		name := "uid " + strconv.Itoa(uid)
		w.is(sender.Key{Name: name}, w.l.sign.Named(nil, name))
	}
	w.entry.UID, w.entry.PID = uid, pid
}

// is says who the sender of the next lines is.
func (w *worker) is(k sender.Key, sign ingest.Sign) {
	w.key, w.sign, w.sender = k, sign, nil
	w.entry.Origin, w.entry.Trust = sign.Origin, sign.Trust
}

// heard tells the sender's row of a line and returns when its stamp says that it
// was written, the zero time if that is not known.
func (w *worker) heard(h *Header) time.Time {
	e := &w.entry
	line := sender.Line{Received: e.Received, Dialect: e.Dialect, Stamp: h.Stamp.told(), Number: h.Number, Host: e.Host}
	for {
		if w.sender == nil {
			w.sender = w.l.senders.Of(w.key, w.sign, e.Received)
		}
		if written, ok := w.sender.Heard(&line); ok {
			return written
		}
		w.sender = nil // forgotten meanwhile
	}
}

func newWorker(l *Listener, h ingest.Handler) *worker {
	return &worker{l: l, page: l.n.lines.Page(), h: h, entry: ingest.Entry{Source: l.opts.Name, UID: -1, PID: -1}}
}

func (w *worker) close() { w.l.n.lines.Close(w.page) }

// deliver hands out one line, which was counted as received; cut says that its end
// is missing.
func (w *worker) deliver(line []byte, cut bool) {
	e := &w.entry
	header := w.parser.Parse(line, e)
	if len(e.Identifier) == 0 && w.l.opts.Identifier != "" {
		w.identifier = append(w.identifier[:0], w.l.opts.Identifier...)
		e.Identifier = w.identifier
	}
	e.Truncated = e.Truncated || cut
	e.Received = w.l.opts.Now()
	e.Time = header.Stamp.trusted(w.heard(header), e.Received, w.l.opts.MaxSkew)
	w.page.Entry(e)
	w.h(e)
	w.page.Add(ingest.Delivered)
}

const (
	// drainQuiet is how long nothing must arrive for a socket to be empty.
	drainQuiet = 2 * time.Millisecond
	// drainAtMost bounds the end against a sender that never stops.
	drainAtMost = time.Second
)

// drain lets a reader go on, once its context has ended, until it has read
// what was waiting. Whoever ends the context wakes the reader by a deadline in
// the past.
type drain struct {
	conn interface{ SetReadDeadline(time.Time) error }
	end  time.Time // zero until the context has ended
}

// before prepares a read.
func (d *drain) before() {
	if !d.end.IsZero() {
		_ = d.conn.SetReadDeadline(earlier(time.Now().Add(drainQuiet), d.end))
	}
}

// again says, of a read that failed with err, that it was only woken by the end
// of the context and what is waiting is still to be read.
func (d *drain) again(err error) bool {
	if !d.end.IsZero() || !errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	d.end = time.Now().Add(drainAtMost)
	return true
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
