package decide

import (
	"fmt"
	"net/netip"
	"time"

	"bailiff/rules"
)

const (
	// suspectAttempts is how many failures before a login make it one that somebody
	// should look at: fewer is a person who mistypes.
	suspectAttempts = 3
	// guessedFor is how long the guesses on an account are remembered.
	guessedFor = time.Hour
	// maxGuessed bounds the accounts that nobody opened of which guesses are
	// remembered: their names are whatever attackers send.
	maxGuessed = 10_000
)

// guesses are the failures on one account from addresses that never opened it.
type guesses struct {
	last int64
	n    int
}

// suspect remembers a failure on an account.
func (e *Engine) suspect(peer netip.Addr, m *rules.Match) {
	account := accountOf(m)
	if account == "" || e.known.knows(e.key(peer), account, m.Time.UnixNano()) {
		return
	}
	g, ok := e.guessed[account]
	if !ok && len(e.guessed) >= maxGuessed && len(e.known.nets[account]) == 0 {
		return // a flood of names: it crowds out no account that somebody opened
	}
	if at := m.Time.UnixNano(); at-g.last > int64(guessedFor) {
		g = guesses{last: at, n: m.Count}
	} else {
		g = guesses{last: max(g.last, at), n: g.n + m.Count}
	}
	e.guessed[account] = g
}

func (e *Engine) forgetGuesses(now time.Time) {
	for account, g := range e.guessed {
		if now.UnixNano()-g.last > int64(guessedFor) {
			delete(e.guessed, account)
		}
	}
}

// alarmLogin rings if a login looks like the end of an attack: one from an address
// that guessed before, on more than one account or up to its ban, or the first of
// an account from a network where it never was, after it was guessed.
func (e *Engine) alarmLogin(peer netip.Addr, w *watch, m *rules.Match, now time.Time) []Decision {
	account := accountOf(m)
	p := e.key(peer)
	reason := ""
	if w != nil && w.docket.GroupBy == ByAddress {
		n, _, accounts := w.tell(w.slots, which{spoofable: true})
		if n >= suspectAttempts && (accounts > 1 || n >= w.docket.MaxRetry-1) {
			reason = fmt.Sprintf("%s logged in as %s after %d failures: it may have guessed the password", p, account, n)
		}
	}
	nets, g := e.known.nets[account], e.guessed[account]
	if reason == "" && account != "" && len(nets) > 0 && nets[neighbourhood(p)] == 0 &&
		g.n >= suspectAttempts && m.Time.UnixNano()-g.last <= int64(guessedFor) {
		reason = fmt.Sprintf("%s is logged in from %s, where it never was, after %d failures on it from elsewhere: its password may be known", account, p, g.n)
	}
	if reason == "" || !e.ring(bell{"login " + account, neighbourhood(p)}, now) {
		return nil
	}
	d := Decision{Action: Alarm, Prefix: p, At: m.Time, Rule: m.Rule.String(), Origin: "rules", Reason: reason, Evidence: []string{m.Line}}
	if w != nil {
		d.Jail, d.Evidence = w.docket.Name, append(d.Evidence, w.evidence...)
	}
	d.ID = id(&d)
	return []Decision{d}
}
