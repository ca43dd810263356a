package decide

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"
	"unique"
)

// Window is what an engine must be given back after a restart: one key of one
// jail. It is a plain value that shares nothing with the engine.
type Window struct {
	Jail string
	// Prefix or Account, or both, are what the jail watches (GroupBy).
	Prefix  netip.Prefix
	Account string
	// Settled is the time up to which nothing counts any more: the end of
	// the last ban. Zero if there was none. Doubted is the same of spoofable
	// evidence.
	Settled, Doubted time.Time
	// Tallies are the lines that count, oldest first.
	Tallies []Tally
	// Evidence are the last lines, oldest first, raw.
	Evidence []string
}

// Empty says that there is nothing to remember: the store deletes it.
func (w *Window) Empty() bool { return len(w.Tallies) == 0 && w.Settled.IsZero() && w.Doubted.IsZero() }

// Tally is some lines of one rule through one source at one time.
type Tally struct {
	Time                           time.Time
	Rule, Service, Witness, Origin string
	Account                        string
	PerAttempt, Weight, Lines      int
	// Challenge says that the lines are requests for credentials, Spoofable
	// that somebody else could have caused them.
	Challenge, Spoofable bool
	// KnownGood says that the peer had opened the account before.
	KnownGood bool
	// Peer is who did it, in a window of several peers; else it is invalid.
	Peer netip.Prefix
}

// Touched returns the windows that changed since the last call, in the order in
// which they first did. A window that is Empty is no longer needed.
func (e *Engine) Touched() []Window {
	if len(e.touched) == 0 {
		return nil
	}
	out := make([]Window, len(e.touched))
	for i, w := range e.touched {
		out[i] = w.window()
		w.touched, w.stored = false, !out[i].Empty()
	}
	e.touched = e.touched[:0]
	return out
}

func (w *watch) window() Window {
	out := Window{Jail: w.docket.Name, Prefix: w.key.prefix, Account: w.key.account, Evidence: slices.Clone(w.evidence)}
	if w.settled != 0 {
		out.Settled = time.Unix(0, w.settled)
	}
	if w.doubted != 0 {
		out.Doubted = time.Unix(0, w.doubted)
	}
	for _, s := range w.slots {
		l := s.lane.Value()
		var peer netip.Prefix
		if s.peer != (unique.Handle[netip.Prefix]{}) {
			peer = s.peer.Value()
		}
		out.Tallies = append(out.Tallies, Tally{
			Time: time.Unix(0, s.at), Rule: l.rule, Service: l.service, Witness: l.witness, Origin: l.origin,
			Account: s.account, PerAttempt: l.perAttempt, Weight: l.weight, Lines: int(s.lines), Challenge: l.challenge,
			Spoofable: s.doubted, KnownGood: s.known, Peer: peer,
		})
	}
	return out
}

// Restore takes back what an engine handed out: the bans that stand and the
// windows that are open. What belongs to no jail any more is dropped. It adds to
// what the engine knows already, so that a store that could not be read at the
// start can be read later.
func (e *Engine) Restore(bans []Decision, windows []Window, now time.Time) {
	for _, b := range bans {
		known, _ := e.bans.Get(b.Prefix)
		twin := slices.ContainsFunc(known, func(o Decision) bool { return o.Jail == b.Jail })
		meant := b.Simulated && slices.ContainsFunc(e.dockets, func(d *docket) bool { return d.Name == b.Jail && !d.Simulate })
		for _, d := range e.dockets {
			if d.Name == b.Jail && !meant {
				d.condemn(&b)
			}
		}
		if b.Active(now) && !twin && !meant {
			b.Evidence = nil
			e.raise(b)
		}
	}
	for i := range windows {
		in := &windows[i]
		n := slices.IndexFunc(e.dockets, func(d *docket) bool { return d.Name == in.Jail })
		if n < 0 {
			continue
		}
		d := e.dockets[n]
		k := key{in.Prefix, in.Account}
		if !d.fits(k) {
			continue // the jail groups otherwise now
		}
		w := e.watch(d, k, now)
		w.restore(in)
		e.measure(w)
		if !k.prefix.IsValid() || len(e.during(k.prefix.Addr(), now)) == 0 {
			w.settled, w.doubted = min(w.settled, nanos(now)), min(w.doubted, nanos(now)) // no ban, no silence
		}
	}
}

