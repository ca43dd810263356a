package store

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"time"

	"bailiff/decide"
)

// The kinds of record, each the first byte of its keys.
//
//	'b' prefix jail            → decision: the ban that stands
//	'd' prefix at action jail  → decision: the record of what was decided
//	'e' prefix at action jail  → evidence of that decision
//	'h' prefix jail            → the ban that waits for room
//	'k' prefix account         → when the account was opened from there last
//	'm' source                 → cursor
//	'o' kind prefix jail       → what an operator said, and until when it holds
//	'r' sequence               → part of a large commit (redo.go)
//	's' jail 0 rule 0 day      → what a rule brought (score.go)
//	'w' prefix jail [0 account] → window
//
// A prefix is the 16-byte form of its address, IPv4 as ::ffff:a.b.c.d, and one
// byte of length in that form: the keys of one kind sort by address, and
// everything inside a prefix is one range.
const (
	kindBan      = 'b'
	kindDecision = 'd'
	kindEvidence = 'e'
	kindHeld     = 'h'
	kindKnown    = 'k'
	kindMark     = 'm'
	kindOrder    = 'o'
	kindRedo     = 'r'
	kindScore    = 's'
	kindWindow   = 'w'
)

const (
	prefixLen = 17 // address and length
	timeLen   = 12 // seconds and nanoseconds

	// noPrefix is the length byte of the invalid prefix: an alarm about an
	// ambiguous line has no address.
	noPrefix = 0xff
)

var errKey = errors.New("malformed key")

// appendPrefix appends the 17-byte form of p, which is masked.
func appendPrefix(b []byte, p netip.Prefix) []byte {
	if !p.IsValid() {
		return append(append(b, make([]byte, 16)...), noPrefix)
	}
	p = p.Masked()
	addr, bits := p.Addr().As16(), p.Bits()
	if p.Addr().Is4() {
		bits += 96
	}
	return append(append(b, addr[:]...), byte(bits))
}

// cutPrefix splits the 17-byte form off the front of b.
func cutPrefix(b []byte) (p netip.Prefix, rest []byte, err error) {
	if len(b) < prefixLen {
		return netip.Prefix{}, nil, errKey
	}
	addr, bits := netip.AddrFrom16([16]byte(b[:16])), int(b[16])
	rest = b[prefixLen:]
	switch {
	case bits == noPrefix:
		return netip.Prefix{}, rest, nil
	case bits > 128:
		return netip.Prefix{}, nil, errKey
	case addr.Is4In6() && bits >= 96:
		p = netip.PrefixFrom(addr.Unmap(), bits-96)
	default:
		p = netip.PrefixFrom(addr, bits)
	}
	if p != p.Masked() {
		return netip.Prefix{}, nil, errKey
	}
	return p, rest, nil
}

// appendTime appends t so that keys sort by time, before 1970 too.
func appendTime(b []byte, t time.Time) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(t.Unix())^(1<<63))
	return binary.BigEndian.AppendUint32(b, uint32(t.Nanosecond()))
}

// banKey is the key of the ban that stands on p in a jail.
func banKey(p netip.Prefix, jail string) []byte {
	return append(appendPrefix([]byte{kindBan}, p), jail...)
}

// decisionKey is the key of the record of d, which a line that is read twice
// decides again.
func decisionKey(kind byte, d *decide.Decision) []byte {
	b := appendTime(appendPrefix([]byte{kind}, d.Prefix), d.At)
	return append(append(b, byte(d.Action)), d.Jail...)
}

// decisionKeyParts are the parts of a decisionKey that are asked for without
// reading its value.
type decisionKeyParts struct {
	prefix netip.Prefix
	at     []byte // as appendTime wrote it: compares like the time
	action decide.Action
	jail   []byte
}

func cutDecisionKey(key []byte) (decisionKeyParts, error) {
	if len(key) == 0 {
		return decisionKeyParts{}, errKey
	}
	p, rest, err := cutPrefix(key[1:])
	if err != nil || len(rest) < timeLen+1 {
		return decisionKeyParts{}, errKey
	}
	return decisionKeyParts{p, rest[:timeLen], decide.Action(rest[timeLen]), rest[timeLen+1:]}, nil
}

func markKey(source string) []byte { return append([]byte{kindMark}, source...) }

// rangeOf returns the first key of a kind for an address in p, and a key beyond
// the last.
func rangeOf(kind byte, p netip.Prefix) (first, beyond []byte) {
	form := appendPrefix(nil, p)
	addr, bits := form[:16], int(form[16])
	first = append([]byte{kind}, addr...)
	for i := range 128 - bits {
		addr[15-i/8] |= 1 << (i % 8)
	}
	beyond = append(append([]byte{kind}, addr...), 0xff)
	return first, beyond
}
