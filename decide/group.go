package decide

import (
	"net/netip"
	"slices"

	"bailiff/rules"
)

// GroupBy says whose attempts a jail adds up.
type GroupBy uint8

// The groups, spelled in TOML as address, prefix, account and address+account.
const (
	// ByAddress counts each address for itself, and bans it.
	ByAddress GroupBy = iota
	// ByPrefix counts the addresses of a network together, and bans the network.
	ByPrefix
	// ByAccount counts the attempts on one account from wherever they come, and
	// bans everybody who took part.
	ByAccount
	// ByAddressAccount counts each address on each account, and bans the
	// address.
	ByAddressAccount
)

// String returns the TOML spelling.
func (g GroupBy) String() string {
	if int(g) < len(Groups()) {
		return Groups()[g]
	}
	return "group?"
}

// Groups returns the spellings of GroupBy, in its order. The slice is the
// caller's.
func Groups() []string { return []string{"address", "prefix", "account", "address+account"} }

// validateGroup reports what cannot work of a jail's grouping.
func (j *Jail) validateGroup(bad func(format string, args ...any)) {
	if j.GroupBy == ByPrefix && (j.Prefix4 < 8 || j.Prefix4 > 32 || j.Prefix6 < 16 || j.Prefix6 > 64) {
		bad("jail %s: prefixes are from /8 to /32 and from /16 to /64, not /%d and /%d", j.Name, j.Prefix4, j.Prefix6)
	}
	if j.GroupBy == ByPrefix && len(j.Canaries) > 0 {
		bad("jail %s: canary: one attempt of one address would ban its whole network; put it into a jail by address", j.Name)
	}
	if j.GroupBy == ByAddressAccount && j.Distinct > 1 {
		bad("jail %s: distinct: an address and an account are one pair, never %d", j.Name, j.Distinct)
	}
	if j.Distinct > 1 && j.MaxRetry < j.Distinct {
		bad("jail %s: distinct: is %d, which max_retry = %d attempts cannot be", j.Name, j.Distinct, j.MaxRetry)
	}
	if j.SpoofableBan < 0 {
		bad("jail %s: spoofable_ban_time: is negative", j.Name)
	}
}

// key is what a window belongs to: a prefix, an account, or both.
type key struct {
	prefix  netip.Prefix // invalid in ByAccount jails
	account string       // "" in ByAddress and ByPrefix jails
}

// accountBytes is how much of an account's name tells it from others: names are
// an attacker's text, and keys stay in memory.
const accountBytes = 128

func accountOf(m *rules.Match) string { return m.Account[:min(len(m.Account), accountBytes)] }

// keyOf returns the window that a match of peer belongs to; it is none if the jail
// needs an account and the line names none.
func (e *Engine) keyOf(d *docket, peer netip.Addr, m *rules.Match) (k key, ok bool) {
	account := accountOf(m)
	switch d.GroupBy {
	case ByPrefix:
		return key{prefix: d.network(peer)}, true
	case ByAccount:
		return key{account: account}, account != ""
	case ByAddressAccount:
		return key{prefix: e.key(peer), account: account}, account != ""
	default:
		return key{prefix: e.key(peer)}, true
	}
}

// network is what a ByPrefix jail watches for a peer.
func (j *Jail) network(peer netip.Addr) netip.Prefix {
	bits := j.Prefix4
	if peer.Is6() {
		bits = j.Prefix6
	}
	return netip.PrefixFrom(peer, bits).Masked()
}

// shared says that windows of the jail hold the attempts of several peers.
func (j *Jail) shared() bool { return j.GroupBy == ByPrefix || j.GroupBy == ByAccount }

// canary says that nobody owns the account.
func (j *Jail) canary(account string) bool {
	return account != "" && slices.Contains(j.Canaries, account)
}

// accused are the prefixes that a complete window condemns: those whose attempts
// of the class it holds, or the one that it watches.
func (w *watch) accused(spoofable bool) []netip.Prefix {
	return w.prefixes(func(s *slot) bool { return s.counts(spoofable) && !s.known })
}

// prefixes are those that have a slot of a kind, or the one that the window watches.
func (w *watch) prefixes(kind func(*slot) bool) []netip.Prefix {
	if w.docket.GroupBy != ByAccount {
		return []netip.Prefix{w.key.prefix}
	}
	var out []netip.Prefix
	for i := range w.slots {
		if p := w.slots[i].peer.Value(); kind(&w.slots[i]) && !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out
}

// fits says that the jail has windows of such a key.
func (j *Jail) fits(k key) bool {
	switch j.GroupBy {
	case ByAccount:
		return !k.prefix.IsValid() && k.account != ""
	case ByAddressAccount:
		return k.prefix.IsValid() && k.account != ""
	case ByPrefix:
		return k.prefix.IsValid() && k.account == "" && k.prefix == j.network(k.prefix.Addr())
	default:
		return k.prefix.IsValid() && k.account == ""
	}
}
