package daemon

import (
	"context"
	"errors"
	"fmt"

	sd "github.com/coreos/go-systemd/v22/daemon"

	"bailiff/config"
	"bailiff/ingest/syslog"
)

// reload reads configuration and packs again and swaps them in whole; if
// anything is wrong with them the old ones stay. What is bound at the start
// (state_dir, socket, sources) is not changed by it, except for certificates.
func (d *daemon) reload(ctx context.Context) (string, error) {
	notify(sd.SdNotifyReloading)
	defer notify(sd.SdNotifyReady)
	c := config.Default()
	if path := d.opt.Config.File; path != "" {
		var err error
		if c, err = config.Load(path); err != nil {
			return "", err
		}
	}
	next, err := readLaw(c)
	if err != nil {
		return "", err
	}
	guards, err := d.guardsOf(c)
	if err != nil {
		return "", err
	}
	if err := d.ship(&next); err != nil {
		return "", err
	}
	var refusal error
	err = d.pipe.ask(ctx, func() {
		now := d.pipe.now()
		if refusal = d.pipe.engine.Reconfigure(next.decide); refusal != nil {
			return
		}
		next.set.Inherit(d.law.set)
		d.law, d.guarded = next, now
		d.pipe.set.Store(next.set)
		d.pipe.settle(context.WithoutCancel(ctx), guards.put(d.pipe.engine, now), nil)
	})
	if err := errors.Join(err, refusal); err != nil {
		return "", err
	}
	for _, k := range d.sources {
		if l, ok := k.source.(*syslog.Listener); ok {
			l.Reload()
		}
	}
	d.log.Info("reloaded", "packs", len(next.packs), "jails", len(next.decide.Jails))
	return fmt.Sprintf("%d packs, %d jails; sources, socket and state_dir change with a restart only", len(next.packs), len(next.decide.Jails)), nil
}

// reloadOn reloads whenever asked to, until ctx is done.
func (d *daemon) reloadOn(ctx context.Context) {
	for {
		select {
		case <-d.opt.Reload:
			if _, err := d.reload(ctx); err != nil {
				d.log.Error("reload; the old configuration holds", "err", err, "hint", hint(err))
			}
		case <-ctx.Done():
			return
		}
	}
}
