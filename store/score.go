package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/dgraph-io/badger/v4"

	"bailiff/decide"
)

// Score is what a rule brought in a jail as far as the record goes back.
type Score struct {
	// Score has the totals; its At is when the first was counted.
	decide.Score
	// Lately are bans and lifted bans of the days up to recentDays ago; its At is the
	// first of these days.
	Lately decide.Score
}

const (
	// recentDays is how many days have counts of their own.
	recentDays = 30
	day        = 24 * time.Hour
	// totals is the day of what is counted over all days.
	totals = 0
)

// scoreKey is the key of what a rule brought in a jail on a day since 1970. Neither
// name has a NUL in it.
func scoreKey(s *decide.Score, day uint32) []byte {
	b := append([]byte{kindScore}, s.Jail...)
	b = append(append(b, 0), s.Rule...)
	return binary.BigEndian.AppendUint32(append(b, 0), day)
}

func cutScoreKey(key []byte) (jail, rule string, day uint32, err error) {
	first, rest, ok := bytes.Cut(key[1:], []byte{0})
	second, rest, ok2 := bytes.Cut(rest, []byte{0})
	if !ok || !ok2 || len(rest) != 4 {
		return "", "", 0, errKey
	}
	return string(first), string(second), binary.BigEndian.Uint32(rest), nil
}

func dayOf(t time.Time) uint32 { return uint32(t.Unix() / int64(day/time.Second)) }

// score adds what was counted to what stands, in all and on its day.
func (s *Store) score(d *draft, more *decide.Score) error {
	if err := s.addScore(d, scoreKey(more, totals), more, 0); err != nil || more.Bans+more.Lifted == 0 {
		return err
	}
	of := decide.Score{Jail: more.Jail, Rule: more.Rule, At: more.At, Bans: more.Bans, Simulated: more.Simulated, Lifted: more.Lifted}
	return s.addScore(d, scoreKey(more, dayOf(more.At)), &of, expiry(more.At, (recentDays+1)*day))
}

func (s *Store) addScore(d *draft, key []byte, more *decide.Score, expires uint64) error {
	value, err := d.get(key)
	if err != nil {
		return err
	}
	sum := *more
	if value != nil {
		if sum, err = readScore(value); err != nil {
			// Bans must not fail for the sake of counts.
			s.log.Warn("the counts of a rule cannot be read and begin anew", "jail", more.Jail, "rule", more.Rule, "err", err)
			sum = decide.Score{At: more.At}
		}
		sum.Add(more)
	}
	d.put(change{key: key, value: appendScore(nil, &sum), expires: expires})
	return nil
}

// appendScore and readScore are the form of counts: when the first was counted, and the
// numbers, of which more may come at the end.
func appendScore(b []byte, s *decide.Score) []byte {
	b = appendStamp(append(b, codecVersion), s.At)
	for _, n := range []uint64{s.Matches, s.During, s.Late, s.Bans, s.Simulated, s.Held, s.Lifted} {
		b = binary.AppendUvarint(b, n)
	}
	return b
}

func readScore(b []byte) (s decide.Score, err error) {
	d := decoder{rest: b}
	if v := d.byte(); v != codecVersion && d.err == nil {
		return s, fmt.Errorf("score of encoding %d", v)
	}
	s.At = d.stamp()
	for _, n := range []*uint64{&s.Matches, &s.During, &s.Late, &s.Bans, &s.Simulated, &s.Held, &s.Lifted} {
		*n = d.uvarint()
	}
	return s, d.err
}

// Scores returns what every rule brought in every jail, by jail and rule. Its cost is
// that of their number, however much is on record.
func (s *Store) Scores(now time.Time) ([]Score, error) {
	var all []Score
	since := now.Add(-recentDays * day)
	err := s.db.View(func(txn *badger.Txn) error {
		return scan(txn, []byte{kindScore}, func(it *badger.Item) error {
			jail, rule, on, err := cutScoreKey(it.Key())
			var n decide.Score
			if err == nil {
				err = it.Value(func(v []byte) error { n, err = readScore(v); return err })
			}
			if err != nil {
				s.unreadable(it, err)
				return nil
			}
			n.Jail, n.Rule = jail, rule
			if on == totals {
				all = append(all, Score{n, decide.Score{Jail: jail, Rule: rule, At: since}})
				return nil
			}
			// The totals of a rule stand before its days.
			if last := len(all) - 1; last >= 0 && all[last].Jail == jail && all[last].Rule == rule && on >= dayOf(since) {
				all[last].Lately.Add(&n)
			}
			return nil
		})
	})
	return all, err
}

// Scores is Store.Scores, with what is not written yet.
func (r *Resilient) Scores(now time.Time) ([]Score, error) {
	r.mu.Lock()
	s := r.store
	kept := make([]decide.Score, 0, len(r.kept.scores))
	for _, k := range r.kept.scores {
		kept = append(kept, k)
	}
	r.mu.Unlock()
	var all []Score
	if s != nil {
		var err error
		if all, err = s.Scores(now); err != nil {
			return nil, err
		}
	}
next:
	for i := range kept {
		k := &kept[i]
		for j := range all {
			if all[j].Jail == k.Jail && all[j].Rule == k.Rule {
				all[j].Add(k)
				all[j].Lately.Add(&decide.Score{Bans: k.Bans, Simulated: k.Simulated, Lifted: k.Lifted})
				continue next
			}
		}
		all = append(all, Score{*k, *k})
	}
	return all, nil
}
