package sender

import (
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bailiff/ingest"
)

var begin = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

// bench is one sender with a clock of its own, and ours.
type desk struct {
	t     *testing.T
	table *Table
	key   Key
	sign  ingest.Sign
	now   time.Time

	zone       *time.Location // of the sender
	fast       time.Duration  // its clock
	year, said bool           // what its stamps tell
	fraction   bool
}

func newDesk(t *testing.T) *desk {
	addr := netip.MustParseAddr("192.0.2.7")
	return &desk{t: t, table: NewTable(), key: Key{Addr: addr}, sign: ingest.Sign{Origin: addr.String()}, now: begin, zone: time.UTC}
}

// stamp is what the sender writes now.
func (d *desk) stamp() Stamp {
	local := d.now.Add(d.fast).In(d.zone)
	if !d.fraction {
		local = local.Truncate(time.Second)
	}
	s := Stamp{Month: int(local.Month()), Day: local.Day(), Fractional: d.fraction}
	h, m, sec := local.Clock()
	s.OfDay = time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(sec)*time.Second + time.Duration(local.Nanosecond())
	if d.year {
		s.Year = local.Year()
	}
	if d.said {
		_, offset := local.Zone()
		s.Offset, s.Zoned = time.Duration(offset)*time.Second, true
	}
	return s
}

func (d *desk) send(l Line) time.Time {
	d.t.Helper()
	l.Received = d.now
	written, ok := d.table.Of(d.key, d.sign, d.now).Heard(&l)
	if !ok {
		d.t.Fatal("the table has forgotten its newest sender")
	}
	return written
}

// lines sends one line every ten seconds for a time.
func (d *desk) lines(n int) (written time.Time) {
	d.t.Helper()
	for range n {
		d.now = d.now.Add(10 * time.Second)
		written = d.send(Line{Stamp: d.stamp()})
	}
	return written
}

func (d *desk) state() State {
	d.t.Helper()
	all, _, _ := d.table.States(d.now)
	if len(all) != 1 {
		d.t.Fatalf("%d senders", len(all))
	}
	return all[0]
}

func (d *desk) notices() (texts []string) {
	notes := d.table.Notices(d.now)
	for _, n := range notes {
		texts = append(texts, n.Text)
	}
	return texts
}

func near(a, b, by time.Duration) bool { return (a - b).Abs() <= by }

func TestZones(t *testing.T) {
	for _, quarters := range []int{-48, -38, -14, 0, 1, 4, 8, 22, 23, 51, 56} {
		for _, fast := range []time.Duration{0, 3 * time.Second, -2 * time.Minute, 5 * time.Minute} {
			for _, year := range []bool{false, true} {
				d := newDesk(t)
				zone := time.Duration(quarters) * quarter
				d.zone, d.fast, d.year = time.FixedZone("", int(zone/time.Second)), fast, year
				if w := d.lines(2); !w.IsZero() {
					t.Errorf("%v: two lines made a zone: %v", zone, w)
				}
				w := d.lines(4)
				s := d.state()
				if !s.Zoned || !s.Inferred || s.Zone != zone || !s.Clocked || !near(s.Skew, fast, time.Second) {
					t.Errorf("zone %v, fast %v: %+v", zone, fast, s)
				}
				if !near(w.Sub(d.now), fast, time.Second) {
					t.Errorf("zone %v, fast %v: written %v, received %v", zone, fast, w, d.now)
				}
				if got := d.notices(); got != nil {
					t.Errorf("zone %v: %q", zone, got)
				}
			}
		}
	}
}

func TestNewYear(t *testing.T) {
	for _, zone := range []int{-11, 0, 13} {
		for _, begin := range []time.Time{
			time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC),
			time.Date(2027, 12, 31, 0, 0, 0, 0, time.UTC),
			time.Date(2028, 2, 28, 0, 0, 0, 0, time.UTC),
		} {
			d := newDesk(t)
			d.now, d.zone, d.fraction = begin, time.FixedZone("", zone*3600), true
			d.lines(5)
			for d.now.Before(begin.Add(3 * 24 * time.Hour)) {
				d.now = d.now.Add(20 * time.Minute)
				if w := d.lines(1); !w.Equal(d.now) {
					t.Fatalf("zone %d: written %v, received %v", zone, w, d.now)
				}
				if s := d.state(); s.Year != d.now.In(d.zone).Year() {
					t.Fatalf("zone %d: year %d at %v", zone, s.Year, d.now)
				}
			}
			if d.state().Jumps != 0 {
				t.Error("a new year is a jump")
			}
		}
	}
}

// A leap day that was held back until there is none.
func TestLeapDayOfAnotherYear(t *testing.T) {
	s := Stamp{Month: 2, Day: 29}
	if _, _, ok := s.since1970(begin.UnixNano()); ok {
		t.Error("2025 to 2027 have a February 29")
	}
	if _, year, ok := s.since1970(begin.AddDate(1, 2, 0).UnixNano()); !ok || year != 2028 {
		t.Errorf("year %d", year)
	}
}

