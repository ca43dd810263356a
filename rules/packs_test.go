package rules_test

import (
	"slices"
	"testing"
	"time"

	"bailiff/ingest"
	"bailiff/rules"
)

// embedded returns the shipped packs with these names, all of them if none is
// given.
func embedded(t testing.TB, names ...string) []*rules.Pack {
	t.Helper()
	all, err := rules.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	if len(names) == 0 {
		return all
	}
	var out []*rules.Pack
	for _, p := range all {
		if slices.Contains(names, p.Name) {
			out = append(out, p)
		}
	}
	if len(out) != len(names) {
		t.Fatalf("not all of %q are shipped", names)
	}
	return out
}

func compile(t testing.TB, packs ...*rules.Pack) *rules.Set {
	t.Helper()
	set, err := rules.Compile(packs...)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// read matches one message of a daemon that is not in the journal.
func read(set *rules.Set, identifier, message string) []rules.Match {
	now := time.Date(2026, 11, 23, 1, 40, 0, 0, time.UTC)
	return set.AppendMatches(nil, &ingest.Entry{
		Source: "test", Time: now, Received: now,
		Identifier: []byte(identifier), Message: []byte(message),
		UID: -1, PID: -1, Repeat: 1,
	})
}

func TestShippedSamples(t *testing.T) {
	for _, p := range embedded(t) {
		if err := p.Check(); err != nil {
			t.Error(err)
		}
	}
}

// Unanswered challenges ban, so a pack that counts them must see the answers.
func TestChallengesHaveSuccess(t *testing.T) {
	for _, p := range embedded(t) {
		answered := map[string]bool{}
		for _, r := range p.Rules {
			answered[r.Service] = answered[r.Service] || r.Event == rules.Success
		}
		for _, r := range p.Rules {
			if r.Event == rules.Challenge && !answered[r.Service] {
				t.Errorf("%s is a challenge, and no rule of the pack tells of a login on %s", r, r.Service)
			}
		}
	}
}

// tally counts attempts as the design says, on its own: lines by service,
// witness and rule.
type tally map[string]map[string]map[*rules.Rule]int

func (t tally) add(m rules.Match) {
	r := m.Rule
	if t[r.Service] == nil {
		t[r.Service] = map[string]map[*rules.Rule]int{}
	}
	if t[r.Service][r.Witness] == nil {
		t[r.Service][r.Witness] = map[*rules.Rule]int{}
	}
	t[r.Service][r.Witness][r] += m.Count
}

// attempts is the sum over services of the largest sum over one witness.
func (t tally) attempts() int {
	total := 0
	for _, witnesses := range t {
		largest := 0
		for _, lines := range witnesses {
			sum := 0
			for r, n := range lines {
				sum += (n + r.PerAttempt - 1) / r.PerAttempt
			}
			largest = max(largest, sum)
		}
		total += largest
	}
	return total
}
