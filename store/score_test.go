package store

import (
	"errors"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"

	"bailiff/decide"
)

func commitScores(t *testing.T, c interface{ Commit(Batch) error }, scores ...decide.Score) {
	t.Helper()
	if err := c.Commit(Batch{Scores: scores}); err != nil {
		t.Fatal(err)
	}
}

// Counts add up over commits, jails, rules, days and a restart.
func TestScoresAddUp(t *testing.T) {
	opts := testOptions(t)
	s := mustOpen(t, opts)
	const days = 24 * time.Hour
	one := decide.Score{Jail: "sshd", Rule: "sshd/failed-password", At: now.Add(-40 * days), Matches: 5, Bans: 1, Lifted: 1}
	two := decide.Score{Jail: "sshd", Rule: "sshd/failed-password", At: now.Add(-3 * days), Matches: 3, During: 2, Late: 1, Bans: 2, Simulated: 1, Held: 1}
	three := decide.Score{Jail: "sshd", Rule: "sshd/failed-password", At: now, Matches: 1, Lifted: 2}
	hand := decide.Score{Jail: "sshd", At: now, Bans: 1}
	commitScores(t, s, one)
	commitScores(t, s, two, hand)
	commitScores(t, s, three)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := mustOpen(t, opts).Scores(now)
	since := now.Add(-30 * days)
	want := []Score{
		{hand, decide.Score{Jail: "sshd", At: since, Bans: 1}},
		{
			decide.Score{Jail: "sshd", Rule: one.Rule, At: one.At, Matches: 9, During: 2, Late: 1, Bans: 3, Simulated: 1, Held: 1, Lifted: 3},
			decide.Score{Jail: "sshd", Rule: one.Rule, At: since, Bans: 2, Simulated: 1, Lifted: 2},
		},
	}
	if d := diff(want, got); d != "" || err != nil {
		t.Errorf("%v (-want +got)\n%s", err, d)
	}
}

// What cannot be written counts all the same, once.
func TestScoresWithoutADisk(t *testing.T) {
	opts := testOptions(t)
	full := false
	opts.free = func(string) (uint64, uint64, error) {
		if full {
			return 0, 0, nil
		}
		return 1 << 40, 1 << 20, nil
	}
	r, err := OpenResilient(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	of := func(matches uint64) decide.Score {
		return decide.Score{Jail: "sshd", Rule: "sshd/refused", At: now, Matches: matches, Bans: 1}
	}
	commitScores(t, r, of(1))
	full = true
	commitScores(t, r, of(2))
	commitScores(t, r, of(4))
	check := func() {
		t.Helper()
		got, err := r.Scores(now)
		if len(got) != 1 || got[0].Matches != 7 || got[0].Lately.Bans != 3 || err != nil {
			t.Errorf("%+v, %v", got, err)
		}
	}
	check()
	full = false
	r.Retry()
	if err := r.Degraded(); err != nil {
		t.Fatal(err)
	}
	check()
}

// Counts that cannot be read cost no ban.
func TestRottenScore(t *testing.T) {
	s := mustOpen(t, testOptions(t))
	of := decide.Score{Jail: "sshd", Rule: "sshd/refused", At: now, Matches: 2}
	for _, value := range [][]byte{{99}, {codecVersion}, {}} {
		err := s.db.Update(func(txn *badger.Txn) error { return txn.Set(scoreKey(&of, totals), value) })
		if got, err2 := s.Scores(now); err != nil || err2 != nil || len(got) != 0 {
			t.Fatalf("%+v, %v", got, errors.Join(err, err2))
		}
		if err := s.Commit(Batch{Scores: []decide.Score{of}, Decisions: []decide.Decision{ban("192.0.2.1/32", "sshd", now)}}); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Scores(now); len(got) != 1 || got[0].Matches != 2 || err != nil {
			t.Errorf("%+v, %v", got, err)
		}
	}
}
