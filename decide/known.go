package decide

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"time"

	"bailiff/ingest"
	"bailiff/rules"
)

// Known is an account that was opened from an address: what an engine must be given
// back after a restart to know its friends again. It is a plain value.
type Known struct {
	Prefix  netip.Prefix // an address, or the /64 of an IPv6 address
	Account string
	// Last is when it was opened last, to the hour. The zero time says that it
	// is forgotten: the store deletes it.
	Last time.Time
}

// maxKnown bounds how many pairs are remembered; the oldest tenth goes when it is
// reached.
const maxKnown = 100_000

// acquaintance is the accounts that were opened from each address, and when last.
type acquaintance struct {
	keep    time.Duration
	pairs   int
	homes   map[netip.Prefix]map[string]int64
	nets    map[string]map[netip.Prefix]int // the networks that an account came from, and in how many pairs
	touched map[pair]bool
	pruned  int64
}

type pair struct {
	prefix  netip.Prefix
	account string
}

func newAcquaintance() acquaintance {
	return acquaintance{homes: map[netip.Prefix]map[string]int64{}, nets: map[string]map[netip.Prefix]int{}, touched: map[pair]bool{}}
}

// meet notes that the account was opened from p at a time.
func (a *acquaintance) meet(p netip.Prefix, account string, at int64) {
	if a.keep <= 0 || account == "" {
		return
	}
	last, known := a.homes[p][account]
	if known && at <= last {
		return
	}
	if !known {
		if a.pairs >= maxKnown {
			a.forgetOldest()
		}
		a.learn(p, account)
	}
	a.homes[p][account] = at
	if !known || at-last >= int64(time.Hour) { // a phone registers every minute
		a.touched[pair{p, account}] = true
	}
}

func (a *acquaintance) learn(p netip.Prefix, account string) {
	if a.homes[p] == nil {
		a.homes[p] = map[string]int64{}
	}
	if a.nets[account] == nil {
		a.nets[account] = map[netip.Prefix]int{}
	}
	a.homes[p][account] = 0
	a.nets[account][neighbourhood(p)]++
	a.pairs++
}

// forget forgets one pair.
func (a *acquaintance) forget(p netip.Prefix, account string) {
	if delete(a.homes[p], account); len(a.homes[p]) == 0 {
		delete(a.homes, p)
	}
	n := neighbourhood(p)
	if a.nets[account][n]--; a.nets[account][n] <= 0 {
		delete(a.nets[account], n)
	}
	if len(a.nets[account]) == 0 {
		delete(a.nets, account)
	}
	a.pairs--
	a.touched[pair{p, account}] = true
}

// forgetOldest makes room: the oldest tenth of the account with the most pairs goes if it has
// more than half of all, so that whoever has one account and many addresses pushes
// out nobody else, and otherwise the oldest tenth of all.
func (a *acquaintance) forgetOldest() {
	type met struct {
		pair
		at int64
	}
	all := make([]met, 0, a.pairs)
	for p, accounts := range a.homes {
		for account, at := range accounts {
			all = append(all, met{pair{p, account}, at})
		}
	}
	accounts := map[string]int{}
	for _, m := range all {
		accounts[m.account]++
	}
	for account, n := range accounts {
		if n > len(all)/2 {
			all = slices.DeleteFunc(all, func(m met) bool { return m.account != account })
			break
		}
	}
	slices.SortFunc(all, func(a, b met) int { return cmp.Compare(a.at, b.at) })
	for _, m := range all[:max(1, len(all)/10)] {
		a.forget(m.prefix, m.account)
	}
}

// prune forgets, once an hour, who was not seen for keep.
func (a *acquaintance) prune(now time.Time) {
	if now.UnixNano()-a.pruned < int64(time.Hour) {
		return
	}
	a.pruned = now.UnixNano()
	for p, accounts := range a.homes {
		for account, at := range maps.Clone(accounts) {
			if now.UnixNano()-at > int64(a.keep) {
				a.forget(p, account)
			}
		}
	}
}

// knows says whether the account was opened from p within keep before a time.
func (a *acquaintance) knows(p netip.Prefix, account string, at int64) bool {
	last, ok := a.homes[p][account]
	return ok && at-last <= int64(a.keep)
}

// friendly says whether any account was opened from an address in p.
func (a *acquaintance) friendly(p netip.Prefix) bool {
	if _, ok := a.homes[p]; ok {
		return true
	}
	if p == site(p.Addr()) || p.IsSingleIP() {
		return false
	}
	for home := range a.homes {
		if p.Overlaps(home) {
			return true
		}
	}
	return false
}

// others is how many other accounts than these were opened from p since a time.
func (a *acquaintance) others(p netip.Prefix, accounts []string, since int64) (n int) {
	for other, at := range a.homes[p] {
		if at >= since && !slices.Contains(accounts, other) {
			n++
		}
	}
	return n
}

// neighbourhood is the network that an address is in, as far as addresses tell:
// what a household or an office is given.
func neighbourhood(p netip.Prefix) netip.Prefix {
	bits := 24
	if p.Addr().Is6() {
		bits = 48
	}
	return netip.PrefixFrom(p.Addr(), min(bits, p.Bits())).Masked()
}

// KnownTouched returns the pairs that changed since the last call.
func (e *Engine) KnownTouched() []Known {
	a := &e.known
	if len(a.touched) == 0 {
		return nil
	}
	out := make([]Known, 0, len(a.touched))
	for t := range a.touched {
		k := Known{Prefix: t.prefix, Account: t.account}
		if at, ok := a.homes[t.prefix][t.account]; ok {
			k.Last = time.Unix(0, at).Truncate(time.Hour)
		}
		out = append(out, k)
	}
	clear(a.touched)
	return out
}

// Recognise takes back what KnownTouched handed out. It adds to what the engine
// knows already.
func (e *Engine) Recognise(known []Known) {
	for _, k := range known {
		if !k.Last.IsZero() {
			e.known.meet(k.Prefix, k.Account, nanos(k.Last))
			delete(e.known.touched, pair{k.Prefix, k.Account})
		}
	}
}

// Acquaintances returns how many pairs of an address and an account are known.
func (e *Engine) Acquaintances() int { return e.known.pairs }

// greet notes a login, unless somebody else could have written that it happened.
func (e *Engine) greet(peer netip.Addr, m *rules.Match) {
	if !m.Spoofable && m.Trust > ingest.TrustLow {
		e.known.meet(e.key(peer), accountOf(m), m.Time.UnixNano())
	}
}
