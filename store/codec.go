package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"time"

	"bailiff/decide"
)

// A decision is stored as a version byte and its fields in fixed order, numbers
// as varints, strings with their length in front. Evidence is a record of its
// own: what a strike or a restart asks for is small without it. Fields are only
// ever added at the end: a reader passes over what follows the fields that it
// knows, and takes what is missing for zero.
const codecVersion = 1

// Bits of the flags field.
const (
	flagSimulated = 1 << iota
	flagSpent
	flagUntil // Until is set
	flagEnded // ended is set
	flagSpoofable
)

// record is a decision as it is stored.
type record struct {
	decide.Decision
	// ended is when a Lift ended the ban; zero if none did.
	ended time.Time
}

// end returns when the ban ended or will: the zero time means never yet.
func (r *record) end() time.Time {
	if !r.ended.IsZero() {
		return r.ended
	}
	return r.Until
}

func (r *record) appendBinary(b []byte) []byte {
	flags := uint64(0)
	for _, f := range []struct {
		set bool
		bit uint64
	}{
		{r.Simulated, flagSimulated},
		{r.Spent, flagSpent},
		{r.Spoofable, flagSpoofable},
		{!r.Until.IsZero(), flagUntil},
		{!r.ended.IsZero(), flagEnded},
	} {
		if f.set {
			flags |= f.bit
		}
	}
	b = append(b, codecVersion)
	b = binary.AppendUvarint(b, flags)
	b = append(b, byte(r.Action), byte(r.Verdict))
	b = appendPrefix(b, r.Prefix)
	b = appendStamp(b, r.At)
	if flags&flagUntil != 0 {
		b = appendStamp(b, r.Until)
	}
	if flags&flagEnded != 0 {
		b = appendStamp(b, r.ended)
	}
	b = binary.AppendVarint(b, int64(r.Strike))
	b = binary.AppendVarint(b, int64(r.Attempts))
	for _, s := range []string{r.ID, r.Jail, r.Rule, r.Origin, r.Reason} {
		b = appendString(b, s)
	}
	b = binary.AppendUvarint(b, uint64(len(r.Ports)))
	for _, p := range r.Ports {
		b = appendString(b, p.Proto)
		b = binary.BigEndian.AppendUint16(b, p.Port)
	}
	b = binary.AppendUvarint(b, uint64(len(r.Sums)))
	for _, s := range r.Sums {
		for _, name := range []string{s.Service, s.Witness, s.Origin} {
			b = appendString(b, name)
		}
		b = binary.AppendVarint(b, int64(s.Attempts))
		b = binary.AppendVarint(b, int64(s.Lines))
	}
	return b
}

func (r *record) unmarshalBinary(b []byte) error { return r.decode(b, nil) }

// decode is unmarshalBinary of one of many records, which share names.
func (r *record) decode(b []byte, names map[string]string) error {
	d := decoder{rest: b, names: names}
	if v := d.byte(); v != codecVersion && d.err == nil {
		return fmt.Errorf("decision of encoding %d", v)
	}
	flags := d.uvarint()
	*r = record{Decision: decide.Decision{
		Action:    decide.Action(d.byte()),
		Verdict:   decide.Verdict(d.byte()),
		Simulated: flags&flagSimulated != 0,
		Spent:     flags&flagSpent != 0,
		Spoofable: flags&flagSpoofable != 0,
		Prefix:    d.prefix(),
		At:        d.stamp(),
	}}
	if flags&flagUntil != 0 {
		r.Until = d.stamp()
	}
	if flags&flagEnded != 0 {
		r.ended = d.stamp()
	}
	r.Strike, r.Attempts = int(d.varint()), int(d.varint())
	r.ID, r.Jail, r.Rule, r.Origin, r.Reason = d.string(), d.name(), d.name(), d.name(), d.string()
	for n := d.uvarint(); n > 0 && d.err == nil; n-- {
		r.Ports = append(r.Ports, decide.Port{Proto: d.string(), Port: d.uint16()})
	}
	if d.err == nil && len(d.rest) == 0 {
		return nil // it was written before there were sums
	}
	for n := d.uvarint(); n > 0 && d.err == nil; n-- {
		r.Sums = append(r.Sums, decide.Sum{
			Service: d.string(), Witness: d.string(), Origin: d.string(), Attempts: int(d.varint()), Lines: int(d.varint()),
		})
	}
	return d.err
}

// appendEvidence and evidence are the form of the lines that caused a decision.
func appendEvidence(b []byte, lines []string) []byte {
	b = append(b, codecVersion)
	b = binary.AppendUvarint(b, uint64(len(lines)))
	for _, l := range lines {
		b = appendString(b, l)
	}
	return b
}

func evidence(b []byte) ([]string, error) {
	d := decoder{rest: b}
	if v := d.byte(); v != codecVersion && d.err == nil {
		return nil, fmt.Errorf("evidence of encoding %d", v)
	}
	var lines []string
	for n := d.uvarint(); n > 0 && d.err == nil; n-- {
		lines = append(lines, d.string())
	}
	return lines, d.err
}

// appendStamp keeps a time to the nanosecond over the whole range of time.Time,
// which UnixNano alone does not.
func appendStamp(b []byte, t time.Time) []byte {
	b = binary.AppendVarint(b, t.Unix())
	return binary.AppendUvarint(b, uint64(t.Nanosecond()))
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

var errShort = errors.New("record is cut short or malformed")

// decoder reads fields off the front of a record. After an error it returns
// zero values, and err is set.
type decoder struct {
	rest  []byte
	err   error
	names map[string]string // that were read before; may be nil
}

// take returns the next n bytes, or n zero bytes (n ≤ 32) after the end.
func (d *decoder) take(n int) []byte {
	if d.err == nil && n > len(d.rest) {
		d.err = errShort
	}
	if d.err != nil {
		return make([]byte, min(n, 32))
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) byte() byte     { return d.take(1)[0] }
func (d *decoder) uint16() uint16 { return binary.BigEndian.Uint16(d.take(2)) }

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	return d.varlen(v, n)
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.rest)
	return int64(d.varlen(uint64(v), n))
}

// varlen takes a varint of value v off, which was n bytes long.
func (d *decoder) varlen(v uint64, n int) uint64 {
	if d.err == nil && n <= 0 {
		d.err = errShort
	}
	if d.err != nil {
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) string() string { return string(d.text()) }

// text returns a string as a part of what is decoded.
func (d *decoder) text() []byte {
	n := d.uvarint()
	if n > uint64(len(d.rest)) && d.err == nil {
		d.err = errShort
	}
	if d.err != nil {
		return nil
	}
	return d.take(int(n))
}

// name is string for what many records have in common.
func (d *decoder) name() string {
	text := d.text()
	known, ok := d.names[string(text)]
	if ok {
		return known
	}
	name := string(text)
	if d.names != nil && len(d.names) < maxNames {
		d.names[name] = name
	}
	return name
}

// maxNames bounds the names that are shared.
const maxNames = 1024

func (d *decoder) stamp() time.Time {
	sec, nsec := d.varint(), d.uvarint()
	if nsec > math.MaxInt32 {
		d.err = errShort
	}
	if d.err != nil {
		return time.Time{}
	}
	return time.Unix(sec, int64(nsec)).UTC()
}

func (d *decoder) prefix() netip.Prefix {
	p, _, err := cutPrefix(d.take(prefixLen))
	if err != nil && d.err == nil {
		d.err = err
	}
	return p
}
