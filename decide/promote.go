package decide

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// steps are the networks that are banned as a whole when enough of what the one
// before names is: of IPv6 a site's subnets, then what providers give to a customer
// at most (RFC 6177); of IPv4 the smallest network that is routed.
var (
	steps6 = []int{64, 56, 48}
	steps4 = []int{32, 24}
)

// promote bans the network of a ban when enough of its like stand in it, and goes
// on from there. At is when that came to be: the time of the match, or of the clock where
// the ban was held.
func (e *Engine) promote(j *Jail, ban Decision, at, now time.Time) []Decision {
	var out []Decision
	steps := steps6
	if ban.Prefix.Addr().Is4() {
		if steps = steps4; !j.Promote4 {
			return nil
		}
	}
	for i, bits := range steps[:len(steps)-1] {
		if j.PromoteAfter == 0 || ban.Prefix.Bits() != bits {
			continue
		}
		network := netip.PrefixFrom(ban.Prefix.Addr(), steps[i+1]).Masked()
		n := e.standingIn(network, bits, j.Name)
		if n < j.PromoteAfter || e.covered(network, j.Name) {
			return out
		}
		d := Decision{
			Action: Ban, Prefix: network, At: at, Jail: j.Name, Rule: ban.Rule, Origin: "rules", Attempts: ban.Attempts,
			Ports: j.Ports, Verdict: j.Verdict, Simulated: j.Simulate, Evidence: ban.Evidence,
			Reason: fmt.Sprintf("%d of its /%d are banned", n, bits),
		}
		d.ID = id(&d)
		if e.known.friendly(network) {
			if d = e.alarmSpared(&d, "an account has been opened from there", network, now); d.ID != "" {
				out = append(out, d)
			}
			return out
		}
		if g, ok := e.guarded(network); ok {
			e.stats.Guarded++
			if d = e.alarmGuarded(&d, g, now); d.ID != "" {
				out = append(out, d)
			}
			return out
		}
		earlier := e.earlier(e.strikes(&d, 0), &d)
		d.Strike = earlier.strikes + 1
		d.Until = until(d.At, e.opt.Escalation.length(j.BanTime, earlier, d.ID))
		if d.Spent = !d.Until.IsZero() && !d.Until.After(now); d.Spent {
			return out
		}
		if e.room(&d, now) != "" {
			return out // those that stand have to do
		}
		e.stand(d)
		out = append(out, d)
		ban = d
	}
	return out
}

// standingIn counts the bans of a jail on proven evidence of so many bits in p.
func (e *Engine) standingIn(p netip.Prefix, bits int, jail string) int {
	n := 0
	for within, bans := range e.bans.Subnets(p) {
		if within.Bits() == bits && slices.ContainsFunc(bans, func(b Decision) bool { return b.Jail == jail && !b.Spoofable }) {
			n++
		}
	}
	return n
}

// covered says whether a ban of the jail on proven evidence covers p.
func (e *Engine) covered(p netip.Prefix, jail string) bool {
	for _, bans := range e.bans.Supernets(p) {
		if slices.ContainsFunc(bans, func(b Decision) bool { return b.Jail == jail && !b.Spoofable }) {
			return true
		}
	}
	return false
}
