package daemon

import (
	"encoding/json"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"bailiff/config"
	"bailiff/ingest/stream"
)

// replayed reads a log under a configuration.
func replayed(t *testing.T, toml string, log string) *Replay {
	t.Helper()
	c, err := config.Parse("test.toml", []byte(toml))
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewReplay(c, quiet)
	if err != nil {
		t.Fatal(err)
	}
	sc, err := stream.NewScanner(strings.NewReader(log), stream.DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	for {
		e, _, ok := sc.Next()
		if !ok {
			return r
		}
		r.Observe(e, time.Time{})
	}
}

// truth is what the recorded clients did to the PBX, and whether that is a ban.
type truth struct {
	Address netip.Addr
	Did     string
	Ban     *bool
}

func capture(t *testing.T) (log string, all []truth) {
	t.Helper()
	const dir = "../../../rules/testdata/asterisk-18/"
	lines, err := os.ReadFile(dir + "rfc3339.lines")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(dir + "truth.json")
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err != nil || len(all) < 40 {
		t.Fatalf("%d clients, %v", len(all), err)
	}
	return string(lines), all
}

func (r *Replay) banned(a netip.Addr) (v Verdict, ok bool) {
	for _, v := range r.Bans() {
		if v.Prefix.Contains(a) {
			return v, true
		}
	}
	return Verdict{}, false
}

// Everybody who attacked the PBX is banned, and nobody else.
func TestReplayOfCapture(t *testing.T) {
	log, all := capture(t)
	r := replayed(t, "", log)
	for _, c := range all {
		if _, banned := r.banned(c.Address); c.Ban != nil && banned != *c.Ban {
			t.Errorf("%v, who did %s: banned %v", c.Address, c.Did, banned)
		}
	}
}

// Twelve addresses with one guess each are banned at once by a jail of accounts: the
// account was guessed by fourteen others before. Who mistypes its password and then gets it
// right is no party to that.
func TestReplayOfDistributedGuessing(t *testing.T) {
	log, all := capture(t)
	r := replayed(t, `
[defaults]
spoofable = "full"
[jail.accounts]
packs = ["asterisk"]
group_by = "account"
distinct = 26
max_retry = 26
find_time = "1h"
`, log)
	at := map[time.Time]int{}
	for _, c := range all {
		v, banned := r.banned(c.Address)
		switch {
		case c.Did == "distributed-one-guess" && !banned:
			t.Errorf("%v is not banned", c.Address)
		case c.Did == "distributed-one-guess":
			at[v.At]++
		case c.Ban != nil && !*c.Ban && banned:
			t.Errorf("%v, who did %s, is banned: %+v", c.Address, c.Did, v)
		}
	}
	if len(at) != 1 {
		t.Errorf("they were banned at %v, want one moment", at)
	}
}

// A replay marks whom a configuration would have locked out.
func TestReplayMarksLogins(t *testing.T) {
	var log strings.Builder
	line := func(clock, what, addr string) {
		log.WriteString("<38>1 2026-11-20T" + clock + ".5Z vm sshd 1 - - " + what + " for alice from " + addr + " port 22 ssh2\n")
	}
	for _, addr := range []string{"198.51.100.1", "198.51.100.2", "198.51.100.3"} {
		for range 5 {
			line("10:00:00", "Failed password", addr)
		}
	}
	line("10:05:00", "Accepted password", "198.51.100.1")
	line("11:05:00", "Accepted password", "198.51.100.2")
	line("09:05:00", "Accepted password", "198.51.100.3") // read late
	r := replayed(t, "", log.String())
	if n := len(r.Bans()); n != 3 {
		t.Fatalf("%d bans, want 3: %+v", n, r.Bans())
	}
	for _, v := range r.Bans() {
		locked, returned := !v.LockedOut.IsZero(), !v.Returned.IsZero()
		switch v.Prefix.Addr().String() {
		case "198.51.100.1":
			if !locked {
				t.Errorf("not marked as locked out: %+v", v)
			}
		case "198.51.100.2":
			if locked || !returned {
				t.Errorf("not marked as returned: %+v", v)
			}
		default:
			if locked || returned {
				t.Errorf("marked: %+v", v)
			}
		}
		if !v.At.Equal(time.Date(2026, 11, 20, 10, 0, 0, 500_000_000, time.UTC)) || v.Until.Sub(v.At) != 10*time.Minute || v.Spent {
			t.Errorf("not by the time of the lines: %+v", v)
		}
	}
}
