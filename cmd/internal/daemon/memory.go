package daemon

import (
	"net/netip"
	"slices"
	"time"

	"bailiff/decide"
	"bailiff/store"
)

// memory is a record that ends with the process: the strikes of those who were banned
// lately. It is a decide.History and a ledger.
type memory struct {
	forget time.Duration
	most   int // prefixes
	of     map[netip.Prefix][]decide.Strike
	order  []netip.Prefix // in which they came
}

func newMemory(forget time.Duration, most int) *memory {
	return &memory{forget: forget, most: most, of: map[netip.Prefix][]decide.Strike{}}
}

// Strikes is what Store.Strikes is.
func (m *memory) Strikes(p netip.Prefix, jail string, since time.Time) ([]decide.Strike, error) {
	var out []decide.Strike
	for _, s := range m.of[p] {
		if (jail == "" || s.Jail == jail) && (s.Until.IsZero() || !s.Until.Before(since)) {
			out = append(out, s)
		}
	}
	return out, nil
}

// Commit keeps the bans and ends what was lifted.
func (m *memory) Commit(b store.Batch) error {
	for i := range b.Decisions {
		d := &b.Decisions[i]
		switch {
		case d.Action == decide.Ban && !d.Simulated:
			m.ban(d)
		case d.Action == decide.Lift:
			for i, s := range m.of[d.Prefix] {
				if s.Jail == d.Jail && (s.Until.IsZero() || s.Until.After(d.At)) {
					m.of[d.Prefix][i].Until = d.At
				}
			}
		}
	}
	return nil
}

func (m *memory) ban(d *decide.Decision) {
	strikes, known := m.of[d.Prefix]
	if !known {
		if len(m.order) >= m.most {
			delete(m.of, m.order[0])
			m.order = m.order[1:]
		}
		m.order = append(m.order, d.Prefix)
	}
	strikes = slices.DeleteFunc(strikes, func(s decide.Strike) bool {
		return !s.Until.IsZero() && d.At.Sub(s.Until) > m.forget
	})
	m.of[d.Prefix] = append(strikes, decide.Strike{Prefix: d.Prefix, Jail: d.Jail, At: d.At, Until: d.Until, Spoofable: d.Spoofable})
}

// Sync has nothing to do.
func (m *memory) Sync() error { return nil }
