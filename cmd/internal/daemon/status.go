package daemon

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"bailiff/cmd/internal/admin"
	"bailiff/decide"
	"bailiff/enforce"
	"bailiff/ingest"
)

// status tells how the daemon is.
func (d *daemon) status(ctx context.Context) (admin.Status, error) {
	now := time.Now()
	s := admin.Status{
		Version: d.opt.Version, PID: os.Getpid(), Started: d.started, Now: now, Config: d.opt.Config.File, DryRun: d.opt.DryRun,
		Rules: []admin.RuleScore{}, Sources: []admin.Source{}, Senders: []admin.Sender{}, Alarms: []admin.Decision{}, Warnings: []string{},
	}
	var census decide.Census
	var watched map[string]int
	var stats decide.Stats
	var held, leaking int
	var crowded decide.Forgotten
	err := d.pipe.ask(ctx, func() {
		e := d.pipe.engine
		s.Orders = spelled(e.Orders(now))
		census, watched, stats, held, leaking = e.Census(), e.Watched(), e.Stats(), e.Waiting(), len(e.Leaks())
		crowded, _ = e.Crowded()
		s.Packs, s.Jails = d.packStatus(), d.jailStatus(census.Jails, watched, e.Unheard(), e.Idle())
		// The judge stands still meanwhile, and so does what it has decided.
		for _, k := range d.sources {
			s.Sources = append(s.Sources, k.status())
		}
		s.Queue = d.queueStatus(s.Sources)
		s.Warnings = append(s.Warnings, d.vigil.warnings(now)...)
	})
	if err != nil {
		return s, err
	}
	for _, k := range d.sources {
		k.senders(&s, now)
	}
	s.Store = d.storeStatus()
	s.Firewall = d.firewallStatus(ctx, census.Enforced)
	for _, a := range d.alarms.list() {
		s.Alarms = append(s.Alarms, admin.DecisionOf(&a))
	}
	s.Warnings = append(s.Warnings, pauses(s.Orders)...)
	s.Warnings = append(s.Warnings, d.writable()...)
	if stats.Evicted > 0 {
		s.Warnings = append(s.Warnings, forgotten(&stats, &crowded))
	}
	s.Warnings = append(s.Warnings, d.bench.unguarded()...)
	if leaking > 0 {
		s.Warnings = append(s.Warnings, fmt.Sprintf("%d bans are without effect: attempts go on; bailiff list shows them, and bailiff why ADDRESS the cause", leaking))
	}
	s.Firewall.Leaking = leaking
	d.ruleStatus(&s, now)
	if held > 0 {
		s.Warnings = append(s.Warnings, fmt.Sprintf("%d bans wait for room under a ceiling; bailiff held lists them", held))
	}
	if stats.HeldDropped > 0 {
		s.Warnings = append(s.Warnings, fmt.Sprintf("%d bans were held until they were over, or were too many to hold", stats.HeldDropped))
	}
	if stats.HistoryErrors > 0 {
		s.Warnings = append(s.Warnings, "some bans were decided without their history; the store says why")
	}
	return s, nil
}

// pauses says who decides nothing now.
func pauses(orders []admin.Order) []string {
	var out []string
	for _, o := range orders {
		if o.Kind != admin.Pause {
			continue
		}
		who, until := "all jails are paused and ban", "bailiff pause --end ends that"
		if o.Jail != "" {
			who = "jail " + o.Jail + " is paused and bans"
		}
		if o.Until != nil {
			until = "until " + o.Until.Local().Format(time.DateTime)
		}
		out = append(out, fmt.Sprintf("%s nobody; %s", who, until))
	}
	return out
}

