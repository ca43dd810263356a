package rules

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// small returns a set with room for so many sessions.
func small(t testing.TB, most int, packs ...*Pack) *Set {
	set := compiled(t, packs...)
	set.sessions = newSessions(most)
	return set
}

func TestSessionsAreBounded(t *testing.T) {
	set := small(t, 3, parse(t, dirPack), parse(t, strings.Replace(dirPack, `name = "dir"`, `name = "second"`, 1)))
	read := func(text string) []outcome { return outcomes(set.AppendMatches(nil, dirEntry(t, text))) }
	addrs := func(text string) (out []string) {
		for _, o := range read(text) {
			out = append(out, o.Addr)
		}
		return out
	}
	read("conn=1 ACCEPT from 192.0.2.1:99") // both packs: four sessions for three places
	read("conn=2 ACCEPT from 192.0.2.2:99")
	if diff := cmp.Diff([]string{"", ""}, addrs("conn=3 err=49")); diff != "" {
		t.Error(diff)
	}
	want := []SessionCount{{Pack: "dir", Live: 1, Evicted: 1, Unbound: 1}, {Pack: "second", Live: 2, Unbound: 1}}
	if diff := cmp.Diff(want, set.Sessions()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	// What is used is not the one to go.
	if diff := cmp.Diff([]string{"", "192.0.2.1"}, addrs("conn=1 err=49")); diff != "" {
		t.Error(diff)
	}
	read("conn=3 ACCEPT from 192.0.2.3:99")
	for conn, want := range map[int][]string{1: {"", "192.0.2.1"}, 2: {"", ""}, 3: {"192.0.2.3", "192.0.2.3"}} {
		if diff := cmp.Diff(want, addrs(fmt.Sprintf("conn=%d err=49", conn))); diff != "" {
			t.Errorf("conn %d: %s", conn, diff)
		}
	}
	// The sessions that are over give way without being counted as evicted.
	evicted := set.Sessions()[0].Evicted + set.Sessions()[1].Evicted
	read("at=1h | conn=4 ACCEPT from 192.0.2.4:99")
	live := 0
	for _, n := range set.Sessions() {
		live += n.Live
		evicted -= n.Evicted
	}
	if live != 2 || evicted != 0 {
		t.Errorf("%d are live, %d too few were evicted", live, evicted)
	}
}

func TestSessionsSurviveReload(t *testing.T) {
	old := compiled(t, parse(t, dirPack))
	old.AppendMatches(nil, dirEntry(t, "conn=7 ACCEPT from 192.0.2.1:99"))
	changed := strings.Replace(dirPack, "err=49", "err=50", 2)
	next := compiled(t, parse(t, doorPack), parse(t, changed))
	next.Inherit(old)
	old.AppendMatches(nil, dirEntry(t, "conn=8 ACCEPT from 192.0.2.2:99")) // under way during the reload
	for line, want := range map[string]string{"conn=7 err=50": "192.0.2.1", "conn=8 err=50": "192.0.2.2"} {
		got := outcomes(next.AppendMatches(nil, dirEntry(t, line)))
		if diff := cmp.Diff([]outcome{{Rule: "dir/refused", Addr: want}}, got); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
	if diff := cmp.Diff([]SessionCount{{Pack: "dir", Live: 2}}, next.Sessions()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	first := compiled(t, parse(t, dirPack)) // in the place of a set without sessions
	first.Inherit(compiled(t, parse(t, doorPack)))
	if diff := cmp.Diff([]SessionCount{{Pack: "dir"}}, first.Sessions()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// What one source was told last is of another clock than what another is told now.
func TestSessionsOfTwoClocks(t *testing.T) {
	set := compiled(t, parse(t, dirPack))
	for _, text := range []string{"conn=7 ACCEPT from 192.0.2.1:99", "at=1h source=tcp | conn=7 ACCEPT from 192.0.2.2:99"} {
		set.AppendMatches(nil, dirEntry(t, text))
	}
	want := []outcome{{Rule: "dir/refused", Addr: "192.0.2.1"}}
	if diff := cmp.Diff(want, outcomes(set.AppendMatches(nil, dirEntry(t, "at=1m | conn=7 err=49")))); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// However many clients give a session one name, as many are kept as are named of an
// ambiguous line.
func TestAmbiguousSessionsAreBounded(t *testing.T) {
	set := compiled(t, parse(t, dirPack))
	for i := range 3 * MaxCandidates {
		set.AppendMatches(nil, dirEntry(t, fmt.Sprintf("call k from 192.0.2.%d", i)))
	}
	for _, s := range set.sessions.open {
		if len(s.addrs) != MaxCandidates {
			t.Errorf("%d addresses are kept", len(s.addrs))
		}
	}
	if got := set.AppendMatches(nil, dirEntry(t, "call k rejected")); len(got[0].Candidates) != MaxCandidates {
		t.Errorf("got %v", got)
	}
}

func TestSessionsAreShared(t *testing.T) {
	set := small(t, 100, parse(t, dirPack))
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 500 {
				addr := fmt.Sprintf("192.0.2.%d", (g*500+i)%256)
				host := fmt.Sprintf("host=h%d | ", g)
				set.AppendMatches(nil, dirEntry(t, fmt.Sprintf("%sconn=%d ACCEPT from %s:1", host, i%10, addr)))
				got := set.AppendMatches(nil, dirEntry(t, fmt.Sprintf("%sconn=%d err=49", host, i%10)))
				if len(got) != 1 || got[0].Addr.String() != addr {
					t.Errorf("%s: %v", addr, got)
				}
				if i%100 == 0 {
					set.Sessions()
				}
			}
		})
	}
	wg.Wait()
	if diff := cmp.Diff([]SessionCount{{Pack: "dir", Live: 40}}, set.Sessions()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// Whatever names a session takes no more memory than any other name.
func TestSessionMatchOwnsItsMemory(t *testing.T) {
	set := compiled(t, parse(t, dirPack))
	e := dirEntry(t, "call "+strings.Repeat("k", 150)+" by "+strings.Repeat("x", 20))
	set.AppendMatches(nil, e)
	clear(e.Message)
	set.AppendMatches(nil, dirEntry(t, "call "+strings.Repeat("k", 150)+" from 192.0.2.1"))
	e = dirEntry(t, "call k by bob")
	set.AppendMatches(nil, dirEntry(t, "call k from 192.0.2.1"))
	set.AppendMatches(nil, e)
	clear(e.Message)
	got := outcomes(set.AppendMatches(nil, dirEntry(t, "call k rejected")))
	if diff := cmp.Diff([]outcome{{Rule: "dir/rejected", Addr: "192.0.2.1", Account: "bob"}}, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
