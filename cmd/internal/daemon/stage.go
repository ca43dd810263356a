package daemon

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"bailiff/config"
	"bailiff/decide"
	"bailiff/ingest"
	"bailiff/store"
)

// StageOptions is what NewStage needs.
type StageOptions struct {
	Config *config.Config
	// State is the directory of the record; empty keeps it in memory.
	State string
	// Decision is told of each decision once it is on record.
	Decision func(*decide.Decision)
	// Logger is told of trouble; nil discards.
	Logger *slog.Logger
}

// Stage decides as the daemon does, with its packs, jails, guards and record, and
// touches no firewall: one stage of somebody's pipeline. It belongs to one goroutine,
// and a line that it has read it has decided.
type Stage struct {
	d       *daemon
	account *account
	ticked  time.Time
}

// NewStage reads packs and guards and opens the record. Who made it closes it.
func NewStage(opt StageOptions) (*Stage, error) {
	log := opt.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	d := &daemon{opt: Options{Config: opt.Config}, log: log, bench: defaultBench()}
	var err error
	if d.law, err = readLaw(opt.Config); err != nil {
		return nil, err
	}
	now := time.Now()
	guards, err := d.guards(now)
	if err != nil {
		return nil, err
	}
	s := &Stage{d: d, account: newAccount(), ticked: now}
	d.police = &police{firewall: nobody{}, log: log, now: time.Now}
	if opt.State == "" {
		m := newMemory(d.law.decide.Escalation.ForgetAfter, d.law.decide.MaxKeys)
		if err := s.open(m, m, opt.Decision); err != nil {
			return nil, err
		}
		d.pipe.settle(context.Background(), guards.put(d.pipe.engine, now), nil)
		return s, nil
	}
	options := opt.Config.Store(log.With("part", "store"))
	options.Dir = opt.State
	if d.store, err = store.OpenResilient(options); err != nil {
		return nil, err
	}
	err = s.open(d.store, d.store, opt.Decision)
	if err == nil {
		err = d.restore(context.Background(), guards)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// open makes the spine.
func (s *Stage) open(history decide.History, record ledger, tell func(*decide.Decision)) error {
	engine, err := decide.New(s.d.law.decide, history)
	if err != nil {
		return err
	}
	s.d.pipe = newPipeline(engine, record, s.d.police, s.d.law.set)
	s.d.pipe.tell = tell
	return nil
}

// nobody is the firewall of a stage.
type nobody struct{}

func (nobody) Apply(context.Context, []decide.Decision) error { return nil }
func (nobody) Sync(context.Context, []decide.Decision) error  { return nil }
func (nobody) Close() error                                   { return nil }

// Read decides all that a source has, in the goroutine in which the source hands it
// over. A decision that waits to be taken keeps the source waiting.
func (s *Stage) Read(ctx context.Context, source ingest.Source) error {
	return source.Run(ctx, func(e *ingest.Entry) {
		s.Tick()
		p := s.d.pipe
		matches, outcome := p.set.Load().Judge(nil, e)
		page := s.account.page(e)
		page.Add(fates[outcome])
		if len(matches) == 0 {
			return
		}
		found := finding{matches: matches, of: s.account}
		s.account.matched(page, matches)
		p.settle(context.WithoutCancel(ctx), p.observe([]finding{found}), nil)
	})
}

// Tick does what is due with time, such as letting through bans that a ceiling held.
// Call it about once a second while no line comes.
func (s *Stage) Tick() {
	now := time.Now()
	if now.Sub(s.ticked).Abs() < time.Second {
		return
	}
	s.ticked = now
	d, ctx := s.d, context.Background()
	d.pipe.engine.Expire(now)
	d.pipe.settle(ctx, d.pipe.engine.Release(now), nil)
	if d.store != nil {
		d.store.Retry()
		select {
		case <-d.store.Opened():
			d.recall(ctx, now)
		default:
		}
	}
	if now.Sub(d.guarded).Abs() < guardsEvery {
		return
	}
	d.guarded = now
	guards, err := d.guardsOf(d.law.config)
	if err != nil {
		d.log.Error("renew guards; the old ones hold", "err", err)
		return
	}
	d.pipe.settle(ctx, guards.put(d.pipe.engine, now), nil)
}

// Held is how many bans a ceiling holds back.
func (s *Stage) Held() int { return len(s.d.pipe.engine.Held()) }

// Counts tells what became of the lines of all sources that were read; a source's own
// counts come before them, see ingest.Balance.
func (s *Stage) Counts() []ingest.Count { return s.account.counts() }

// Stats tells what became of the matches.
func (s *Stage) Stats() decide.Stats { return s.d.pipe.engine.Stats() }

// Close writes what is left to write.
func (s *Stage) Close() error {
	if s.d.pipe != nil {
		s.d.pipe.settle(context.Background(), nil, nil)
	}
	if s.d.store == nil {
		return nil
	}
	return s.d.store.Close()
}
