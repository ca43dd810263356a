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

// until is when a ban ends; the zero time for Forever.
func until(at time.Time, length time.Duration) time.Time {
	if length == Forever {
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

// strikes counts the earlier bans that still count against d, and says whether
// d itself is among them.
func (e *Engine) strikes(d *Decision) (earlier int, known bool) {
	jail := d.Jail
	if e.opt.Escalation.Overall {
		jail = ""
	}
	for _, s := range e.record(d.Prefix, jail, d.At.Add(-e.opt.Escalation.ForgetAfter)) {
		if s.At.Equal(d.At) && s.Jail == d.Jail {
			return earlier, true
		}
		if s.At.Before(d.At) {
			earlier++
		}
	}
	return earlier, false
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
		if d.Prefix != p || jail != "" && d.Jail != jail || d.Simulated {
			continue
		}
		s := Strike{Prefix: d.Prefix, Jail: d.Jail, At: d.At, Until: d.Until}
		if !slices.ContainsFunc(strikes, func(o Strike) bool { return o.At.Equal(s.At) && o.Jail == s.Jail }) {
			strikes = append(strikes, s)
		}
	}
	slices.SortStableFunc(strikes, func(a, b Strike) int { return a.At.Compare(b.At) })
	return strikes
}

// Committed says that History knows everything decided so far.
func (e *Engine) Committed() { e.fresh = nil }
