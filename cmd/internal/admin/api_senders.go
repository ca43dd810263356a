package admin

import "time"

// Sender is one sender of a source.
type Sender struct {
	Source string `json:"source"`
	// Name is the address or the name by which the transport knows it; empty
	// stands for all that have no row of their own. Origin is what bailiff calls
	// it, and Named says that the operator does.
	Name   string `json:"name"`
	Origin string `json:"origin"`
	Named  bool   `json:"named,omitempty"`
	Trust  string `json:"trust,omitempty"` // empty where they differ

	Lines uint64 `json:"lines"`
	// PerMinute is how many came in the last minute.
	PerMinute float64   `json:"per_minute"`
	Last      time.Time `json:"last"`
	Dialects  []string  `json:"dialects"`

	// Skew is by how many seconds its clock is fast; nil where its stamps do not
	// tell.
	Skew *float64 `json:"skew_seconds,omitempty"`
	// Zone is that of its stamps without one, like +01:00.
	Zone         string `json:"zone,omitempty"`
	ZoneInferred bool   `json:"zone_inferred,omitempty"`
	// Year is that of its last stamp without one.
	Year       int    `json:"year,omitempty"`
	ClockJumps uint64 `json:"clock_jumps,omitempty"`
	// Lost is how many of the lines that it numbered never came; nil where it
	// numbers none.
	Lost *uint64 `json:"lost,omitempty"`
}

// senderSum adds up the senders of one source that the operator calls by one name,
// or all whom he does not.
type senderSum struct {
	source, origin     string
	lines, lost, jumps float64
	last               time.Time
	skew               *float64 // the worst
	rows               int
}

// originsOf returns the sums in the order in which they first occur: labels of
// metrics, so that who can send from many addresses makes no more of them.
func (s *Status) originsOf() []*senderSum {
	var out []*senderSum
	type key struct{ source, origin string }
	found := map[key]*senderSum{}
	for i := range s.Senders {
		from := &s.Senders[i]
		k := key{source: from.Source}
		if from.Named {
			k.origin = from.Origin
		}
		sum := found[k]
		if sum == nil {
			sum = &senderSum{source: k.source, origin: k.origin}
			found[k], out = sum, append(out, sum)
		}
		sum.rows++
		sum.lines += float64(from.Lines)
		sum.jumps += float64(from.ClockJumps)
		if from.Lost != nil {
			sum.lost += float64(*from.Lost)
		}
		if from.Last.After(sum.last) {
			sum.last = from.Last
		}
		if from.Skew != nil && (sum.skew == nil || *from.Skew**from.Skew > *sum.skew**sum.skew) {
			sum.skew = from.Skew
		}
	}
	return out
}
