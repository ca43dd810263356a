package journald

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// position is what a cursor says. The text form is
// "s=ID;i=HEX;b=ID;m=HEX;t=HEX;x=HEX" (sd_journal_get_cursor in
// libsystemd/sd-journal/sd-journal.c, systemd 252). Its manual calls it
// opaque: one that does not parse is an error here, not a guess.
type position struct {
	seqnumID string // s: the series that seqnum counts in
	seqnum   uint64 // i: one more for every entry of the series
	boot     string // b
	mono     uint64 // m: µs since that boot
	realtime uint64 // t: µs since 1970
	xor      uint64 // x: hash over the fields
}

// parsePosition reads a cursor. All six parts must be there.
func parsePosition(cursor string) (position, error) {
	var p position
	seen := make(map[string]bool, 6)
	for part := range strings.SplitSeq(cursor, ";") {
		key, value, _ := strings.Cut(part, "=")
		var err error
		switch key {
		case "s":
			p.seqnumID = value
		case "b":
			p.boot = value
		case "i":
			p.seqnum, err = strconv.ParseUint(value, 16, 64)
		case "m":
			p.mono, err = strconv.ParseUint(value, 16, 64)
		case "t":
			p.realtime, err = strconv.ParseUint(value, 16, 64)
		case "x":
			p.xor, err = strconv.ParseUint(value, 16, 64)
		default:
			continue // a later systemd may say more
		}
		if err != nil || value == "" {
			return position{}, fmt.Errorf("journal cursor: %q is not valid", part)
		}
		seen[key] = true
	}
	if len(seen) != 6 {
		return position{}, fmt.Errorf("journal cursor: %q is not one", cursor)
	}
	return p, nil
}

// same reports whether p and q are the same entry. Series and number are not
// enough to tell: they change when journald copies the volatile journal of
// early boot to disk.
func (p position) same(q position) bool {
	return p.boot == q.boot && p.mono == q.mono && p.realtime == q.realtime && p.xor == q.xor
}

// before reports whether p is known to be older than q.
func (p position) before(q position) bool {
	if p.seqnumID == q.seqnumID {
		return p.seqnum < q.seqnum
	}
	return p.boot == q.boot && p.mono < q.mono
}

// missing is how many entries lie between p and a later q. It is known only
// within one series.
func (p position) missing(q position) (n uint64, known bool) {
	if p.seqnumID == "" || p.seqnumID != q.seqnumID {
		return 0, false
	}
	if q.seqnum <= p.seqnum {
		return 0, true
	}
	return q.seqnum - p.seqnum - 1, true
}

// counts is the last position in each series.
type counts map[string]position

// maxSeries bounds the series that are remembered.
const maxSeries = 256

func (c counts) add(p position) {
	if len(c) >= maxSeries {
		clear(c)
	}
	c[p.seqnumID] = p
}

// missing is how many entries lie between the last one, at, and q. Up to systemd
// 253 the files of the system and of each user are series of their own, but
// journald counts on from one to the other. So between two series that both
// had entries in this boot the number is known too. (At boot, and when the
// volatile journal is copied to disk, a series begins with a number of its own.)
func (c counts) missing(at, q position) (n uint64, known bool) {
	last, seen := c[q.seqnumID]
	if at.seqnumID == q.seqnumID || !seen || last.boot != q.boot || at.boot != q.boot {
		return at.missing(q)
	}
	if at.seqnum > last.seqnum {
		last.seqnum = at.seqnum
	}
	return last.missing(q)
}

// gap is a stretch of the journal that was removed before it was read.
type gap struct {
	lost     uint64 // entries; 0 if their number is unknown
	from, to uint64 // realtime of the entries around it, µs
}

// length is the time between the entries around the gap.
func (g gap) length() time.Duration {
	if g.to <= g.from {
		return 0
	}
	return time.Duration(g.to-g.from) * time.Microsecond
}
