package daemon

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"bailiff/cmd/internal/admin"
	"bailiff/decide"
	"bailiff/ingest"
	"bailiff/ingest/sender"
)

// vigil watches over the senders. It is the judge's, but for silent.
type vigil struct {
	origins []ingest.Origin // those that must not be silent
	tables  []*sender.Table
	since   time.Time            // what counts as the last line of who sent none
	silent  map[string]time.Time // since when
}

func newVigil(origins []ingest.Origin, desks []*desk, now time.Time) vigil {
	v := vigil{since: now, silent: map[string]time.Time{}}
	for _, k := range desks {
		if r, ok := k.source.(sender.Reporter); ok {
			v.tables = append(v.tables, r.Senders())
		}
	}
	for _, o := range origins {
		if o.SilentAfter > 0 {
			v.origins = append(v.origins, o)
		}
	}
	return v
}

// alarms returns what is to be told of the senders since it was last asked, about
// once a second.
func (v *vigil) alarms(now time.Time) []decide.Decision {
	var out []decide.Decision
	for _, t := range v.tables {
		for _, n := range t.Notices(now) {
			out = append(out, decide.Report("senders", hostOf(n.Sender.Addr), n.At, called(n.Sender.String(), n.Origin)+" "+n.Text))
		}
	}
	if len(v.origins) == 0 {
		return out
	}
	last := map[string]time.Time{}
	for _, t := range v.tables {
		t.Last(last)
	}
	for i := range v.origins {
		o := &v.origins[i]
		heard := last[o.Name]
		if heard.Before(v.since) {
			heard = v.since
		}
		_, told := v.silent[o.Name]
		switch silent := now.Sub(heard) > o.SilentAfter; {
		case silent && !told:
			v.silent[o.Name] = heard
			out = append(out, decide.Report("senders", netip.Prefix{}, now,
				fmt.Sprintf("%s is silent: no line came from it for %s", o.Name, admin.Brief(now.Sub(heard)))))
		case !silent && told:
			delete(v.silent, o.Name)
		}
	}
	return out
}

// warnings says who is silent.
func (v *vigil) warnings(now time.Time) []string {
	var out []string
	for name, since := range v.silent {
		out = append(out, fmt.Sprintf("%s is silent: no line came from it for %s", name, admin.Brief(now.Sub(since))))
	}
	slices.Sort(out)
	return out
}

// called is the name of a sender as its transport knows it, and as the operator.
func called(name, origin string) string {
	if origin == name || origin == "" {
		return name
	}
	return origin + " (" + name + ")"
}

func hostOf(a netip.Addr) netip.Prefix {
	if !a.IsValid() {
		return netip.Prefix{}
	}
	return netip.PrefixFrom(a, a.BitLen())
}

// senders adds the senders of a source to the status.
func (k *desk) senders(s *admin.Status, now time.Time) {
	r, ok := k.source.(sender.Reporter)
	if !ok {
		return
	}
	states, evicted, unsaid := r.Senders().States(now)
	name := k.source.Name()
	if evicted > 0 {
		s.Warnings = append(s.Warnings, fmt.Sprintf("%s has had more senders than it keeps; %d were forgotten", name, evicted))
	}
	if unsaid > 0 {
		s.Warnings = append(s.Warnings, fmt.Sprintf("%s has had so many alarms about senders without a name that %d were not told", name, unsaid))
	}
	for i := range states {
		s.Senders = append(s.Senders, shown(name, &states[i]))
	}
}

// shown is a sender as the API shows it. Its names are the operator's, addresses,
// and those in certificates and of hosts, which are made safe.
func shown(source string, s *sender.State) admin.Sender {
	out := admin.Sender{
		Source: source, Name: admin.Safe(s.Name), Origin: admin.Safe(s.Origin), Named: s.Named, Trust: s.Trust.String(),
		Lines: s.Lines, PerMinute: s.PerMinute, Last: s.Last, Dialects: []string{}, ClockJumps: s.Jumps,
	}
	if out.Name == "" {
		out.Trust = "" // many senders
	}
	for _, d := range s.Dialects {
		out.Dialects = append(out.Dialects, d.String())
	}
	if s.Clocked {
		skew := s.Skew.Round(time.Millisecond).Seconds()
		out.Skew = &skew
	}
	if s.Zoned {
		out.Zone = s.Last.In(time.FixedZone("", int(s.Zone/time.Second))).Format("-07:00")
		out.ZoneInferred = s.Inferred
	}
	out.Year = s.Year
	if s.Numbered {
		out.Lost = &s.Lost
	}
	return out
}
