package decide

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"bailiff/rules"
)

func login(addr, account string, at time.Time) *rules.Match {
	m := failure(addr, at)
	m.Event, m.Account = rules.Success, account
	return m
}

func guess(addr, account string, at time.Time) *rules.Match {
	m := failure(addr, at)
	m.Account = account
	return m
}

// One valid account gets its owner patience, and nobody guesses on others.
func TestKnownGood(t *testing.T) {
	e := newEngine(t, nil, DefaultJail("sshd", "sshd"))
	e.Observe(login("198.51.100.8", "alice", epoch), epoch)
	for i := range 19 {
		if got := e.Observe(guess("198.51.100.8", "alice", seconds(1+i)), seconds(1+i)); len(got) != 0 {
			t.Fatalf("attempt %d of alice at home decided %+v", i+1, got)
		}
	}
	for i := range 4 {
		if got := e.Observe(guess("198.51.100.8", "root", seconds(30+i)), seconds(30+i)); len(got) != 0 {
			t.Fatalf("guess %d on another account decided %+v", i+1, got)
		}
	}
	if got := e.Observe(guess("198.51.100.8", "root", seconds(40)), seconds(40)); len(got) != 1 || got[0].Action != Ban || got[0].Attempts != 5 {
		t.Errorf("the fifth guess on another account decided %+v", got)
	}

	e = newEngine(t, nil, DefaultJail("sshd", "sshd"))
	e.Observe(login("198.51.100.8", "alice", epoch), epoch)
	var got []Decision
	for i := range 20 {
		got = append(got, e.Observe(guess("198.51.100.8", "alice", seconds(1+i)), seconds(1+i))...)
	}
	if len(got) != 1 || got[0].Action != Ban || got[0].Attempts != 20 {
		t.Errorf("twenty attempts of alice decided %+v, want a ban on the twentieth", got)
	}
}

// An old password in one telephone must not cut off the office behind the address.
func TestStalePhone(t *testing.T) {
	office := func(pace int, colleague bool) (got []Decision) {
		e := newEngine(t, nil, DefaultJail("sshd", "sshd"))
		e.Observe(login("198.51.100.8", "101", epoch), epoch)
		if colleague {
			e.Observe(login("198.51.100.8", "102", seconds(1)), seconds(1))
		}
		for i := range 60 {
			at := seconds(2 + i*pace)
			got = append(got, e.Observe(guess("198.51.100.8", "101", at), at)...)
		}
		return got
	}
	if got := office(10, true); len(got) != 1 || got[0].Action != Alarm || !strings.Contains(got[0].Reason, "101") {
		t.Errorf("a phone that tries every ten seconds decided %+v, want one alarm that names it", got)
	}
	if got := office(1, true); len(got) == 0 || got[0].Action != Ban {
		t.Errorf("a guess a second decided %+v, want a ban", got)
	}
	if got := office(10, false); len(got) == 0 || got[0].Action != Ban {
		t.Errorf("where nobody else logs in it decided %+v, want a ban", got)
	}
}

// TestStalePhones: several old passwords behind one address are no attack either, if as many
// others log in there; a run through the accounts of the office is.
func TestStalePhones(t *testing.T) {
	office := func(stale, working int, every time.Duration, witnesses int) (got []Decision) {
		e := newEngine(t, nil, DefaultJail("sshd", "sshd"))
		for i := range stale + working {
			e.Observe(login("198.51.100.8", fmt.Sprint(101+i), epoch), epoch)
		}
		for try := range 30 {
			for i := range stale {
				at := epoch.Add(time.Minute + time.Duration(try)*every + time.Duration(i)*every/time.Duration(stale))
				for n := range witnesses {
					g := guess("198.51.100.8", fmt.Sprint(101+i), at)
					g.Source = fmt.Sprint("log", n)
					got = append(got, e.Observe(g, at)...)
				}
			}
		}
		return got
	}
	got := office(2, 2, 30*time.Second, 1)
	if len(got) != 1 || got[0].Action != Alarm || !strings.Contains(got[0].Reason, "2 accounts at 198.51.100.8/32") || !strings.Contains(got[0].Reason, "(101, 102)") {
		t.Errorf("two old passwords among four phones decided %+v, want one alarm that names both", got)
	}
	if got := office(8, 12, 20*time.Second, 1); len(got) != 1 || got[0].Action != Alarm || !strings.Contains(got[0].Reason, "105, …") {
		t.Errorf("eight old passwords among twenty phones decided %+v, want one alarm", got)
	}
	if got := office(2, 2, 12*time.Second, 3); len(got) != 1 || got[0].Action != Alarm {
		t.Errorf("attempts that three logs tell of decided %+v, want one alarm", got)
	}
	for _, attack := range [][]Decision{
		office(3, 2, 30*time.Second, 1),  // hardly anybody gets in
		office(2, 2, 4*time.Second, 1),   // too fast for a phone
		office(20, 20, 5*time.Second, 1), // one after the other
	} {
		if len(attack) == 0 || attack[0].Action != Ban {
			t.Errorf("an attack on the accounts of an office decided %+v, want a ban", attack)
		}
	}
}