func TestDate(t *testing.T) {
	for day := time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC); day.Year() < 2105; day = day.AddDate(0, 0, 1) {
		if got := date(day.Year(), int(day.Month()), day.Day()); got != day.Unix()/86400 {
			t.Fatalf("%v: day %d, want %d", day, got, day.Unix()/86400)
		}
	}
}

func TestSummerTimeIsNoJump(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip(err)
	}
	for _, zone := range []*time.Location{nil, berlin} {
		d := newDesk(t)
		d.zone, d.sign.Of, d.now = berlin, &ingest.Origin{Zone: zone}, time.Date(2026, 3, 28, 23, 0, 0, 0, time.UTC)
		d.lines(6)
		if s := d.state(); s.Zone != time.Hour || s.Inferred != (zone == nil) {
			t.Errorf("winter: %+v", s)
		}
		d.now = d.now.Add(3 * time.Hour)
		d.lines(6)
		if s := d.state(); s.Zone != 2*time.Hour || !near(s.Skew, 0, time.Second) || s.Jumps != 0 {
			t.Errorf("summer: %+v", s)
		}
		if got := d.notices(); got != nil {
			t.Errorf("%q", got)
		}
	}
}

func TestJumps(t *testing.T) {
	berlin := time.FixedZone("", 3600)
	for _, c := range []struct {
		name string
		set  func(*desk)
	}{
		{"said", func(d *desk) { d.said, d.year = true, true }},
		{"inferred", func(*desk) {}},
		{"configured", func(d *desk) { d.sign.Of = &ingest.Origin{Zone: berlin} }},
	} {
		d := newDesk(t)
		d.zone = berlin
		c.set(d)
		d.lines(6)
		d.fast = 40 * time.Second
		d.lines(60)
		if got := d.notices(); got != nil || !near(d.state().Skew, d.fast, time.Second) {
			t.Errorf("%s: a clock that was set right by 40 s: %q, %v", c.name, got, d.state().Skew)
		}
		d.fast = -3 * time.Minute
		d.lines(1)
		if got := d.notices(); got != nil {
			t.Errorf("%s: one line: %q", c.name, got)
		}
		d.lines(3)
		if diff := cmp.Diff([]string{"set its clock back by 3m40s"}, d.notices()); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
		d.fast = 4 * time.Minute
		d.lines(6)
		if got := d.notices(); got != nil || d.state().Jumps != 2 {
			t.Errorf("%s: the second jump within an hour: %q, %d jumps", c.name, got, d.state().Jumps)
		}
		d.lines(400)
		d.fast = 0
		d.lines(6)
		if diff := cmp.Diff([]string{"set its clock back by 4m0s"}, d.notices()); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

// A queue that a sender empties after a broken connection is no jump.
func TestHeldBackLinesAreNoJump(t *testing.T) {
	d := newDesk(t)
	d.said, d.year = true, true
	d.lines(6)
	for age := 10 * time.Minute; age > 0; age -= time.Second {
		d.now = d.now.Add(10 * time.Millisecond)
		d.fast = -age
		d.send(Line{Stamp: d.stamp()})
	}
	d.fast = 0
	d.lines(10)
	if s := d.state(); s.Jumps != 0 || !near(s.Skew, 0, 10*time.Second) {
		t.Errorf("%+v", s)
	}
}

// The hosts behind a relay have clocks of their own, none of which jumps because
// another speaks.
func TestRelay(t *testing.T) {
	d := newDesk(t)
	say := func(host string, fast time.Duration, n int) {
		for range n {
			d.fast, d.now = fast, d.now.Add(10*time.Second)
			d.send(Line{Stamp: d.stamp(), Host: []byte(host)})
		}
	}
	say("a", 0, 10)
	for range 10 {
		say("b", -3*time.Hour-5*time.Minute, 10)
		say("a", 0, 2)
	}
	if s := d.state(); s.Jumps != 0 || !near(s.Skew, 0, time.Second) || s.Zone != 0 {
		t.Errorf("%+v", s)
	}
	say("b", -3*time.Hour-5*time.Minute, 80) // the first has left
	if s := d.state(); s.Jumps != 0 || !near(s.Skew, -5*time.Minute, time.Second) || s.Zone != -3*time.Hour {
		t.Errorf("%+v", s)
	}
}

// Several connections of one sender write at once.
func TestAtOnce(t *testing.T) {
	d := newDesk(t)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 2000 {
				now := begin.Add(time.Duration(i) * 7 * time.Millisecond)
				for ok := false; !ok; {
					_, ok = d.table.Of(d.key, d.sign, now).Heard(&Line{Received: now, Stamp: Stamp{Month: 11, Day: 23}, Number: Number{CiscoCount, uint32(i)}})
				}
				if i%100 == 0 {
					d.table.States(now)
					d.table.Notices(now)
				}
			}
		})
	}
	all.Wait()
	if s := d.state(); s.Lines != 16_000 {
		t.Errorf("%d lines", s.Lines)
	}
}

