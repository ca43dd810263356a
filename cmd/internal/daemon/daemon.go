// Package daemon wires the rooms together and runs them.
//
// [Run] is the whole program: it opens what can fail in the order in which a
// failure harms least (configuration, packs, store, sockets, kernel), makes the
// kernel agree with the record, and only then reads. pipeline.go is the spine
// that a line travels.
//
// # Concurrency
//
// Every source reads and matches on a goroutine of its own. One goroutine, the
// judge, decides: only judge touches the engine and the firewall. Everybody else
// asks it (pipeline.ask).
//
// # Failure
//
// Before the first line is read, trouble ends the start. Afterwards nothing
// ends the daemon but its context: a source that fails is started again, a
// store that cannot be written is done without, a firewall that refuses is
// repaired. All of it is said in the status.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"bailiff/cmd/internal/admin"
	"bailiff/config"
	"bailiff/decide"
	"bailiff/enforce"
	"bailiff/enforce/nft"
	"bailiff/rules"
	"bailiff/store"
)

// Options is what Run needs beside the configuration.
type Options struct {
	Config *config.Config
	// DryRun decides and records, and leaves the firewall alone.
	DryRun bool
	// Decision is told of each decision once it holds, in place of journal
	// and Logger; may be nil. It is called from one goroutine and must not
	// block for long.
	Decision func(*decide.Decision)
	// Ready is called once, when sources are about to be read; may be nil.
	Ready func()
	// Reload asks for a reload with each value (SIGHUP); nil never does.
	Reload <-chan os.Signal
	// Journal writes decisions to the journal as fields, in place of Logger.
	Journal bool
	// Reader is the command line that runs journald.ReaderMain.
	Reader []string
	// Version is shown in the status.
	Version string
	// Logger is told of the life cycle; nil discards.
	Logger *slog.Logger
}

// drainTime bounds how long a stopping daemon settles what it has read.
const drainTime = 10 * time.Second

var errStopping = errors.New("bailiff is stopping")

// daemon is one running daemon.
type daemon struct {
	opt     Options
	log     *slog.Logger
	started time.Time
	law     law // the policy now in force; of the judge

	store   *store.Resilient
	police  *police
	pipe    *pipeline
	sources []*desk
	alarms  alarms
	jails   jailCounts
	bench   bench
	vigil   vigil // of the judge

	reporter reporter
	guarded  time.Time // when the guards were last asked for; of the judge
	clock    wallClock // of the judge
}

// Run runs the daemon until ctx is done, then settles what was read and
// returns nil. The bans stay. An error means that it did not start; it may
// have a Hint() string.
func Run(ctx context.Context, opt Options) error {
	d := &daemon{opt: opt, log: opt.Logger, started: time.Now(), bench: defaultBench()}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	d.reporter = reporter{out: opt.Decision, log: d.log, journal: opt.Journal}
	law, err := readLaw(opt.Config)
	if err != nil {
		return err
	}
	d.law = law

	// Without the right to ban nothing else is worth a try.
	firewall, err := d.openFirewall()
	if err != nil {
		return err
	}
	defer func() { d.logClose("firewall", firewall.Close()) }()
	guards, err := d.guards(d.started)
	if err != nil {
		return err
	}
	if d.store, err = store.OpenResilient(opt.Config.Store(d.log.With("part", "store"))); err != nil {
		return err
	}
	defer func() { d.logClose("store", d.store.Close()) }()
	if err := d.store.Degraded(); err != nil {
		d.log.Warn("starting without a record", "err", err)
	}

	if d.sources, err = d.openSources(); err != nil {
		return err
	}
	defer d.closeSources()
	d.vigil = newVigil(opt.Config.Origins, d.sources, d.started)
	api := admin.New(d.api())
	if err := api.Listen(); err != nil {
		return err
	}
	if !opt.DryRun {
		table, err := claim(ctx, claimName, d.log)
		if err != nil {
			return errors.Join(err, api.Close())
		}
		defer table.Close()
	}
	engine, err := decide.New(law.decide, d.store)
	if err != nil {
		return errors.Join(err, api.Close())
	}
	d.police = &police{firewall: firewall, log: d.log.With("part", "firewall"), now: time.Now}
	d.pipe = newPipeline(engine, d.store, d.police, law.set)
	d.pipe.tell, d.pipe.tick, d.pipe.rates = d.tell, d.tick, rates{}
	// The kernel is changed whole: who is asked to stop now does so afterwards.
	whole := context.WithoutCancel(ctx)
	if err := d.restore(whole, guards); err != nil {
		return errors.Join(err, api.Close())
	}
	// No listener is open yet, so nobody has slipped in.
	if fw, ok := firewall.(*nft.Firewall); ok {
		if err := fw.Guard(whole, d.guardedListeners()); err != nil {
			return errors.Join(fmt.Errorf("guard the loopback listeners: %w", err), api.Close())
		}
	}
	if err := d.listen(); err != nil {
		return errors.Join(err, api.Close())
	}
	return d.run(ctx, api)
}

