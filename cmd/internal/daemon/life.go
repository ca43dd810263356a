package daemon

import (
	"context"
	"errors"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"

	"bailiff/cmd/internal/admin"
	"bailiff/decide"
	"bailiff/ingest/syslog"
	"bailiff/rules"
)

// newPipeline returns a spine that nothing runs yet.
func newPipeline(e *decide.Engine, l ledger, p *police, set *rules.Set) *pipeline {
	pipe := &pipeline{
		queue:  make(chan finding, queueSize),
		asks:   make(chan func()),
		closed: make(chan struct{}),
		engine: e, ledger: l, police: p,
		now: time.Now,
	}
	pipe.set.Store(set)
	return pipe
}

// run reads and judges until ctx is done. It stops in the order of the line:
// first the sources, then, when the last of them has handed over, the judge,
// then what the judge writes to.
func (d *daemon) run(ctx context.Context, api *admin.Server) error {
	aside, stopAside := context.WithCancel(context.WithoutCancel(ctx))
	defer stopAside()
	var others sync.WaitGroup
	others.Go(func() { _ = d.store.Run(aside) })
	others.Go(func() { d.maintain(aside, api) })
	others.Go(func() { d.reloadOn(aside) })
	others.Go(func() { d.renewGuards(aside) })
	var apiErr error
	others.Go(func() { apiErr = api.Run(aside) })

	settling, stopSettling := context.WithCancel(context.WithoutCancel(ctx))
	defer stopSettling()
	judged := make(chan struct{})
	go func() { defer close(judged); d.pipe.judge(settling) }()

	var readers sync.WaitGroup
	for _, k := range d.sources {
		readers.Go(func() { d.man(ctx, k) })
	}
	d.log.Info("reading", "sources", len(d.sources), "packs", len(d.law.packs), "dry_run", d.opt.DryRun)
	notify(sd.SdNotifyReady)
	if d.opt.Ready != nil {
		d.opt.Ready()
	}

	<-ctx.Done()
	notify(sd.SdNotifyStopping)
	d.log.Info("stopping; bans stay")
	time.AfterFunc(drainTime, stopSettling)
	readers.Wait()
	close(d.pipe.queue)
	<-judged
	for _, k := range d.sources {
		k.closeAccount(d.log)
	}
	stopAside()
	others.Wait()
	return apiErr
}

// notify tells systemd, where it started us and listens.
func notify(state string) { _, _ = sd.SdNotify(false, state) }

// checkEvery is how often the files of sockets are looked after.
const checkEvery = 10 * time.Second

// maintain gives back what is no longer needed: to the disk once a day, to the
// machine's memory when there is nothing to judge. It sees to it that sockets can
// be found.
func (d *daemon) maintain(ctx context.Context, api *admin.Server) {
	sockets := time.NewTicker(checkEvery)
	defer sockets.Stop()
	day := time.NewTicker(24 * time.Hour)
	defer day.Stop()
	// Starting, compacting and floods take memory that daily work does not; Go
	// alone would give it back over hours.
	pause := 3 * time.Second
	idle := time.NewTimer(pause)
	defer idle.Stop()
	for {
		select {
		case <-idle.C:
			if len(d.pipe.queue) == 0 {
				debug.FreeOSMemory()
			}
			pause = min(2*pause, time.Minute)
			idle.Reset(pause)
		case <-sockets.C:
			api.Check()
			for _, k := range d.sources {
				if l, ok := k.source.(*syslog.Listener); ok {
					l.Check()
				}
			}
		case <-day.C:
			if err := d.store.Maintain(ctx); err != nil && ctx.Err() == nil {
				d.log.Warn("compact the record", "err", err)
			}
		case <-ctx.Done():
			return
		}
	}
}

// tick runs on the judge about once a second. It feeds systemd's watchdog from
// here, so that a wedged judge is noticed.
func (d *daemon) tick(ctx context.Context, now time.Time) {
	notify(sd.SdNotifyWatchdog)
	d.clockSet(ctx, now)
	if next := d.pipe.engine.Expire(now); len(next) > 0 {
		d.police.apply(ctx, next)
	}
	if released := d.pipe.engine.Release(now); len(released) > 0 {
		d.pipe.settle(ctx, released, nil)
	}
	if alarms := d.vigil.alarms(now); len(alarms) > 0 {
		d.pipe.settle(ctx, alarms, nil)
	}
	d.guardsDue(now)
	select {
	case <-d.store.Opened():
		d.recall(ctx, now)
	default:
	}
	// What expired is written with what comes next; a quiet machine writes
	// it now.
	if len(d.pipe.queue) == 0 {
		d.pipe.settle(ctx, nil, nil)
	}
}

// recall brings in what a store knew that could be opened only now.
func (d *daemon) recall(ctx context.Context, now time.Time) {
	bans, err := d.store.Bans(now)
	windows, err2 := d.store.Windows()
	known, err3 := d.store.Known()
	orders, err4 := d.store.Orders()
	held, err5 := d.store.Held()
	if err := errors.Join(err, err2, err3, err4, err5); err != nil {
		d.log.Error("read the record", "err", err)
		return
	}
	d.pipe.engine.Restore(bans, windows, now)
	d.pipe.engine.Recognise(known)
	d.pipe.engine.Wait(held)
	d.pipe.settle(ctx, append(d.pipe.engine.SetBack(now, 0), d.pipe.engine.Obey(orders, now)...), nil)
	d.police.repair(ctx, d.pipe.engine.Standings(now))
}

// tell reports one decision and remembers what the status shows of it.
func (d *daemon) tell(decision *decide.Decision) {
	d.jails.add(decision)
	if decision.Action == decide.Alarm {
		d.alarms.add(decision)
	}
	d.reporter.tell(decision)
}

// alarms are the last ones, newest first.
type alarms struct {
	mu   sync.Mutex
	last []decide.Decision
}

const keptAlarms = 20

func (a *alarms) add(d *decide.Decision) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last = append([]decide.Decision{*d}, a.last[:min(len(a.last), keptAlarms-1)]...)
}

func (a *alarms) list() []decide.Decision {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]decide.Decision(nil), a.last...)
}

// jailCounts counts decisions by jail since the start. Jails of operators' bans
// without one count under "".
type jailCounts struct{ m sync.Map } // jail -> *jailCount

type jailCount struct{ bans, lifts, alarms atomic.Uint64 }

func (j *jailCounts) of(jail string) *jailCount {
	c, _ := j.m.LoadOrStore(jail, new(jailCount))
	return c.(*jailCount)
}

func (j *jailCounts) add(d *decide.Decision) {
	c := j.of(d.Jail)
	switch d.Action {
	case decide.Ban:
		c.bans.Add(1)
	case decide.Lift:
		c.lifts.Add(1)
	case decide.Alarm:
		c.alarms.Add(1)
	}
}