func TestRateAndDialects(t *testing.T) {
	d := newDesk(t)
	for i := range 600 {
		d.now = d.now.Add(time.Second)
		d.send(Line{Dialect: []ingest.Dialect{ingest.RFC3164, ingest.Cisco}[i%2]})
	}
	s := d.state()
	if s.Lines != 600 || s.PerMinute < 58 || s.PerMinute > 62 || s.Dialect() != "rfc3164 cisco" || !s.Last.Equal(d.now) || s.Clocked || s.Zoned {
		t.Errorf("%+v", s)
	}
	d.now = d.now.Add(2 * time.Minute)
	if s := d.state(); s.PerMinute != 0 {
		t.Errorf("%v lines a minute of a silent sender", s.PerMinute)
	}
}

func TestTableIsBounded(t *testing.T) {
	d := newDesk(t)
	sends := func(i int) {
		d.key = Key{Addr: netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})}
		d.sign = ingest.Sign{Origin: d.key.String()}
		if i == 0 {
			d.sign.Of = &ingest.Origin{Name: "first"}
		}
		d.send(Line{})
	}
	const all = 2 * rows
	for i := range all {
		sends(i)
	}
	states, evicted, _ := d.table.States(d.now)
	if len(states) != rows+1 || evicted != 0 || states[rows].Lines != rows {
		t.Errorf("%d rows, %d evicted, last %+v", len(states), evicted, states[rows])
	}
	// A flood of new senders pushes out nobody who sends.
	d.now = d.now.Add(stale + time.Second)
	for i := range rows - crowd {
		sends(i)
	}
	old := d.table.Of(Key{Addr: netip.AddrFrom4([4]byte{10, 0, 15, 255})}, ingest.Sign{}, d.now)
	for i := range all {
		sends(rows + i)
	}
	states, evicted, _ = d.table.States(d.now)
	if evicted != crowd {
		t.Errorf("%d evicted, want %d", evicted, crowd)
	}
	var lines uint64
	for _, s := range states {
		lines += s.Lines
	}
	if want := uint64(all + rows - crowd + all); lines != want {
		t.Errorf("%d lines, want %d", lines, want)
	}
	if _, ok := old.Heard(&Line{Received: d.now}); ok {
		t.Error("a sender without a row takes lines")
	}
	// Who has a name stays however long it is silent.
	for range rows {
		d.now = d.now.Add(stale)
		sends(all + d.now.Minute())
	}
	heard := map[string]time.Time{}
	if d.table.Last(heard); len(heard) != 1 || heard["10.0.0.0"].IsZero() {
		t.Errorf("of senders with a name there were heard %v", heard)
	}
}

func TestStrangersDoNotDrownOthers(t *testing.T) {
	d := newDesk(t)
	jump := func(i int, named bool) {
		d.key = Key{Name: fmt.Sprint(i)}
		d.sign = ingest.Sign{Origin: "office"}
		if named {
			d.sign.Of = new(ingest.Origin)
		}
		for _, fast := range []time.Duration{0, 3 * time.Minute} {
			d.fast = fast
			d.lines(4)
		}
	}
	for i := range strangers + 7 {
		jump(i, false)
	}
	jump(-1, true)
	notes := d.table.Notices(d.now)
	_, _, unsaid := d.table.States(d.now)
	if len(notes) != strangers+1 || unsaid != 7 || notes[strangers].Origin != "office" {
		t.Errorf("%d notices, %d unsaid", len(notes), unsaid)
	}
}

func TestNoAllocations(t *testing.T) {
	d := newDesk(t)
	line := Line{Received: begin, Stamp: d.stamp(), Host: []byte("pbx1"), Number: Number{SequenceID, 0}}
	if n := testing.AllocsPerRun(2000, func() {
		line.Received = line.Received.Add(time.Second)
		line.Number.N += 7
		d.table.Of(d.key, d.sign, line.Received).Heard(&line)
	}); n != 0 {
		t.Errorf("%v allocations for a line", n)
	}
}

func BenchmarkHeard(b *testing.B) {
	table := NewTable()
	line := Line{Received: begin, Stamp: Stamp{Month: 11, Day: 23, OfDay: 10 * time.Hour}, Host: []byte("pbx1")}
	keys := make([]Key, rows)
	for i := range keys {
		keys[i].Addr = netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
	}
	for _, c := range []struct {
		name    string
		senders int
		scheme  Scheme
	}{{"one", 1, Unnumbered}, {"numbered", 1, SequenceID}, {"many", rows, Unnumbered}} {
		b.Run(c.name, func(b *testing.B) {
			line.Number = Number{Scheme: c.scheme}
			for i := range b.N {
				line.Number.N++
				line.Received = line.Received.Add(5 * time.Microsecond)
				table.Of(keys[i%c.senders], ingest.Sign{}, line.Received).Heard(&line)
			}
		})
	}
}