// Packets in a customer's name, or in a provider's, silence neither.
func TestSpoofableSparesFriends(t *testing.T) {
	e := newEngine(t, nil, pbx())
	e.SetTrunks([]Guard{{Prefix: prefix("203.0.113.0/28"), Why: "sip.example.net"}}, epoch)
	ok := packet("198.51.100.8", "101", epoch)
	ok.Event = rules.Success
	e.Observe(ok, epoch)
	for _, addr := range []string{"198.51.100.8", "203.0.113.5"} {
		var got []Decision
		for i := range 20 {
			got = append(got, e.Observe(packet(addr, "200", seconds(1+i)), seconds(1+i))...)
		}
		if len(got) != 1 || got[0].Action != Alarm {
			t.Errorf("packets in the name of %s decided %+v, want one alarm", addr, got)
		}
		got = nil
		for i := range 5 {
			got = append(got, e.Observe(proven(packet(addr, "300", seconds(100+i))), seconds(100+i))...)
		}
		if len(got) != 1 || got[0].Action != Ban || got[0].Spoofable {
			t.Errorf("proven attempts from %s decided %+v, want a ban", addr, got)
		}
	}
	stranger := packet("198.51.100.9", "101", epoch)
	stranger.Event, stranger.Spoofable = rules.Success, true // over an open path
	e.Observe(stranger, epoch)
	var got []Decision
	for i := range 5 {
		got = append(got, e.Observe(packet("198.51.100.9", "101", seconds(200+i)), seconds(200+i))...)
	}
	if len(got) != 1 || got[0].Action != Ban {
		t.Errorf("a login that anybody could have written made a friend: %+v", got)
	}
}

// The owner of an account that is guessed from everywhere is not banned with those
// who guess.
func TestOwnerIsNoSuspect(t *testing.T) {
	j := DefaultJail("accounts", "sshd")
	j.GroupBy, j.Distinct = ByAccount, 5
	e := newEngine(t, nil, j)
	e.Observe(login("203.0.113.7", "alice", epoch), epoch)
	var got []Decision
	for i := range 5 {
		got = append(got, e.Observe(guess("203.0.113.7", "alice", seconds(1+i)), seconds(1+i))...)
		got = append(got, e.Observe(guess(fmt.Sprintf("198.51.100.%d", i), "alice", seconds(10+i)), seconds(10+i))...)
	}
	if len(got) != 5 {
		t.Fatalf("decided %+v, want five bans", got)
	}
	for _, d := range got {
		if d.Prefix == prefix("203.0.113.7/32") {
			t.Errorf("the owner is banned: %+v", d)
		}
	}
}

func TestKnownSurvivesARestart(t *testing.T) {
	e := newEngine(t, nil, DefaultJail("sshd", "sshd"))
	e.Observe(login("198.51.100.8", "alice", epoch), epoch)
	e.Observe(login("198.51.100.8", "alice", seconds(60)), seconds(60))
	kept := e.KnownTouched()
	if len(kept) != 1 || len(e.KnownTouched()) != 0 {
		t.Fatalf("handed out %+v", kept)
	}
	e.Observe(login("198.51.100.8", "alice", seconds(120)), seconds(120))
	if got := e.KnownTouched(); len(got) != 0 {
		t.Errorf("handed out %+v again within the hour", got)
	}
	e = newEngine(t, nil, DefaultJail("sshd", "sshd"))
	e.Recognise(kept)
	for i := range 6 {
		if got := e.Observe(guess("198.51.100.8", "alice", seconds(200+i)), seconds(200+i)); len(got) != 0 {
			t.Fatalf("after the restart alice is a stranger: %+v", got)
		}
	}
	e.Expire(epoch.Add(31 * 24 * time.Hour))
	if got := e.KnownTouched(); e.Acquaintances() != 0 || len(got) != 1 || !got[0].Last.IsZero() {
		t.Errorf("after a month %d are known; handed out %+v", e.Acquaintances(), got)
	}
}

