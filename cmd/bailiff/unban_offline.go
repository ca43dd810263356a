package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"bailiff/cmd/internal/admin"
	"bailiff/config"
	"bailiff/decide"
	"bailiff/enforce/nft"
	"bailiff/store"
)

// liftBatch is how many lifts go into one commit.
const liftBatch = 500

// unbanOffline lifts every ban without a daemon: it is the way back in for
// somebody whom bailiff locked out. Therefore the kernel table goes even if the
// store is broken; only a running daemon stops it, because that would put the
// table back at once.
func (f *flags) unbanOffline(ctx context.Context) (admin.UnbanResult, error) {
	if os.Geteuid() != 0 {
		return admin.UnbanResult{}, &failure{errors.New("only root may lift bans without a daemon"), "try: sudo bailiff unban --all --offline", exitFailed}
	}
	c, err := config.Load(f.config)
	if err != nil {
		return admin.UnbanResult{}, err
	}
	s, err := store.Open(c.Store(nil))
	if errors.Is(err, store.ErrLocked) {
		return admin.UnbanResult{}, &failure{fmt.Errorf("a daemon runs on %s", c.StateDir), "ask it: bailiff unban --all", exitFailed}
	}
	cleared := clearTable(ctx)
	if err != nil {
		return admin.UnbanResult{}, errors.Join(cleared, fmt.Errorf("open store: %w", err))
	}
	lifted, err := liftAll(s, time.Now())
	return admin.UnbanResult{Lifted: lifted}, errors.Join(cleared, err, s.Close())
}

func clearTable(ctx context.Context) error {
	firewall, err := nft.New(nft.DefaultOptions())
	if err != nil {
		return fmt.Errorf("open nf_tables: %w", err)
	}
	return errors.Join(firewall.Clear(ctx), firewall.Close())
}

// liftAll ends every stored ban, drops those that wait for room, and returns those bans.
func liftAll(s *store.Store, now time.Time) ([]admin.Ban, error) {
	bans, err := s.Bans(now)
	held, err2 := s.Held()
	if err := errors.Join(err, err2); err != nil {
		return nil, fmt.Errorf("read stored bans: %w", err)
	}
	lifted := make([]admin.Ban, 0, len(bans))
	var batch store.Batch
	for i := range held { // else they would be let through by the next daemon
		held[i].Over = true
	}
	if err := s.Commit(store.Batch{Held: held}); err != nil {
		return nil, fmt.Errorf("drop held bans: %w", err)
	}
	for i := range bans {
		lifted = append(lifted, admin.BanOf(&bans[i]))
		lift := bans[i]
		lift.Action, lift.At, lift.Until = decide.Lift, now, time.Time{}
		lift.Origin, lift.Reason = "operator", "unban --all --offline"
		batch.Decisions = append(batch.Decisions, lift)
		if len(batch.Decisions) == liftBatch || i == len(bans)-1 {
			if err := s.Commit(batch); err != nil {
				return lifted[:len(lifted)-len(batch.Decisions)], fmt.Errorf("lift stored bans: %w", err)
			}
			batch.Decisions = batch.Decisions[:0]
		}
	}
	return lifted, s.Sync()
}
