package store

import (
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"bailiff/decide"
	"bailiff/ingest"
)

// now is whole seconds in the future of any machine's clock, because Badger
// expires records by the machine's clock.
var now = time.Now().Add(time.Hour).Truncate(time.Second).UTC()

// testOptions are options on a fresh directory with plenty of room.
func testOptions(t testing.TB) Options {
	opts := DefaultOptions()
	opts.Dir = filepath.Join(t.TempDir(), "state")
	opts.free = func(string) (uint64, uint64, error) { return 1 << 40, 1 << 20, nil }
	return opts
}

func mustOpen(t testing.TB, opts Options) *Store {
	t.Helper()
	s, err := Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func mustCommit(t testing.TB, s *Store, decisions ...decide.Decision) {
	t.Helper()
	if err := s.Commit(Batch{Decisions: decisions}); err != nil {
		t.Fatal(err)
	}
}

// ban is a ban of ten minutes.
func ban(prefix, jail string, at time.Time) decide.Decision {
	p := netip.MustParsePrefix(prefix)
	return decide.Decision{
		ID: jail + prefix + at.Format(time.RFC3339Nano), Action: decide.Ban, Prefix: p,
		At: at, Until: at.Add(10 * time.Minute), Jail: jail, Rule: "sshd/refused",
		Origin: "rules", Strike: 1, Attempts: 5,
		Evidence: []string{"Failed password for root", "Failed password for \xff"},
	}
}

func lift(prefix, jail string, at time.Time) decide.Decision {
	d := ban(prefix, jail, at)
	d.Action, d.Until, d.Evidence = decide.Lift, time.Time{}, nil
	return d
}

func strikes(t *testing.T, s *Store, prefix, jail string, since time.Time) []decide.Strike {
	t.Helper()
	got, err := s.Strikes(netip.MustParsePrefix(prefix), jail, since)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func strikeOf(d decide.Decision) decide.Strike {
	return decide.Strike{Prefix: d.Prefix, Jail: d.Jail, At: d.At, Until: d.Until}
}

// diff compares netip values by ==.
func diff(want, got any) string {
	return cmp.Diff(want, got, cmpopts.EquateComparable(netip.Prefix{}), cmpopts.EquateEmpty())
}

func bare(decisions ...decide.Decision) []decide.Decision {
	out := slices.Clone(decisions)
	for i := range out {
		out[i].Evidence = nil
	}
	return out
}

func TestWhatIsCommittedIsThereAfterReopening(t *testing.T) {
	opts := testOptions(t)
	forever := ban("2001:db8:1:2::/64", "pbx", now)
	forever.Until = time.Time{}
	forever.Ports = []decide.Port{{Proto: "udp", Port: 5060}, {Proto: "tcp", Port: 5061}}
	forever.Verdict = decide.Reject
	forever.Reason = "an operator said so"
	simulated := ban("203.0.113.9/32", "sshd", now)
	simulated.Simulated = true
	over := ban("203.0.113.10/32", "sshd", now.Add(-time.Hour))
	spent := ban("203.0.113.11/32", "sshd", now)
	spent.Spent = true
	standing := ban("203.0.113.8/32", "sshd", now)

	s := mustOpen(t, opts)
	batch := Batch{
		Decisions: []decide.Decision{forever, simulated, over, spent, standing},
		Marks:     []ingest.Mark{{Source: "journald", Cursor: []byte("s=1;i=2")}},
	}
	if err := s.Commit(batch); err != nil {
		t.Fatal(err)
	}
	check := func(s *Store) {
		t.Helper()
		bans, err := s.Bans(now.Add(time.Second))
		if err != nil {
			t.Fatal(err)
		}
		if d := diff(bare(standing, simulated, forever), bans); d != "" {
			t.Errorf("bans (-want +got):\n%s", d)
		}
		cursor, ok, err := s.Mark("journald")
		if string(cursor) != "s=1;i=2" || !ok || err != nil {
			t.Errorf("mark = %q, %v, %v", cursor, ok, err)
		}
		record, err := s.Record(netip.MustParsePrefix("::/0"), 100)
		if d := diff([]decide.Decision{forever}, record); d != "" || err != nil {
			t.Errorf("record (-want +got): %v\n%s", err, d)
		}
	}
	check(s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	check(mustOpen(t, opts))
}

func TestMarkOfUnknownSource(t *testing.T) {
	cursor, ok, err := mustOpen(t, testOptions(t)).Mark("journald")
	if cursor != nil || ok || err != nil {
		t.Errorf("Mark = %q, %v, %v, want none", cursor, ok, err)
	}
}

func TestStrikes(t *testing.T) {
	s := mustOpen(t, testOptions(t))
	old := ban("192.0.2.1/32", "sshd", now.Add(-2*time.Hour))
	recent := ban("192.0.2.1/32", "sshd", now.Add(-time.Hour))
	pbx := ban("192.0.2.1/32", "pbx", now.Add(-90*time.Minute))
	spent := ban("192.0.2.1/32", "sshd", now.Add(-30*time.Minute))
	spent.Spent = true
	forever := ban("192.0.2.1/32", "sshd", now)
	forever.Until = time.Time{}
	simulated := ban("192.0.2.1/32", "sshd", now.Add(-time.Minute))
	simulated.Simulated = true
	alarm := ban("192.0.2.1/32", "sshd", now.Add(-time.Minute))
	alarm.Action = decide.Alarm
	mustCommit(t, s, recent, old, pbx, spent, forever, simulated, alarm,
		ban("192.0.2.0/31", "sshd", now), ban("192.0.2.10/32", "sshd", now))

	of := func(decisions ...decide.Decision) (out []decide.Strike) {
		for _, d := range decisions {
			out = append(out, strikeOf(d))
		}
		return out
	}
	for _, tc := range []struct {
		name, jail string
		since      time.Time
		want       []decide.Strike
	}{
		{"every jail", "", time.Time{}, of(old, pbx, recent, spent, forever)},
		{"one jail", "sshd", time.Time{}, of(old, recent, spent, forever)},
		{"a jail whose name begins another", "ssh", time.Time{}, nil},
		{"ended exactly then", "sshd", recent.Until, of(recent, spent, forever)},
		{"ended just before", "sshd", recent.Until.Add(1), of(spent, forever)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if d := diff(tc.want, strikes(t, s, "192.0.2.1/32", tc.jail, tc.since)); d != "" {
				t.Errorf("strikes (-want +got):\n%s", d)
			}
		})
	}
}

func TestLift(t *testing.T) {
	for _, together := range []bool{true, false} {
		s := mustOpen(t, testOptions(t))
		first := ban("192.0.2.1/32", "sshd", now)
		other := ban("192.0.2.1/32", "pbx", now)
		end := lift("192.0.2.1/32", "sshd", now.Add(time.Minute))
		if together {
			mustCommit(t, s, first, other, end)
		} else {
			mustCommit(t, s, first, other)
			mustCommit(t, s, end)
		}
		mustCommit(t, s, first) // a line is read twice

		bans, err := s.Bans(now.Add(2 * time.Minute))
		if d := diff(bare(other), bans); d != "" || err != nil {
			t.Errorf("together=%v: bans (-want +got): %v\n%s", together, err, d)
		}
		want := []decide.Strike{strikeOf(first)}
		want[0].Until = end.At
		if d := diff(want, strikes(t, s, "192.0.2.1/32", "sshd", time.Time{})); d != "" {
			t.Errorf("together=%v: strikes (-want +got):\n%s", together, d)
		}
		record, err := s.Record(netip.MustParsePrefix("192.0.2.1/32"), 10)
		if d := diff([]decide.Decision{end, first, other}, record); d != "" || err != nil {
			t.Errorf("together=%v: record (-want +got): %v\n%s", together, err, d)
		}

		again := ban("192.0.2.1/32", "sshd", now.Add(2*time.Minute))
		mustCommit(t, s, again)
		bans, err = s.Bans(now.Add(2 * time.Minute))
		if d := diff(bare(other, again), bans); d != "" || err != nil {
			t.Errorf("together=%v: bans after the next (-want +got): %v\n%s", together, err, d)
		}
	}
}

func TestLiftOfABanThatIsOver(t *testing.T) {
	s := mustOpen(t, testOptions(t))
	over := ban("192.0.2.1/32", "sshd", now)
	mustCommit(t, s, over, lift("192.0.2.1/32", "sshd", over.Until))
	if d := diff([]decide.Strike{strikeOf(over)}, strikes(t, s, "192.0.2.1/32", "", time.Time{})); d != "" {
		t.Errorf("strikes (-want +got):\n%s", d)
	}
}

func TestSpentBanLeavesTheOneThatStands(t *testing.T) {
	s := mustOpen(t, testOptions(t))
	standing, spent := ban("192.0.2.1/32", "sshd", now), ban("192.0.2.1/32", "sshd", now.Add(time.Second))
	spent.Spent = true
	mustCommit(t, s, standing, spent)
	bans, err := s.Bans(now)
	if d := diff(bare(standing), bans); d != "" || err != nil {
		t.Errorf("bans (-want +got): %v\n%s", err, d)
	}
}

func TestLiftOfNothing(t *testing.T) {
	s := mustOpen(t, testOptions(t))
	mustCommit(t, s, lift("192.0.2.1/32", "sshd", now))
	if got := strikes(t, s, "192.0.2.1/32", "", time.Time{}); len(got) != 0 {
		t.Errorf("strikes = %v, want none", got)
	}
}

func TestRecord(t *testing.T) {
	s := mustOpen(t, testOptions(t))
	at := now
	next := func(prefix string) decide.Decision {
		at = at.Add(time.Second)
		return ban(prefix, "sshd", at)
	}
	host, inside, covering := next("192.0.2.1/32"), next("192.0.2.128/32"), next("192.0.0.0/16")
	sameBase, v6, before := next("192.0.2.0/24"), next("2001:db8::/64"), next("192.0.1.255/32")
	after, all := next("192.0.3.0/32"), next("0.0.0.0/0")
	ambiguous := next("192.0.2.1/32")
	ambiguous.Prefix, ambiguous.Action = netip.Prefix{}, decide.Alarm
	mustCommit(t, s, host, inside, covering, sameBase, v6, before, after, all, ambiguous)

	for _, tc := range []struct {
		prefix string
		limit  int
		want   []decide.Decision
	}{
		{"192.0.2.0/24", 10, []decide.Decision{all, sameBase, covering, inside, host}},
		{"192.0.2.77/24", 10, []decide.Decision{all, sameBase, covering, inside, host}},
		{"192.0.2.0/24", 2, []decide.Decision{all, sameBase}},
		{"192.0.2.1/32", 10, []decide.Decision{all, sameBase, covering, host}},
		{"192.0.2.0/32", 10, []decide.Decision{all, sameBase, covering}},
		{"2001:db8::1/128", 10, []decide.Decision{v6}},
		{"2001:db8::/32", 10, []decide.Decision{v6}},
		{"::/0", 10, []decide.Decision{v6}},
		{"0.0.0.0/0", 10, []decide.Decision{all, after, before, sameBase, covering, inside, host}},
	} {
		got, err := s.Record(netip.MustParsePrefix(tc.prefix), tc.limit)
		if d := diff(tc.want, got); d != "" || err != nil {
			t.Errorf("%s, at most %d (-want +got): %v\n%s", tc.prefix, tc.limit, err, d)
		}
	}
}

func TestExpired(t *testing.T) {
	opts := testOptions(t)
	opts.Retain = time.Hour
	s := mustOpen(t, opts)
	long := time.Now().Add(-2 * time.Hour)
	forgotten, remembered := ban("192.0.2.1/32", "sshd", long), ban("192.0.2.1/32", "pbx", long)
	remembered.Until = long.Add(90 * time.Minute)
	mustCommit(t, s, forgotten, remembered)
	got := strikes(t, s, "192.0.2.1/32", "", time.Time{})
	if len(got) != 1 || got[0].Jail != "pbx" {
		t.Errorf("strikes = %v, want that of pbx, which ended half an hour ago", got)
	}
}

func TestMaintain(t *testing.T) {
	s := mustOpen(t, testOptions(t))
	mustCommit(t, s, ban("192.0.2.1/32", "sshd", now))
	if err := s.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := strikes(t, s, "192.0.2.1/32", "", time.Time{}); len(got) != 1 {
		t.Errorf("strikes after Maintain = %v, want one", got)
	}
}

func TestClosed(t *testing.T) {
	s, err := Open(testOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := s.Commit(Batch{}); !errors.Is(err, ErrClosed) {
		t.Errorf("Commit = %v, want ErrClosed", err)
	}
	if err := s.Sync(); !errors.Is(err, ErrClosed) {
		t.Errorf("Sync = %v, want ErrClosed", err)
	}
}

func TestRottenRecordIsPassedOver(t *testing.T) {
	opts := testOptions(t)
	var log strings.Builder
	opts.Logger = slog.New(slog.NewTextHandler(&log, nil))
	s := mustOpen(t, opts)
	rotten, sound := ban("192.0.2.1/32", "sshd", now), ban("192.0.2.2/32", "sshd", now)
	mustCommit(t, s, rotten, sound)
	if err := s.transact([]change{{key: banKey(rotten.Prefix, "sshd"), value: []byte("?")}}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		bans, err := s.Bans(now)
		if d := diff(bare(sound), bans); d != "" || err != nil {
			t.Errorf("bans (-want +got): %v\n%s", err, d)
		}
	}
	if n := strings.Count(log.String(), "\n"); n != 1 {
		t.Errorf("%d lines logged, want one:\n%s", n, log.String())
	}
}

func TestValidate(t *testing.T) {
	if err := new(Options).Validate(); err == nil {
		t.Error("the zero Options are valid")
	}
	opts := DefaultOptions()
	if err := opts.Validate(); err != nil {
		t.Error(err)
	}
	opts.Retain = -1
	if err := opts.Validate(); err == nil {
		t.Error("a negative retention is valid")
	}
	if _, err := Open(Options{Dir: t.TempDir()}); err == nil {
		t.Error("Open takes options that are not valid")
	}
}

func TestDirectoryIsPrivate(t *testing.T) {
	opts := testOptions(t)
	mustOpen(t, opts)
	info, err := os.Stat(opts.Dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("mode %v, %v, want 0700", info.Mode(), err)
	}
}
