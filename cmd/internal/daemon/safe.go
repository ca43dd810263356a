package daemon

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"bailiff/config"
	"bailiff/decide"
	"bailiff/enforce/nft"
)

// safe is whom no ban touches, and whom none touches on spoofable evidence.
type safe struct{ guards, trunks []decide.Guard }

// put gives them to the engine, which lifts what they cover. It runs on the judge.
func (s *safe) put(e *decide.Engine, now time.Time) []decide.Decision {
	return append(e.SetGuards(s.guards, now), e.SetTrunks(s.trunks, now)...)
}

// guards returns everybody who must not be banned, for a daemon whose judge does not
// run yet.
func (d *daemon) guards(now time.Time) (safe, error) {
	d.guarded = now
	return d.guardsOf(d.law.config)
}

// guardsOf returns everybody who must not be banned: what the machine says, what the
// configuration says, and the senders of syslog that are single addresses. A set or a
// list that cannot be read is an error the first time; later its last content holds, and
// an alarm is logged. A name that cannot be resolved is never an error, because no
// resolver may keep bailiff from starting. It reads files, asks for users, resolves names
// and reads kernel sets: the judge has no time for it.
func (d *daemon) guardsOf(c *config.Config) (safe, error) {
	d.bench.mu.Lock()
	defer d.bench.mu.Unlock()
	defer d.bench.tell()
	s := safe{guards: d.bench.guards(d.log)}
	for i := range c.Syslog {
		for _, p := range c.Syslog[i].AllowFrom {
			if p.IsSingleIP() {
				s.guards = append(s.guards, decide.Guard{Prefix: p, Why: "syslog sender"})
			}
		}
	}
	d.resolve(append(slices.Clone(c.NeverBan.Names), c.Trunks.Names...))
	listed, err := d.listed("never_ban", &c.NeverBan)
	if err != nil {
		return safe{}, err
	}
	s.guards = append(s.guards, listed...)
	s.trunks, err = d.listed("trunks", &c.Trunks)
	return s, err
}

// listed returns what a key of the configuration lists. The caller holds bench.mu.
func (d *daemon) listed(key string, list *config.NeverBan) ([]decide.Guard, error) {
	var out []decide.Guard
	add := func(why string, prefixes []netip.Prefix) {
		for _, p := range prefixes {
			out = append(out, decide.Guard{Prefix: p, Why: why})
		}
	}
	add(key, list.Prefixes)
	for _, set := range list.Sets {
		what := key + " " + set.String()
		prefixes, err := d.lasting(what, func() ([]netip.Prefix, error) { return nft.ReadSet(set.Family, set.Table, set.Name) })
		if err != nil {
			return nil, err
		}
		add(what, prefixes)
	}
	for _, file := range list.Files {
		prefixes, err := d.lasting(key+" file:"+file, func() ([]netip.Prefix, error) { return config.ReadList(file) })
		if err != nil {
			return nil, err
		}
		add(key+" file:"+file, prefixes)
	}
	for _, name := range list.Names {
		add(key+" "+name, d.bench.known[name])
	}
	return out, nil
}

// lasting returns what read does, or what it did last.
func (d *daemon) lasting(what string, read func() ([]netip.Prefix, error)) ([]netip.Prefix, error) {
	b := &d.bench
	prefixes, err := read()
	last, known := b.known[what]
	switch {
	case err == nil:
		b.remember(what, prefixes)
		return prefixes, nil
	case !known:
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	if !b.lost[what] {
		b.lost[what] = true
		d.log.Error("what guards addresses cannot be read; its last content still guards", "what", what, "err", err)
	}
	return last, nil
}

// remember keeps what was read last. The caller holds mu.
func (b *bench) remember(what string, prefixes []netip.Prefix) {
	if b.known == nil {
		b.known, b.lost = map[string][]netip.Prefix{}, map[string]bool{}
	}
	b.known[what], b.lost[what] = prefixes, false
}

// resolveTime is how long the resolver may take for all names.
const resolveTime = 5 * time.Second

// resolve asks for the addresses of names, all at once. Where there is no answer, those
// of the last hold. The caller holds bench.mu.
func (d *daemon) resolve(names []string) {
	b := &d.bench
	ctx, stop := context.WithTimeout(context.Background(), resolveTime)
	defer stop()
	answers := make([][]netip.Prefix, len(names))
	errs := make([]error, len(names))
	var wg sync.WaitGroup
	for i, name := range names {
		wg.Go(func() {
			addrs, err := b.lookup(ctx, name)
			for _, a := range addrs {
				answers[i] = append(answers[i], host(a))
			}
			errs[i] = err
		})
	}
	wg.Wait()
	for i, name := range names {
		if errs[i] == nil && len(answers[i]) > 0 {
			b.remember(name, answers[i])
			continue
		}
		if last, known := b.known[name]; !b.lost[name] {
			b.remember(name, last)
			b.lost[name] = true
			if known {
				d.log.Error("a name in never_ban or trunks has no address now; its last ones still guard", "name", name, "err", errs[i])
			} else {
				d.log.Error("a name in never_ban or trunks has no address; it guards nobody yet", "name", name, "err", errs[i])
			}
		}
	}
}

// unguarded are the names and lists that could not be read when they were last asked
// for, as the status shows them. Asking may take seconds, and the status does not wait.
func (b *bench) unguarded() []string {
	if out := b.troubles.Load(); out != nil {
		return *out
	}
	return nil
}

// tell renews what unguarded returns. The caller holds mu.
func (b *bench) tell() {
	var out []string
	for what, lost := range b.lost {
		if lost {
			out = append(out, fmt.Sprintf("%s cannot be read or resolved; %d addresses that it had still guard", what, len(b.known[what])))
		}
	}
	slices.Sort(out)
	b.troubles.Store(&out)
}

func lookup(ctx context.Context, name string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", name)
}
