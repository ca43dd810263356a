package store

import (
	"net/netip"
	"testing"
	"time"

	"bailiff/decide"
)

func waiting(prefix string, length time.Duration) decide.Held {
	h := decide.Held{Decision: ban(prefix, "pbx", time.Now().UTC()), Why: "no room", Window: netip.MustParsePrefix(prefix)}
	h.Until = h.At.Add(length)
	return h
}

// What waits is kept until it waits no more or would be over, and goes with the batch that
// lets it through.
func TestHeld(t *testing.T) {
	s := mustOpen(t, testOptions(t))
	one, long := waiting("192.0.2.1/32", time.Hour), waiting("2001:db8::/64", time.Hour)
	long.Until, long.Window, long.Account = time.Time{}, netip.Prefix{}, "alice\x00\xff"
	past := waiting("192.0.2.3/32", -time.Minute)
	if err := s.Commit(Batch{Held: []decide.Held{long, past, one}}); err != nil {
		t.Fatal(err)
	}
	got, err := s.Held()
	if d := diff([]decide.Held{one, long}, got); err != nil || d != "" {
		t.Errorf("%v (-want +got)\n%s", err, d)
	}
	let := one
	let.Over = true
	if err := s.Commit(Batch{Decisions: []decide.Decision{one.Decision}, Held: []decide.Held{let}}); err != nil {
		t.Fatal(err)
	}
	got, err = s.Held()
	bans, err2 := s.Bans(one.At)
	if d := diff([]decide.Held{long}, got); err != nil || err2 != nil || d != "" || len(bans) != 1 {
		t.Errorf("%v, %v, %d bans (-want +got)\n%s", err, err2, len(bans), d)
	}
}

// Without a disk what waits is kept in memory.
func TestHeldWithoutDisk(t *testing.T) {
	r, room, opts := onDisk(t, plenty)
	one, two := waiting("192.0.2.1/32", time.Hour), waiting("192.0.2.2/32", time.Hour)
	if err := r.Commit(Batch{Held: []decide.Held{one}}); err != nil {
		t.Fatal(err)
	}
	room.bytes = 0
	one.Over = true
	for _, h := range []decide.Held{one, two} {
		if err := r.Commit(Batch{Held: []decide.Held{h}}); err != nil {
			t.Fatal(err)
		}
	}
	room.bytes = plenty
	r.Retry()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := mustOpen(t, opts).Held()
	if d := diff([]decide.Held{two}, got); err != nil || d != "" {
		t.Errorf("%v (-want +got)\n%s", err, d)
	}
}

func TestHeldIsDamaged(t *testing.T) {
	h := waiting("192.0.2.1/32", time.Hour)
	whole := appendHeld(nil, &h)
	for n := range whole {
		if got, err := readHeld(whole[:n]); err == nil {
			t.Errorf("the first %d of %d bytes are read as %+v", n, len(whole), got)
		}
	}
	whole[0]++
	if _, err := readHeld(whole); err == nil {
		t.Error("a held ban of another encoding is read")
	}
}
