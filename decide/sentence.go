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

// validate reports what cannot work.
func (s *Escalation) validate(bad func(format string, args ...any)) {
	switch {
	case !(s.Factor >= 1):
		bad("escalation: factor: must be at least 1, is %v", s.Factor)
	case s.Max < 0 || s.Jitter < 0 || s.ForgetAfter < 0 || s.Decay < 0:
		bad("escalation: a duration is negative")
	case s.ForeverAfter < 0:
		bad("escalation: forever_after: is negative")
	}
	for _, m := range s.Multipliers {
		if !(m > 0) || math.IsInf(m, 0) {
			bad("escalation: multipliers: must be more than 0, is %v", m)
		}
	}
}

// past is the earlier bans that count for a sentence.
type past struct {
	strikes int     // how many there are
	weight  float64 // what they come to, after decay
}

// length is the sentence of a ban after others: by formula, multipliers or factor,
// plus jitter, at most max.
func (s *Escalation) length(base time.Duration, p past, id string) time.Duration {
	if base == Forever || s.ForeverAfter > 0 && p.strikes >= s.ForeverAfter {
		return Forever
	}
	var length float64
	switch {
	case s.Formula != nil:
		length = s.Formula.length(base, p.weight, s.Factor)
	case len(s.Multipliers) > 0:
		length = float64(base) * s.Multipliers[min(int(p.weight), len(s.Multipliers)-1)]
	default:
		length = float64(base) * math.Pow(s.Factor, p.weight)
	}
	length += float64(s.Jitter) * fraction(id)
	if s.Max > 0 {
		length = min(length, float64(s.Max))
	}
	if length >= float64(Forever) {
		return Forever
	}
	return max(time.Duration(length), time.Second)
}

// atMost is a sentence that no history makes longer, and max shorter if it is.
func (s *Escalation) atMost(length time.Duration) time.Duration {
	if s.Max > 0 {
		return min(length, s.Max)
	}
	return length
}

// Ladder returns the sentences of the first n bans of a jail, without jitter, if
// each follows at once upon the last.
func (s *Escalation) Ladder(j *Jail, n int) []time.Duration {
	plain := *s
	plain.Jitter = 0
	out := make([]time.Duration, n)
	for i := range out {
		out[i] = plain.length(j.BanTime, past{i, float64(i)}, "")
	}
	return out
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
	if d.Action == Ban && d.Spoofable {
		at[8] |= 0x80 // one on proven evidence of the same instant may follow
	}
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

// earlier weighs the strikes that make the sentence of d longer.
func (s *Escalation) earlier(strikes []Strike, d *Decision) (p past) {
	for _, k := range strikes {
		if k.Spoofable || !k.At.Before(d.At) || !k.Until.IsZero() && k.Until.Before(d.At.Add(-s.ForgetAfter)) {
			continue
		}
		p.strikes++
		weight := 1.0
		if since := d.At.Sub(k.Until); s.Decay > 0 && !k.Until.IsZero() && since > 0 {
			weight = math.Exp2(-float64(since) / float64(s.Decay))
		}
		p.weight += weight
	}
	return p
}

// repeats says whether a prefix has a strike that counts in the jail.
func (e *Engine) repeats(d *docket, p netip.Prefix, now time.Time) bool {
	if !p.IsValid() {
		return false // an account has no record
	}
	next := Decision{Prefix: p, Jail: d.Name, At: now}
	return e.earlier(e.strikes(&next, 0), &next).strikes > 0
}

// servedUntil returns the end of the last ban of d's jail that began before d, is d itself, or
// began so soon after it that d may have come late to its window: what is stamped up to then was
// answered by it, and what is spoofable up to the end of the last spoofable one too. Without one
// it is the zero of windows.
func servedUntil(strikes []Strike, d *Decision, window time.Duration) (proven, doubted int64) {
	for _, k := range strikes {
		switch {
		case k.Jail != d.Jail || k.At.After(d.At.Add(window)):
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
