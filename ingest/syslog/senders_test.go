package syslog

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"bailiff/ingest"
	"bailiff/ingest/sender"
)

func TestNumbers(t *testing.T) {
	for line, want := range map[string]sender.Number{
		"<187>37972: *Nov 21 01:38:44.613: %SEC_LOGIN-4-LOGIN_FAILED: x":                  {Scheme: sender.CiscoCount, N: 37972},
		"<187>0: ucm1: Nov 21 2026 01:38:44.613 UTC: %UC_AUDITLOG-4-AdministrativeEvent:": {Scheme: sender.CiscoCount, N: 0},
		"<187>*Nov 21 01:38:44.613: %SEC_LOGIN-4-LOGIN_FAILED: x":                         {},
		"<187>37972: sshd: x":                          {},
		"<187>37972: *Nov 21 01:38:44:":                {},
		"<132>[S=643] [SID=abc:1:2] (N 1) x":           {Scheme: sender.AudioCodesCount, N: 643},
		"<132>Nov 23 01:38:44 192.0.2.7 [S=643] x":     {Scheme: sender.AudioCodesCount, N: 643},
		"<132>[S=4294967296] x":                        {},
		"<132>[S=99999999999999999999] x":              {},
		"<132>[S=] x":                                  {},
		"<132>[S=-1] x":                                {},
		"<132>[S=643":                                  {},
		"<132>x [S=643] x":                             {},
		"<132>Nov 23 01:38:44 pbx1 sshd[9]: [S=643] x": {}, // a user's text, maybe
		"<132>1 2026-11-23T01:38:44.6Z pbx1 a 1 - [meta sequenceId=\"29\"] x":             {Scheme: sender.SequenceID, N: 29},
		"<132>1 2026-11-23T01:38:44.6Z pbx1 a 1 - [a b=\"c\"][meta sequenceId=\"29\"] x":  {Scheme: sender.SequenceID, N: 29},
		"<132>1 2026-11-23T01:38:44.6Z pbx1 a 1 - [meta sequenceId=\"2147483648\"] x":     {},
		"<132>1 2026-11-23T01:38:44.6Z pbx1 a 1 - [meta sequenceId=\"0\"] x":              {},
		"<132>1 2026-11-23T01:38:44.6Z pbx1 a 1 - - [meta sequenceId=\"29\"]":             {},
		"<132>1 2026-11-23T01:38:44.6Z pbx1 a 1 - [a b=\"[meta sequenceId=\\\"2\\\"\"] x": {},
	} {
		var p Parser
		var e ingest.Entry
		if got := p.Parse([]byte(line), &e).Number; got != want {
			t.Errorf("%s: %+v, want %+v", line, got, want)
		}
	}
}

// desk is a worker whose clock stands where the test puts it.
type desk struct {
	w    *worker
	now  time.Time
	last ingest.Entry
}

func newDesk(t *testing.T, origins ...ingest.Origin) *desk {
	d := &desk{now: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)}
	all, err := ingest.NewOrigins(origins...)
	if err != nil {
		t.Fatal(err)
	}
	l, err := New(Options{Listen: "udp://127.0.0.1:0", MaxSkew: 5 * time.Second, MaxConns: 1, Origins: all, Now: func() time.Time { return d.now }})
	if err != nil {
		t.Fatal(err)
	}
	d.w = newWorker(l, func(e *ingest.Entry) { d.last = *e })
	return d
}

func (d *desk) send(from, line string) {
	d.w.from(netip.MustParseAddrPort(from))
	d.w.deliver([]byte(line), false)
}

func (d *desk) states(t *testing.T) map[string]sender.State {
	t.Helper()
	out := map[string]sender.State{}
	all, _, _ := d.w.l.Senders().States(d.now)
	for _, s := range all {
		out[s.Name] = s
	}
	return out
}

// A stamp without zone and year is the time of an event once its sender's zone is
// known, in milliseconds and within a skew.
func TestInferredTime(t *testing.T) {
	d := newDesk(t, ingest.Origin{Name: "office", From: []netip.Prefix{netip.MustParsePrefix("192.0.2.8/32")}, Zone: time.FixedZone("", -5*3600)})
	pacific, eastern := time.FixedZone("", -8*3600), time.FixedZone("", -5*3600)
	line := func(zone *time.Location, layout string) string {
		return "<187>37972: " + d.now.Add(-time.Second).In(zone).Format(layout) + ": %SEC_LOGIN-4-LOGIN_FAILED: x"
	}
	const millis, seconds = "Jan _2 15:04:05.000", "Jan _2 15:04:05"
	for i := range 6 {
		d.now = d.now.Add(7 * time.Second)
		d.send("192.0.2.7:514", line(pacific, millis))
		if want := d.now.Add(-time.Second); (i > 1) != d.last.Time.Equal(want) {
			t.Errorf("line %d was written %v, received %v", i, d.last.Time, d.now)
		}
		d.send("192.0.2.8:514", line(eastern, millis))
		if want := d.now.Add(-time.Second); !d.last.Time.Equal(want) || d.last.Origin != "office" {
			t.Errorf("line %d of the configured sender was written %v, received %v", i, d.last.Time, d.now)
		}
	}
	for _, s := range []string{line(pacific, seconds), line(pacific, "*"+millis), line(eastern, millis)} {
		if d.send("192.0.2.7:514", s); !d.last.Time.Equal(d.now) {
			t.Errorf("%s: written %v, received %v", s, d.last.Time, d.now)
		}
	}
	s := d.states(t)
	if a := s["192.0.2.7"]; a.Zone != -8*time.Hour || !a.Inferred || a.Named || a.Year != 2026 || a.Dialect() != "cisco" || a.Lines != 9 {
		t.Errorf("%+v", a)
	}
	if a := s["192.0.2.8"]; a.Zone != -5*time.Hour || a.Inferred || !a.Named || a.Origin != "office" {
		t.Errorf("%+v", a)
	}
}

