package main

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bailiff/config"
	"bailiff/decide"
	"bailiff/enforce/nft"
	"bailiff/enforce/nft/nfttest"
	"bailiff/store"
)

// banned makes a store and a kernel table with two bans and returns flags with
// their configuration, and the state directory.
func banned(t *testing.T) (*flags, string) {
	t.Helper()
	nfttest.Need(t)
	nfttest.Fresh(t)
	dir := t.TempDir()
	state := filepath.Join(dir, "state")
	path := filepath.Join(dir, "bailiff.toml")
	if err := os.WriteFile(path, []byte("state_dir = \""+state+"\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	bans := []decide.Decision{
		{ID: "a", Prefix: netip.MustParsePrefix("203.0.113.9/32"), Jail: "sshd", At: now, Until: now.Add(time.Hour), Strike: 1},
		{ID: "b", Prefix: netip.MustParsePrefix("2001:db8::/64"), At: now},
	}
	s := openStore(t, path)
	waits := decide.Held{Decision: bans[0]}
	waits.Prefix = netip.MustParsePrefix("203.0.113.10/32")
	if err := s.Commit(store.Batch{Decisions: bans, Held: []decide.Held{waits}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	firewall, err := nft.New(nft.DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(firewall.Sync(t.Context(), bans), firewall.Close()); err != nil {
		t.Fatal(err)
	}
	return &flags{config: path}, state
}

func openStore(t *testing.T, path string) *store.Store {
	t.Helper()
	c, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(c.Store(nil))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func tableStands(t *testing.T) bool {
	t.Helper()
	return strings.Contains(nfttest.NFT(t, "list", "tables"), "table inet bailiff")
}

func TestUnbanOffline(t *testing.T) {
	f, _ := banned(t)
	result, err := f.unbanOffline(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var lifted []string
	for _, b := range result.Lifted {
		lifted = append(lifted, b.Jail+" "+b.Prefix.String())
	}
	if diff := cmp.Diff([]string{"sshd 203.0.113.9/32", " 2001:db8::/64"}, lifted); diff != "" {
		t.Error(diff)
	}
	if tableStands(t) {
		t.Error("the table stands")
	}
	s := openStore(t, f.config)
	defer s.Close()
	if bans, err := s.Bans(time.Now()); err != nil || len(bans) > 0 {
		t.Errorf("stored bans: %v, %v", bans, err)
	}
	if held, err := s.Held(); err != nil || len(held) > 0 {
		t.Errorf("held bans that the next daemon would let through: %v, %v", held, err)
	}
	record, err := s.Record(netip.MustParsePrefix("203.0.113.9/32"), 1)
	if err != nil || len(record) != 1 || record[0].Action != decide.Lift || record[0].Origin != "operator" {
		t.Errorf("record: %+v, %v", record, err)
	}
}

// A daemon would put the table back: nothing is touched.
func TestUnbanOfflineBesideADaemon(t *testing.T) {
	f, state := banned(t)
	s := openStore(t, f.config)
	defer s.Close()
	_, err := f.unbanOffline(t.Context())
	if err == nil || err.Error() != "a daemon runs on "+state || hint(err) != "ask it: bailiff unban --all" {
		t.Errorf("error %v, hint %q", err, hint(err))
	}
	if !tableStands(t) {
		t.Error("the table is gone")
	}
}

// Whoever is locked out gets in again even if the store cannot be read.
func TestUnbanOfflineWithoutStore(t *testing.T) {
	f, state := banned(t)
	if err := os.WriteFile(filepath.Join(state, "version"), []byte("99\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := f.unbanOffline(t.Context())
	if !errors.Is(err, store.ErrNewer) {
		t.Errorf("error %v", err)
	}
	if tableStands(t) {
		t.Error("the table stands")
	}
}