// openFirewall connects to the kernel, and changes nothing in it.
func (d *daemon) openFirewall() (enforce.Enforcer, error) {
	if d.opt.DryRun {
		return enforce.NewLog(d.log), nil
	}
	opt := nft.DefaultOptions()
	opt.Logger = d.log.With("part", "nft")
	fw, err := nft.New(opt)
	if err != nil {
		return nil, fmt.Errorf("open firewall: %w", err)
	}
	return fw, nil
}

// restore brings back what stood when the last daemon ended: bans and open
// windows into the engine, bans into the kernel.
func (d *daemon) restore(ctx context.Context, guards safe) error {
	now := time.Now()
	bans, err := d.store.Bans(now)
	if err != nil {
		return err
	}
	windows, err := d.store.Windows()
	if err != nil {
		return err
	}
	known, err := d.store.Known()
	if err != nil {
		return err
	}
	orders, err := d.store.Orders()
	if err != nil {
		return err
	}
	held, err := d.store.Held()
	if err != nil {
		return err
	}
	d.pipe.engine.Restore(bans, windows, now)
	d.pipe.engine.Recognise(known)
	d.pipe.engine.Wait(held)
	lifted := append(d.pipe.engine.SetBack(now, 0), d.pipe.engine.Obey(orders, now)...)
	lifted = append(lifted, guards.put(d.pipe.engine, now)...)
	if d.store.Degraded() != nil {
		// What stands in the kernel is all that is left of the record: it
		// stays until the record can be read (recall).
		return nil
	}
	if err := d.police.begin(ctx, d.pipe.engine.Standings(now)); err != nil {
		return fmt.Errorf("restore bans: %w", err)
	}
	d.pipe.settle(ctx, lifted, nil)
	d.log.Info("bans restored", "bans", len(bans), "windows", len(windows), "held", len(held), "lifted", len(lifted))
	return nil
}

func (d *daemon) logClose(part string, err error) {
	if err != nil {
		d.log.Warn("close", "part", part, "err", err)
	}
}

// law is what the configuration and the packs say together.
type law struct {
	config *config.Config
	packs  []*rules.Pack
	set    *rules.Set
	decide decide.Options
}

// readLaw loads the packs and checks that the configuration fits them.
func readLaw(c *config.Config) (law, error) {
	library, err := Library(c)
	if err != nil {
		return law{}, err
	}
	if c, err = c.Resolve(library.Names(), library.Common()); err != nil {
		return law{}, err
	}
	l := law{config: c, packs: used(library.Packs, c), decide: c.Decide()}
	if l.set, err = rules.Compile(l.packs...); err != nil {
		return law{}, err
	}
	return l, nil
}

// hint returns the remedy that an error carries, or "".
func hint(err error) string {
	if h := (interface{ Hint() string })(nil); errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}