// packStatus runs on the judge, because a reload replaces the packs there.
func (d *daemon) packStatus() []admin.Pack {
	set := d.pipe.set.Load()
	refusals, near, sessions := set.Refused(), set.NearMisses(), set.Sessions()
	var out []admin.Pack
	for _, p := range d.law.packs {
		shown := admin.Pack{Name: p.Name, File: p.File, Rules: len(p.Rules)}
		n := d.pipe.tally.pack(p.Name)
		shown.Matches, shown.Ambiguous = n.matches.Load(), n.ambiguous.Load()
		for _, r := range refusals {
			if r.Pack == p.Name {
				shown.Untrusted, shown.Sample = r.N, admin.Safe(r.Line)
			}
		}
		for _, n := range near {
			if n.Pack == p.Name {
				shown.NearMisses, shown.NearSample = n.N, admin.Safe(n.Line)
			}
		}
		for _, n := range sessions {
			if n.Pack == p.Name {
				shown.Sessions = &admin.Sessions{Live: n.Live, Unbound: n.Unbound, Evicted: n.Evicted}
			}
		}
		out = append(out, shown)
	}
	return out
}

// jailStatus has a row for each jail, and one without a name for operators' bans
// that are of none.
func (d *daemon) jailStatus(standing, watched map[string]int, unheard, idle map[string]uint64) []admin.Jail {
	var out []admin.Jail
	for _, j := range append(slices.Clone(d.law.decide.Jails), decide.Jail{Packs: []string{}}) {
		n := d.jails.of(j.Name)
		shown := admin.Jail{
			Name: j.Name, Packs: j.Packs, Simulate: j.Simulate, Windows: watched[j.Name],
			Standing: standing[j.Name], Bans: n.bans.Load(), Lifts: n.lifts.Load(), Alarms: n.alarms.Load(), Unheard: unheard[j.Name], Idle: idle[j.Name],
		}
		out = append(out, shown)
	}
	return out
}

func (k *desk) status() admin.Source {
	early := k.counts()
	late := k.counts()
	s := admin.Source{Name: k.source.Name(), Part: part(k.trouble(), k.failed.Load()), Counts: admin.CountsOf(late)}
	if about, ok := k.source.(interface{ Detail() string }); ok {
		s.Detail = about.Detail()
	}
	for _, i := range ingest.Balance(early, late) {
		s.Imbalances = append(s.Imbalances, admin.Imbalance{Whole: i.Whole, Parts: i.Parts, Missing: i.Missing})
	}
	return s
}

// part is the state of one part that is all right if err is nil.
func part(err error, failures uint64) admin.Part {
	p := admin.Part{OK: err == nil, Errors: failures}
	if err != nil {
		p.Error, p.Hint = err.Error(), hint(err)
	}
	return p
}

func (d *daemon) storeStatus() admin.Part {
	p := part(d.store.Degraded(), d.pipe.tally.unsaved.Load())
	p.Detail = d.opt.Config.StateDir
	return p
}

func (d *daemon) firewallStatus(ctx context.Context, bans int) admin.Firewall {
	f := admin.Firewall{Bans: bans, Part: part(d.police.trouble(), d.police.failed.Load()), Repairs: d.police.repairs.Load()}
	f.Detail = "nftables table inet bailiff"
	if d.opt.DryRun {
		f.Detail = "dry run: nothing is enforced"
	}
	if m, ok := d.police.firewall.(enforce.Meter); ok {
		refused, err := m.Refused(ctx)
		if err != nil {
			return f
		}
		for _, t := range refused {
			f.Packets += t.Packets
			f.Bytes += t.Bytes
		}
	}
	return f
}

func (d *daemon) queueStatus(sources []admin.Source) admin.Queue {
	q := admin.Queue{Length: len(d.pipe.queue), Capacity: cap(d.pipe.queue), Dropped: []admin.Count{}}
	for _, source := range sources {
		for _, c := range source.Counts {
			if c.Name == "dropped" && c.N > 0 {
				q.Dropped = append(q.Dropped, admin.Count{Name: source.Name, Reason: c.Reason, N: c.N})
			}
		}
	}
	return q
}

// forgotten tells what made room for others, and where most of that is lately.
func forgotten(stats *decide.Stats, crowded *decide.Forgotten) string {
	text := fmt.Sprintf("more addresses attack than are watched at once; %d were forgotten, with %d proven and %d spoofable attempts",
		stats.Evicted, stats.EvictedProven, stats.EvictedSpoofable)
	if crowded.Windows > 1 {
		text += fmt.Sprintf("; most lately in %s, %d; bailiff why %s tells more", crowded.Prefix, crowded.Windows, crowded.Prefix)
	}
	return text
}