// Whatever the stamps of a sender say, its lines happened within a skew of their
// arrival, and not after it.
func TestNoStampShiftsAWindow(t *testing.T) {
	d := newDesk(t)
	r := rand.New(rand.NewPCG(1, 2))
	believed := 0
	for i := range 20_000 {
		d.now = d.now.Add(time.Duration(r.Int64N(int64(20 * time.Second))))
		at := d.now
		switch r.IntN(3) {
		case 0:
			at = at.Add(time.Duration(r.Int64N(int64(16*time.Second))) - 8*time.Second)
		case 1:
			at = at.Add(time.Duration(r.Int64N(2*int64(400*24*time.Hour))) - 400*24*time.Hour)
		}
		at = at.In(time.FixedZone("", (i/100%27-12)*3600))
		layout := []string{
			"Jan _2 15:04:05.000", "Jan _2 15:04:05", "2006-01-02T15:04:05.000000Z07:00", "2006-01-02T15:04:05.000000", "Jan _2 2006 15:04:05.000",
		}[r.IntN(5)]
		d.send(fmt.Sprintf("192.0.2.%d:514", i/100%7), "<38>"+at.Format(layout)+" pbx1 sshd[1]: x")
		if age := d.now.Sub(d.last.Time); age < 0 || age > 5*time.Second {
			t.Fatalf("stamp %v: written %v, received %v", at, d.last.Time, d.now)
		}
		if !d.last.Time.Equal(d.now) {
			believed++
		}
	}
	if believed < 1000 {
		t.Errorf("only %d stamps were believed", believed)
	}
}

func TestSendersLoseLines(t *testing.T) {
	d := newDesk(t)
	for n := range 200 {
		d.now = d.now.Add(time.Second)
		if n%50 != 9 {
			d.send("192.0.2.7:514", fmt.Sprintf("<132>[S=%d] [SID=a] x", n))
		}
		d.send("192.0.2.8:514", fmt.Sprintf("<132>%d: Nov 23 01:38:44: %%SEC-4-X: x", n))
	}
	notes := d.w.l.Senders().Notices(d.now)
	s := d.states(t)
	if s["192.0.2.7"].Lost != 4 || s["192.0.2.8"].Lost != 0 || !s["192.0.2.8"].Numbered {
		t.Errorf("%+v", s)
	}
	if len(notes) != 1 || notes[0].Kind != sender.Losing || notes[0].Sender.String() != "192.0.2.7" {
		t.Errorf("%+v", notes)
	}
}

// A sender whose row went to others gets another one.
func TestForgottenSender(t *testing.T) {
	d := newDesk(t)
	d.send("192.0.2.7:514", "<38>x")
	held := newWorker(d.w.l, d.w.h)
	held.from(netip.MustParseAddrPort("192.0.2.7:601"))
	held.deliver([]byte("<38>x"), false)
	d.now = d.now.Add(time.Second)
	for i := range 5000 {
		d.send(fmt.Sprintf("10.0.%d.%d:514", i>>8, i&255), "<38>x")
	}
	d.now = d.now.Add(time.Hour)
	for i := range 100 {
		d.send(fmt.Sprintf("10.1.0.%d:514", i), "<38>x")
	}
	if _, ok := d.states(t)["192.0.2.7"]; ok {
		t.Fatal("the first to be silent has kept its row")
	}
	d.now = d.now.Add(time.Hour)
	held.deliver([]byte("<38>x"), false)
	if s := d.states(t)["192.0.2.7"]; s.Lines != 1 {
		t.Errorf("%+v", s)
	}
}

func TestASenderCostsNoMemoryPerLine(t *testing.T) {
	d := newDesk(t)
	line := []byte("<38>1 2026-11-23T10:00:01.5Z pbx1 sshd 1 - [meta sequenceId=\"29\"] x")
	buf := make([]byte, len(line))
	peers := [...]netip.AddrPort{netip.MustParseAddrPort("192.0.2.7:514"), netip.MustParseAddrPort("192.0.2.8:514")}
	i := 0
	if n := testing.AllocsPerRun(1000, func() {
		i++
		copy(buf, line)
		d.w.from(peers[i%2])
		d.w.deliver(buf, false)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkDeliver(b *testing.B) {
	const line = "<38>Nov 23 10:00:01 pbx1 sshd[812]: Failed password for root from 198.51.100.8 port 4022 ssh2"
	for _, senders := range []int{1, 1000} {
		b.Run(fmt.Sprint(senders), func(b *testing.B) {
			l, err := New(Options{Listen: "udp://127.0.0.1:0", MaxConns: 1})
			if err != nil {
				b.Fatal(err)
			}
			w := newWorker(l, func(*ingest.Entry) {})
			buf := make([]byte, len(line))
			peers := make([]netip.AddrPort, senders)
			for i := range peers {
				peers[i] = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, byte(i >> 8), byte(i)}), 514)
			}
			b.ReportAllocs()
			for i := range b.N {
				copy(buf, line)
				w.from(peers[i%senders])
				w.deliver(buf, false)
			}
		})
	}
}
