package decide

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// length is the sentence after so many earlier bans: base × factor^earlier,
// plus jitter, at most max.
func (s *Escalation) length(base time.Duration, earlier int, id string) time.Duration {
	if base == Forever {
		return Forever
	}
	length := float64(base) * math.Pow(s.Factor, float64(earlier))
	length += float64(s.Jitter) * fraction(id)
	if s.Max > 0 {
		length = min(length, float64(s.Max))
	}
	if length >= float64(Forever) {
		return Forever
	}
	return time.Duration(length)
}

// fraction derives a number in [0, 1) from a decision, so that a line read
// twice gets the same jitter.
func fraction(id string) float64 {
	sum := sha256.Sum256([]byte(id))
	return float64(binary.BigEndian.Uint64(sum[:])>>11) / (1 << 53)
}

// until is when a ban ends; the zero time for Forever, and for what ends later
// than never.
func until(at time.Time, length time.Duration) time.Time {
	if length == Forever || at.Add(length).After(never) {
		return time.Time{}
	}
	return at.Add(length)
}

// id names a decision by what makes it the same decision.
func id(d *Decision) string {
	h := sha256.New()
	var at [9]byte
	binary.BigEndian.PutUint64(at[:], uint64(d.At.UnixNano()))
	at[8] = byte(d.Action)
	h.Write(at[:])
	h.Write([]byte(d.Prefix.String() + "\x00" + d.Jail))
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(h.Sum(nil)[:10]))
}

// strikes returns the bans of d's prefix that matter to d: those that ended
// within forget_after, or within its window, of d's jail or of all.
func (e *Engine) strikes(d *Decision, window time.Duration) []Strike {
	jail := d.Jail
	if e.opt.Escalation.Overall {
		jail = ""
	}
	return e.record(d.Prefix, jail, d.At.Add(-max(e.opt.Escalation.ForgetAfter, window)))
}

// earlier counts the strikes that make the sentence of d longer.
func (s *Escalation) earlier(strikes []Strike, d *Decision) int {
	n := 0
	for _, k := range strikes {
		if !k.Spoofable && k.At.Before(d.At) && (k.Until.IsZero() || !k.Until.Before(d.At.Add(-s.ForgetAfter))) {
			n++
		}
	}
	return n
}

// servedUntil returns the end of the last ban of d's jail that began before d,
// or is d itself: what is stamped up to then was answered by it, and what is
// spoofable up to the end of the last spoofable one too. Without one it is the
// zero of windows.
func servedUntil(strikes []Strike, d *Decision) (proven, doubted int64) {
	for _, k := range strikes {
		switch {
		case k.Jail != d.Jail || k.At.After(d.At):
		case k.Spoofable:
			doubted = max(doubted, end(k.Until))
		default:
			proven = max(proven, end(k.Until))
		}
	}
	return proven, doubted
}

// record is the history of a prefix including what was decided since Committed.
func (e *Engine) record(p netip.Prefix, jail string, since time.Time) []Strike {
	var strikes []Strike
	if e.history != nil {
		var err error
		if strikes, err = e.history.Strikes(p, jail, since); err != nil {
			e.stats.HistoryErrors++
		}
	}
	for _, d := range e.fresh {
		if d.Prefix != p || jail != "" && d.Jail != jail || d.Simulated || !d.Until.IsZero() && d.Until.Before(since) {
			continue
		}
		s := Strike{Prefix: d.Prefix, Jail: d.Jail, At: d.At, Until: d.Until, Spoofable: d.Spoofable}
		if !slices.ContainsFunc(strikes, func(o Strike) bool { return o.At.Equal(s.At) && o.Jail == s.Jail }) {
			strikes = append(strikes, s)
		}
	}
	slices.SortStableFunc(strikes, func(a, b Strike) int { return a.At.Compare(b.At) })
	return strikes
}

// Committed says that History knows everything decided so far.
func (e *Engine) Committed() { e.fresh = e.fresh[:0] }
