package daemon

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"bailiff/enforce/nft"
	"bailiff/ingest"
	"bailiff/ingest/journald"
	"bailiff/ingest/stream"
	"bailiff/ingest/syslog"
)

// desk is one source and how it fares.
type desk struct {
	source ingest.Source
	wrong  atomic.Pointer[error] // why it is not read; nil while it is
	failed atomic.Uint64

	account *account // what became of its lines
}

// newDesk returns the desk of a source that feeds the packs, or all if there are
// none.
func newDesk(s ingest.Source, packs ...string) *desk {
	k := &desk{source: s, account: newAccount()}
	k.account.packs = packs
	return k
}

// trouble is why the source is not read, or what it cannot read of what it should.
func (k *desk) trouble() error {
	if err := k.wrong.Load(); err != nil {
		return *err
	}
	if s, ok := k.source.(interface{ Trouble() error }); ok {
		return s.Trouble()
	}
	return nil
}

// openSources makes the sources of the configuration and looks whether the
// listeners' ports are free, before anything is touched. The ports are bound
// later (listen), when the firewall keeps strangers away from them.
func (d *daemon) openSources() ([]*desk, error) {
	c := d.opt.Config
	origins, err := ingest.NewOrigins(slices.Clone(c.Origins)...)
	if err != nil {
		return nil, err
	}
	var desks []*desk
	for i := range c.Syslog {
		opt := c.Syslog[i].Options()
		opt.Origins = origins
		opt.Logger = d.log.With("part", "syslog")
		if err := probe(opt); err != nil {
			return nil, err
		}
		l, err := syslog.New(opt)
		if err != nil {
			return nil, err
		}
		desks = append(desks, newDesk(l, c.Syslog[i].Packs...))
	}
	for i := range c.Journald {
		if !c.Journald[i].Enabled {
			continue
		}
		s, err := d.openJournal(i, origins)
		if err != nil {
			return nil, err
		}
		desks = append(desks, newDesk(s, c.Journald[i].Packs...))
	}
	for i := range c.Files {
		s, err := d.openFiles(i)
		if err != nil {
			return nil, err
		}
		desks = append(desks, newDesk(s, c.Files[i].Packs...))
	}
	for i := range c.Pipes {
		f, err := stream.NewFifo(c.Pipes[i].Options())
		if err != nil {
			return nil, err
		}
		if err := f.Prepare(); err != nil {
			return nil, err
		}
		k := newDesk(f, c.Pipes[i].Packs...)
		k.account.waits = true
		desks = append(desks, k)
	}
	return desks, nil
}

// probe binds a listener and lets go of it.
func probe(opt syslog.Options) error {
	l, err := syslog.New(opt)
	if err != nil {
		return err
	}
	if err := l.Bind(); err != nil {
		return err
	}
	return l.Close()
}

// listen binds the listeners. From here on the kernel keeps what they are sent.
func (d *daemon) listen() error {
	for _, k := range d.sources {
		if l, ok := k.source.(*syslog.Listener); ok {
			if err := l.Bind(); err != nil {
				return err
			}
		}
	}
	return nil
}

// closeSources gives back the ports of listeners that never ran.
func (d *daemon) closeSources() {
	for _, k := range d.sources {
		if l, ok := k.source.(*syslog.Listener); ok {
			_ = l.Close() // a listener that ran is closed already
		}
	}
}

// openJournal makes the source of journal c.Journald[i], which resumes where the record says. A first start reads back the
// longest window, so that an attack under way is seen whole.
func (d *daemon) openJournal(i int, origins *ingest.Origins) (ingest.Source, error) {
	opt := d.opt.Config.Journald[i].Options()
	opt.Reader, opt.Origins = d.opt.Reader, origins
	opt.Logger = d.log.With("part", "journald")
	cursor, _, err := d.store.Mark(opt.Name)
	if err != nil {
		return nil, fmt.Errorf("find the position of %s: %w", opt.Name, err)
	}
	opt.Cursor = cursor
	opt.Since = d.law.longestWindow()
	opt.Fields = d.law.set.Fields()
	return journald.New(opt)
}

// ship makes the journal's entries carry the fields that the rules of next ask for,
// besides those that they carry already: until next holds, the old rules do.
func (d *daemon) ship(next *law) error {
	for _, k := range d.sources {
		if s, ok := k.source.(*journald.Source); ok {
			if err := s.AddFields(next.set.Fields()...); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *law) longestWindow() time.Duration {
	var longest time.Duration
	for _, j := range l.decide.Jails {
		longest = max(longest, j.FindTime)
	}
	return longest
}

// guardedListeners are those that every process of this machine can reach. What
// a packet does not tell, its socket does: the firewall lets only packets of the
// allowed users out to them.
func (d *daemon) guardedListeners() []nft.Listener {
	var out []nft.Listener
	for _, k := range d.sources {
		l, ok := k.source.(*syslog.Listener)
		if ok && l.LocalPort() != 0 {
			listener := nft.Listener{Proto: l.Transport(), Port: l.LocalPort()}
			for _, uid := range l.AllowUID() {
				listener.UIDs = append(listener.UIDs, uint32(uid))
			}
			out = append(out, listener)
		}
	}
	return out
}

// trial is how long a source that failed must run before it counts as read
// again, if it has nothing to hand over before.
const trial = 2 * time.Second

// man reads a source until ctx is done, and starts it again with growing pauses
// when it fails: one unreadable source must not cost the others.
func (d *daemon) man(ctx context.Context, k *desk) {
	handler := d.pipe.read(ctx.Done(), k.account)
	for pause := firstRetry; ; pause = min(2*pause, lastRetry) {
		began := time.Now()
		passed := time.AfterFunc(trial, func() { d.well(k) })
		err := k.source.Run(ctx, func(e *ingest.Entry) {
			if k.wrong.Load() != nil {
				d.well(k)
			}
			handler(e)
		})
		passed.Stop()
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) >= trial {
			pause = firstRetry
		}
		if err == nil {
			err = fmt.Errorf("%s ended", k.source.Name())
		}
		k.failed.Add(1)
		if k.wrong.Swap(&err) == nil {
			d.log.Error("source is not read", "source", k.source.Name(), "err", err, "hint", hint(err))
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

// well notes that a source is read.
func (d *daemon) well(k *desk) {
	if k.wrong.Swap(nil) != nil {
		d.log.Info("source is read again", "source", k.source.Name())
	}
}
