// Package ingest turns log transports into normalised entries.
//
// A [Source] reads one transport (the journal, a syslog listener, a stream) and
// hands every line to a [Handler] as an [Entry]. Nothing here decides anything:
// an entry says what was written, who is known to have written it, and how far
// that knowledge goes.
//
// # Ownership
//
// An Entry is borrowed: its byte fields are views into the source's buffer and
// are overwritten when the handler returns. Whoever keeps something copies it.
//
// # Concurrency
//
// A source may call its handler from several goroutines at once, except that a
// source which sets Cursor calls it from one, in the order of the log.
package ingest

import (
	"context"
	"net/netip"
	"time"
)

// MaxMessage is the longest message a source hands out, in bytes. What is
// longer is cut there and marked Truncated.
const MaxMessage = 8 << 10

// Entry is one normalised log line. It is valid only until the Handler that
// received it returns.
type Entry struct {
	// Source is the Name of the source that read the line.
	Source string

	// Time is when the line was written, as far as the source vouches for
	// that, and otherwise when it was received. It never exceeds Received.
	Time time.Time
	// Received is when bailiff read the line.
	Received time.Time

	// Peer is the socket peer of a network source, with 4-in-6 addresses
	// unmapped. It is the zero AddrPort where there is no network peer.
	Peer netip.AddrPort

	// Origin names the sender as bailiff knows it: the operator's name for
	// it, or else what the transport vouches for (an address, a user, the
	// name in a certificate). Never text of the line. It is a shared string
	// and may be kept; empty stands for the source itself.
	Origin string
	// Trust says how surely the line is the work of Origin.
	Trust Trust

	// Host, Identifier and ProcID come from the header of the line. They are
	// claims of the writer: labels, never an identity.
	Host, Identifier, ProcID []byte
	// Message is the text after the header, cleaned (see Clean), at most
	// MaxMessage bytes.
	Message []byte

	// Vouched says that Unit, UID and PID are the trusted fields of a journald,
	// of this machine unless Trust is less than TrustHigh: that of another
	// machine is as honest as whoever uploaded its journal. Rules ask for a unit
	// only of vouched entries.
	Vouched bool
	// Unit is _SYSTEMD_UNIT; empty where journald could not tell.
	Unit []byte
	// UID and PID are _UID and _PID of the journal, or the peer credentials
	// of a unix socket; -1 where unknown.
	UID, PID int

	// Spoofable says that the transport lets a third party write lines in
	// another sender's name (UDP over an open path).
	Spoofable bool

	// Cursor is the position just behind this entry in a source that can
	// resume, in that source's own form; empty otherwise.
	Cursor []byte
	// Repeat is how many equal lines this entry stands for; at least 1.
	Repeat int
	// Dialect is the layout in which the line came.
	Dialect Dialect
	// Cleaned says that Message is not what stood behind the header: a colour
	// or a stamp was taken from it, or a "message repeated" was unwrapped. What
	// transports put around a message (blanks, a byte order mark, a line feed)
	// does not count.
	Cleaned bool
	// Truncated says that Message was cut, here or by the sender.
	Truncated bool
	// Length is how long the message was when its writer wrote it, with the
	// colours and blanks that cleaning takes out, as far as that is known: a
	// writer cuts by it. It may be a little more, and 0 means that of Message.
	Length int

	// Fields looks up structured data; nil where there is none.
	Fields Fields
}

// Fields gives access to the structured part of an entry without building a
// map.
type Fields interface {
	// Field returns the value of one journal field, SD-PARAM ("id.name") or
	// JSON member, borrowed like the entry itself.
	Field(name string) (value []byte, ok bool)
}

// Handler receives the entries of a source. It must not keep the entry or any
// of its byte slices. A handler that blocks blocks its source.
type Handler func(*Entry)

// Source is one origin of log lines.
type Source interface {
	// Name identifies the source in marks, counters and messages. It is
	// stable across restarts, because stored cursors are found by it.
	Name() string
	// Run reads until ctx is done or the source fails for good, calling h
	// for every line. It returns after the last call of h has returned: nil
	// when ctx ended it, and an error that says what to do otherwise.
	Run(ctx context.Context, h Handler) error
}

// Counter is implemented by sources that account for their lines.
type Counter interface {
	// Counts returns the totals since the source was made. The result is
	// the caller's.
	Counts() []Count
}

// Count is one total: how many lines met one fate. Balance says which add up to
// which.
type Count struct {
	// Name is what happened: received, parsed, delivered, refused, malformed,
	// truncated, cleaned or lost; and behind the source unmatched, matched,
	// decided or dropped.
	Name string
	// Reason says why, in one word or two; empty where Name says it all.
	Reason string
	// N is the number of lines (of bytes or connections only if Reason says
	// so).
	N uint64
}

// Mark is a position in a source that can resume: every entry up to and
// including it has been handed out.
type Mark struct {
	Source string
	Cursor []byte
}
