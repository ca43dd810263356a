package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bailiff/cmd/internal/admin"
	"bailiff/decide"
	"bailiff/ingest"
	"bailiff/ingest/sender"
)

// crowd is a source that knows its senders and reads nothing.
type crowd struct{ table *sender.Table }

func (crowd) Name() string                              { return "crowd" }
func (crowd) Run(context.Context, ingest.Handler) error { return nil }
func (c crowd) Senders() *sender.Table                  { return c.table }

var (
	branch  = ingest.Origin{Name: "office", SilentAfter: time.Hour}
	dawn    = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	pbxAddr = netip.MustParseAddr("198.51.100.7")
)

// says has a sender of the crowd write a line, its clock being fast.
func (c crowd) says(addr netip.Addr, of *ingest.Origin, now time.Time, fast time.Duration, n uint32) {
	sign := ingest.Sign{Origin: addr.String(), Of: of}
	if of != nil {
		sign.Origin = of.Name
	}
	at := now.Add(fast).UTC()
	c.table.Of(sender.Key{Addr: addr}, sign, now).Heard(&sender.Line{
		Received: now,
		Stamp:    sender.Stamp{Year: at.Year(), Month: int(at.Month()), Day: at.Day(), OfDay: at.Sub(at.Truncate(24 * time.Hour)), Zoned: true, Fractional: true},
		Number:   sender.Number{Scheme: sender.AudioCodesCount, N: n},
	})
}

func reasons(ds []decide.Decision) (out []string) {
	for i := range ds {
		out = append(out, ds[i].Reason)
	}
	return out
}

func TestSilence(t *testing.T) {
	c, other := crowd{sender.NewTable()}, crowd{sender.NewTable()}
	v := newVigil([]ingest.Origin{branch, {Name: "talks when it likes"}}, []*desk{newDesk(c), newDesk(other)}, dawn)
	ask := func(now time.Time, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, reasons(v.alarms(now))); diff != "" {
			t.Errorf("at %v: %s", now.Sub(dawn), diff)
		}
	}
	ask(dawn.Add(time.Hour))
	ask(dawn.Add(time.Hour+time.Second), "office is silent: no line came from it for 1h")
	ask(dawn.Add(2 * time.Hour))
	if diff := cmp.Diff([]string{"office is silent: no line came from it for 3h"}, v.warnings(dawn.Add(3*time.Hour))); diff != "" {
		t.Error(diff)
	}
	// A line through either source ends it, of any of its addresses.
	other.says(pbxAddr, &branch, dawn.Add(3*time.Hour), 0, 1)
	ask(dawn.Add(3 * time.Hour))
	c.says(netip.MustParseAddr("198.51.100.8"), &branch, dawn.Add(3*time.Hour+30*time.Minute), 0, 1)
	ask(dawn.Add(4*time.Hour + 20*time.Minute))
	if got := v.warnings(dawn.Add(4 * time.Hour)); got != nil {
		t.Errorf("%q", got)
	}
	ask(dawn.Add(5*time.Hour), "office is silent: no line came from it for 1h30m")
}

func TestAlarmsOfSenders(t *testing.T) {
	c := crowd{sender.NewTable()}
	v := newVigil(nil, []*desk{newDesk(c)}, dawn)
	now := dawn
	var got []decide.Decision
	step := func(lines int, fast time.Duration, numbers func(i int) uint32) {
		for i := range lines {
			now = now.Add(5 * time.Second)
			c.says(pbxAddr, &branch, now, fast, numbers(i))
			got = append(got, v.alarms(now)...)
		}
	}
	n := uint32(0)
	next := func(int) uint32 { n++; return n }
	step(20, 0, next)
	step(20, 2*time.Minute, next)
	step(20, 2*time.Minute, func(int) uint32 { n += 2; return n })
	for range 750 { // an hour later it still loses
		step(1, 2*time.Minute, func(int) uint32 { n += 2; return n })
	}
	want := []string{
		"office (198.51.100.7) set its clock ahead by 2m0s",
		"office (198.51.100.7) lost 3 lines on their way to us: its numbers have gaps",
	}
	r := reasons(got)
	if len(r) != 3 || !cmp.Equal(r[:2], want) || !strings.HasPrefix(r[2], "office (198.51.100.7) lost 7") {
		t.Errorf("%q", r)
	}
	for _, d := range got {
		if d.Action != decide.Alarm || d.Origin != "senders" || d.Prefix.String() != "198.51.100.7/32" || d.ID == "" || d.At.IsZero() {
			t.Errorf("%+v", d)
		}
	}
	if len(got) > 1 && got[0].ID == got[1].ID {
		t.Error("two alarms with one ID")
	}
}

// An alarm that has no address shows none.
func TestReportedAlarm(t *testing.T) {
	d := &decide.Decision{Action: decide.Alarm}
	*d = decide.Report("senders", netip.Prefix{}, dawn, "office is silent")
	if got := sentence(d); got != "alarm: office is silent" {
		t.Errorf("%q", got)
	}
	f := fields(d)
	if f["BAILIFF_ORIGIN"] != "senders" || f["BAILIFF_REASON"] != "office is silent" {
		t.Errorf("%v", f)
	}
	for name, value := range f {
		if strings.Contains(strings.ToLower(value), "invalid") {
			t.Errorf("%s=%s", name, value)
		}
	}
	if other := decide.Report("senders", netip.Prefix{}, dawn, "branch is silent"); other.ID == d.ID {
		t.Error("two silences at one moment have one ID")
	}
}

func TestSendersInStatus(t *testing.T) {
	c := crowd{sender.NewTable()}
	for i := range 6 {
		c.says(pbxAddr, &branch, dawn.Add(time.Duration(i)*5*time.Second), -3*time.Second, uint32(i))
	}
	c.table.Of(sender.Key{Name: "a\x1bb"}, ingest.Sign{Origin: "a\x1bb", Trust: ingest.TrustHigh}, dawn).Heard(&sender.Line{Received: dawn, Dialect: ingest.Journal})
	var s admin.Status
	newDesk(c).senders(&s, dawn.Add(time.Minute))
	skew, lost := -3.0, uint64(0)
	want := []admin.Sender{
		{Source: "crowd", Name: "198.51.100.7", Origin: "office", Named: true, Trust: "normal", Lines: 6, PerMinute: 6, Last: dawn.Add(25 * time.Second), Dialects: []string{"bare"}, Skew: &skew, Lost: &lost},
		{Source: "crowd", Name: `a\x1bb`, Origin: `a\x1bb`, Trust: "high", Lines: 1, PerMinute: 1, Last: dawn, Dialects: []string{"journal"}},
	}
	if diff := cmp.Diff(want, s.Senders); diff != "" {
		t.Error(diff)
	}
	if _, err := json.Marshal(s); err != nil {
		t.Error(err)
	}
	for i := range 10_000 {
		addr := netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)})
		c.says(addr, nil, dawn.Add(2*time.Hour+time.Duration(i)*time.Second), 0, 1)
	}
	s = admin.Status{}
	newDesk(c).senders(&s, dawn.Add(5*time.Hour))
	if got := fmt.Sprint(s.Warnings); !strings.Contains(got, "had more senders than it keeps") {
		t.Errorf("warnings %s", got)
	}
}