func TestAcquaintanceIsBounded(t *testing.T) {
	a := newAcquaintance()
	a.keep = time.Hour
	for i := range maxKnown + 10 {
		a.meet(prefix("198.51.100.8/32"), fmt.Sprint(i), int64(i))
	}
	if a.pairs > maxKnown || a.knows(prefix("198.51.100.8/32"), "5", 10) || !a.knows(prefix("198.51.100.8/32"), fmt.Sprint(maxKnown+9), 10) {
		t.Errorf("%d pairs are known, or not the newest", a.pairs)
	}
	if len(a.nets) != a.pairs {
		t.Errorf("%d accounts have networks, of %d", len(a.nets), a.pairs)
	}
}

func TestLoginAlarms(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before []string // ADDRESS ACCOUNT of failures; + for a login
		login  string
		alarm  string
	}{
		{"a person who mistypes", []string{"198.51.100.8 alice", "198.51.100.8 alice"}, "198.51.100.8 alice", ""},
		{"one who tries several accounts", []string{"198.51.100.8 root", "198.51.100.8 admin", "198.51.100.8 bob"}, "198.51.100.8 alice", "may have guessed"},
		{"one who stops before the bar", []string{"198.51.100.8 a", "198.51.100.8 a", "198.51.100.8 a", "198.51.100.8 a"}, "198.51.100.8 a", "may have guessed"},
		{"a new place after guesses", []string{"+192.0.2.1 alice", "198.51.100.8 alice", "198.51.100.9 alice", "198.51.100.7 alice"}, "203.0.113.1 alice", "may be known"},
		{"a new place", []string{"+192.0.2.1 alice"}, "203.0.113.1 alice", ""},
		{"home after guesses", []string{"+192.0.2.1 alice", "198.51.100.8 alice", "198.51.100.9 alice", "198.51.100.7 alice"}, "192.0.2.99 alice", ""},
		{"nobody known yet", []string{"198.51.100.8 alice", "198.51.100.9 alice", "198.51.100.7 alice"}, "203.0.113.1 alice", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := newEngine(t, nil, DefaultJail("sshd", "sshd"))
			for i, line := range tt.before {
				addr, account, _ := strings.Cut(strings.TrimPrefix(line, "+"), " ")
				m := guess(addr, account, seconds(i))
				if strings.HasPrefix(line, "+") {
					m.Event = rules.Success
				}
				if got := e.Observe(m, seconds(i)); len(got) != 0 {
					t.Fatalf("%s decided %+v", line, got)
				}
			}
			addr, account, _ := strings.Cut(tt.login, " ")
			got := e.Observe(login(addr, account, seconds(60)), seconds(60))
			if tt.alarm == "" && len(got) != 0 || tt.alarm != "" && (len(got) != 1 || got[0].Action != Alarm || !strings.Contains(got[0].Reason, tt.alarm)) {
				t.Errorf("decided %+v, want %q", got, tt.alarm)
			}
		})
	}
}

// A trunk is spared what anybody could have sent, and not what it did.
func TestTrunkWithProvenBan(t *testing.T) {
	other := pbx()
	other.Name = "other"
	other.MaxRetry = 3
	e := newEngine(t, nil, pbx(), other)
	for i := range 3 {
		e.Observe(packet("203.0.113.1", "101", seconds(i)), seconds(i))
		e.Observe(packet("203.0.113.2", "101", seconds(i)), seconds(i))
	}
	for i := range 5 {
		e.Observe(proven(packet("203.0.113.1", "101", seconds(10+i))), seconds(10+i))
	}
	lifts := e.SetTrunks([]Guard{{Prefix: prefix("203.0.113.0/28"), Why: "sip.example.net"}}, seconds(20))
	if len(lifts) != 1 || lifts[0].Prefix != prefix("203.0.113.2/32") {
		t.Errorf("lifted %+v", lifts)
	}
}

// Whoever mistypes once, on another account too, and logs in is nobody to tell of.
func TestOneMistakeRingsNoAlarm(t *testing.T) {
	e := newEngine(t, nil, DefaultJail("sshd", "sshd"))
	e.Observe(guess("198.51.100.8", "alcie", epoch), epoch)
	e.Observe(guess("198.51.100.8", "ailce", seconds(1)), seconds(1))
	if got := e.Observe(login("198.51.100.8", "alice", seconds(2)), seconds(2)); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}