// restore adds what was stored. A rule may be gone by now, or count differently;
// its lines count as they did.
func (w *watch) restore(in *Window) {
	w.stored = true
	if !in.Settled.IsZero() {
		w.settled = max(w.settled, nanos(in.Settled))
	}
	if !in.Doubted.IsZero() {
		w.doubted = max(w.doubted, nanos(in.Doubted))
	}
	w.evidence = append(slices.Clone(in.Evidence), w.evidence...)
	w.evidence = w.evidence[max(0, len(w.evidence)-maxEvidence):]
	for _, t := range in.Tallies {
		var peer unique.Handle[netip.Prefix]
		if w.docket.shared() {
			if !t.Peer.IsValid() {
				continue // stored when the jail grouped otherwise
			}
			peer = unique.Make(t.Peer)
		}
		w.slots = append(w.slots, slot{at: nanos(t.Time), account: t.Account, lines: int32(t.Lines), peer: peer, doubted: t.Spoofable, known: t.KnownGood, lane: unique.Make(lane{
			service: t.Service, witness: t.Witness, rule: t.Rule, origin: t.Origin,
			perAttempt: max(1, t.PerAttempt), weight: max(1, t.Weight), challenge: t.Challenge,
		})})
	}
	slices.SortStableFunc(w.slots, func(a, b slot) int { return cmp.Compare(a.at, b.at) })
	w.docket.seat(w)
}

// windowVersion begins every stored window. Version 1 knew no challenges, version
// 2 no accounts, peers and classes of evidence.
const windowVersion = 3

var errWindow = errors.New("stored window is damaged")

// AppendBinary appends the window as the store keeps it.
func (w *Window) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, windowVersion)
	b = appendString(b, w.Jail)
	prefix, err := w.Prefix.MarshalBinary()
	if err != nil {
		return nil, err
	}
	b = appendString(b, string(prefix))
	b = appendString(b, w.Account)
	b = appendTime(b, w.Settled)
	b = appendTime(b, w.Doubted)
	b = binary.AppendUvarint(b, uint64(len(w.Tallies)))
	var peer []byte
	for i := range w.Tallies {
		t := &w.Tallies[i]
		b = appendTime(b, t.Time)
		for _, s := range []string{t.Rule, t.Service, t.Witness, t.Origin, t.Account} {
			b = appendString(b, s)
		}
		for _, n := range []int{t.PerAttempt, t.Weight, t.Lines} {
			b = binary.AppendUvarint(b, uint64(n))
		}
		b = appendBool(b, t.Challenge)
		b = appendBool(b, t.Spoofable)
		b = appendBool(b, t.KnownGood)
		if peer, err = t.Peer.MarshalBinary(); err != nil {
			return nil, err
		}
		b = appendString(b, string(peer))
	}
	b = binary.AppendUvarint(b, uint64(len(w.Evidence)))
	for _, line := range w.Evidence {
		b = appendString(b, line)
	}
	return b, nil
}

// UnmarshalBinary reads what AppendBinary wrote.
func (w *Window) UnmarshalBinary(b []byte) error {
	d := &decoder{rest: b}
	v := d.byte()
	if d.err == nil && (v < 1 || v > windowVersion) {
		return fmt.Errorf("%w: version %d", errWindow, v)
	}
	*w = Window{Jail: d.string()}
	if err := w.Prefix.UnmarshalBinary([]byte(d.string())); err != nil && d.err == nil {
		return fmt.Errorf("%w: %w", errWindow, err)
	}
	if v > 2 {
		w.Account = d.string()
	}
	w.Settled = d.time()
	if v > 2 {
		w.Doubted = d.time()
	}
	for n := d.uvarint(); n > 0 && d.err == nil; n-- {
		t := Tally{
			Time: d.time(), Rule: d.string(), Service: d.string(), Witness: d.string(), Origin: d.string(), Account: d.string(),
			PerAttempt: d.int(), Weight: d.int(), Lines: d.int(), Challenge: v > 1 && d.byte() != 0,
		}
		if v > 2 {
			t.Spoofable, t.KnownGood = d.byte() != 0, d.byte() != 0
			if err := t.Peer.UnmarshalBinary([]byte(d.string())); err != nil && d.err == nil {
				return fmt.Errorf("%w: %w", errWindow, err)
			}
		}
		w.Tallies = append(w.Tallies, t)
	}
	for n := d.uvarint(); n > 0 && d.err == nil; n-- {
		w.Evidence = append(w.Evidence, d.string())
	}
	if d.err == nil && len(d.rest) > 0 {
		d.err = errWindow
	}
	return d.err
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// appendTime keeps the zero time apart from 1970.
func appendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(b, 0)
	}
	return binary.BigEndian.AppendUint64(append(b, 1), uint64(t.UnixNano()))
}

// decoder reads a stored window; after the first error it returns zeros.
type decoder struct {
	rest []byte
	err  error
}

func (d *decoder) take(n uint64) []byte {
	if d.err != nil || n > uint64(len(d.rest)) {
		d.err = errWindow
		return nil
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) byte() byte {
	if b := d.take(1); d.err == nil {
		return b[0]
	}
	return 0
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if d.err != nil || n <= 0 {
		d.err = errWindow
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) int() int {
	v := d.uvarint()
	if v > 1<<31 {
		d.err = errWindow
		return 0
	}
	return int(v)
}

func (d *decoder) string() string { return string(d.take(d.uvarint())) }

func (d *decoder) time() time.Time {
	if d.byte() == 0 {
		return time.Time{}
	}
	if b := d.take(8); d.err == nil {
		return time.Unix(0, int64(binary.BigEndian.Uint64(b)))
	}
	return time.Time{}
}
