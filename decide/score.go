package decide

import (
	"maps"
	"net/netip"
	"time"

	"bailiff/rules"
)

// Score counts what one rule brought in one jail. An Engine hands out what came to
// be since it was last asked; whoever keeps it adds that up.
type Score struct {
	// Rule is "pack/name"; "" has the bans that no rule asked for: an operator's.
	Jail, Rule string
	// At is when it was counted, by our clock.
	At time.Time
	// Matches are failures and challenges, a line that stands for several counted as
	// often. Of them During came during a ban and Late after their window.
	Matches, During, Late uint64
	// Bans were decided, of them Simulated not to be enforced.
	Bans, Simulated uint64
	// Held bans waited for room under a ceiling.
	Held uint64
	// Lifted bans were ended by an operator who named them: the rule may be wrong.
	Lifted uint64
}

// Add adds the counts of o to those of t.
func (t *Score) Add(o *Score) {
	t.Matches += o.Matches
	t.During += o.During
	t.Late += o.Late
	t.Bans += o.Bans
	t.Simulated += o.Simulated
	t.Held += o.Held
	t.Lifted += o.Lifted
}

type scoreKey struct{ jail, rule string }

// scoreOf returns the counts since Scores of a rule in a jail.
func (e *Engine) scoreOf(jail, rule string) *Score {
	k := scoreKey{jail, rule}
	t := e.scores[k]
	if t == nil {
		t = &Score{Jail: jail, Rule: rule}
		e.scores[k] = t
	}
	return t
}

// matched notes a failure or challenge that the jail was told of.
func (e *Engine) matched(d *docket, m *rules.Match) *Score {
	t := d.scores[m.Rule] // by pointer: the name is made of two
	if t == nil {
		t = e.scoreOf(d.Name, m.Rule.String())
		d.scores[m.Rule] = t
	}
	t.Matches += uint64(m.Count)
	return t
}

// banned notes a ban as decided.
func (e *Engine) banned(d *Decision) {
	t := e.scoreOf(d.Jail, d.Rule)
	t.Bans++
	if d.Simulated {
		t.Simulated++
	}
}

// blame counts bans that an operator lifted on p against the rules that caused them.
// Whoever lifts everything finds no fault with any one rule.
func (e *Engine) blame(p netip.Prefix, lifted []Decision) {
	for i := range lifted {
		if b := &lifted[i]; p.Bits() > 0 && b.Rule != "" && !b.Simulated {
			e.scoreOf(b.Jail, b.Rule).Lifted++
		}
	}
}

// Scores returns what was counted since the last call, in no order.
func (e *Engine) Scores(now time.Time) []Score {
	if len(e.scores) == 0 {
		return nil
	}
	out := make([]Score, 0, len(e.scores))
	for _, t := range e.scores {
		t.At = now
		out = append(out, *t)
	}
	clear(e.scores)
	for _, d := range e.dockets {
		clear(d.scores)
	}
	return out
}

// Docket is how much one jail has before it.
type Docket struct {
	// Watched keys are remembered, and of those Open ones hold attempts.
	Watched, Open int
	// Unheard matches were not counted because of their sender, by source.
	Unheard map[string]uint64
	// Idle matches were not counted because the jail was paused.
	Idle uint64
}

// Docket tells of the jail of a name.
func (e *Engine) Docket(jail string) (Docket, bool) {
	for _, d := range e.dockets {
		if d.Name == jail {
			n := len(d.watches)
			return Docket{Watched: n, Open: n - d.rows[0].n, Unheard: maps.Clone(d.unheard), Idle: d.idle}, true
		}
	}
	return Docket{}, false
}
