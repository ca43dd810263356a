package rules

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// modelSession is what docs/rules.md says of one session, spelled out slowly.
type modelSession struct {
	name     string // host, kind and value
	addrs    []string
	account  string
	accounts int // that were said since it began
	heard    time.Duration
}

// model is the sessions of one source, the one that was heard of last at the end.
type model struct {
	room     int
	lasts    time.Duration
	sessions []modelSession
	evicted  int
	unbound  int
}

func (m *model) find(name string, now time.Duration) *modelSession {
	m.sessions = slices.DeleteFunc(m.sessions, func(s modelSession) bool { return now-s.heard > m.lasts })
	i := slices.IndexFunc(m.sessions, func(s modelSession) bool { return s.name == name })
	if i < 0 {
		return nil
	}
	s := m.sessions[i]
	s.heard = now
	m.sessions = append(slices.Delete(m.sessions, i, i+1), s)
	return &m.sessions[len(m.sessions)-1]
}

func (m *model) bind(name string, now time.Duration, strange bool, addrs []string, account string) {
	s := m.find(name, now)
	if s == nil {
		if len(m.sessions) == m.room {
			m.sessions = m.sessions[1:]
			m.evicted++
		}
		m.sessions = append(m.sessions, modelSession{name: name, heard: now})
		s = &m.sessions[len(m.sessions)-1]
	}
	switch {
	case len(addrs) == 0 && !strange:
		s.account = account
	case len(addrs) == 0:
		if s.accounts == 0 || s.account != account {
			s.accounts++
		}
		if s.account = account; s.accounts > 1 {
			s.account = ""
		}
	case strange && len(s.addrs) > 0 && !slices.Equal(s.addrs, addrs):
		for _, a := range addrs {
			if !slices.Contains(s.addrs, a) {
				s.addrs = append(s.addrs, a)
			}
		}
	default:
		s.addrs, s.account, s.accounts = slices.Clone(addrs), "", 0
	}
}

// What the table says of random histories is what the model says.
func TestSessionsAreAsTheModel(t *testing.T) {
	pack := parse(t, dirPack)
	bound, ambiguous, evicted, unbound := 0, 0, 0, 0
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 5))
		m := model{room: 1 + r.IntN(12), lasts: 5 * time.Minute}
		set := small(t, m.room, pack)
		var now time.Duration
		var history []string
		for range 60 {
			if r.IntN(3) == 0 {
				now += time.Duration(r.IntN(100)) * time.Second
			}
			host, value, strange := string('a'+byte(r.IntN(2))), r.IntN(3), r.IntN(2) == 0
			addr, account := fmt.Sprintf("192.0.2.%d", 1+r.IntN(3)), "u"+fmt.Sprint(r.IntN(2))
			name := fmt.Sprint(host, strange, value)
			var line, account2 string
			var want []string
			switch op := r.IntN(8); {
			case strange && op < 2:
				line = fmt.Sprintf("call k%d from %s", value, addr)
				m.bind(name, now, true, []string{addr}, "")
			case strange && op < 4:
				line = fmt.Sprintf("call k%d by %s", value, account)
				m.bind(name, now, true, nil, account)
			case op == 0:
				line = fmt.Sprintf("conn=%d ACCEPT via x of 192.0.2.1 of 192.0.2.2 y", value)
				m.bind(name, now, false, []string{"192.0.2.1", "192.0.2.2"}, "")
			case op < 3:
				line = fmt.Sprintf("conn=%d ACCEPT from %s:9", value, addr)
				m.bind(name, now, false, []string{addr}, "")
			case op == 3:
				line = fmt.Sprintf("conn=%d BIND dn=%s", value, account)
				m.bind(name, now, false, nil, account)
			case !strange && op == 4:
				line = fmt.Sprintf("conn=%d closed", value)
				if m.find(name, now) != nil {
					m.sessions = m.sessions[:len(m.sessions)-1]
				}
			default:
				line = fmt.Sprintf("conn=%d err=49", value)
				if strange {
					line = fmt.Sprintf("call k%d rejected", value)
				}
				if s := m.find(name, now); s != nil {
					want, account2 = s.addrs, s.account
				}
				if len(want) == 0 {
					m.unbound++
				}
			}
			text := fmt.Sprintf("host=%s at=%s | %s", host, now, line)
			history = append(history, text)
			got := outcomes(set.AppendMatches(nil, dirEntry(t, text)))
			if len(got) != 1 {
				t.Fatalf("%d matches\n%s", len(got), strings.Join(history, "\n"))
			}
			if !strings.HasSuffix(line, "err=49") && !strings.HasSuffix(line, "rejected") {
				continue
			}
			addrs := got[0].Candidates
			if got[0].Addr != "" {
				addrs = []string{got[0].Addr}
			}
			if diff := cmp.Diff(want, addrs, cmpopts.EquateEmpty()); diff != "" || got[0].Account != account2 {
				t.Fatalf("account %q, want %q; addresses (-want +got)\n%s\n%s", got[0].Account, account2, diff, strings.Join(history, "\n"))
			}
			bound += len(want) & 1
			if len(want) > 1 {
				ambiguous++
			}
		}
		want := []SessionCount{{Pack: "dir", Evicted: uint64(m.evicted), Unbound: uint64(m.unbound)}}
		if diff := cmp.Diff(want, set.Sessions(), cmpopts.IgnoreFields(SessionCount{}, "Live")); diff != "" {
			t.Fatalf("(-want +got)\n%s\n%s", diff, strings.Join(history, "\n"))
		}
		evicted += m.evicted
		unbound += m.unbound
	}
	if bound < 1000 || ambiguous < 300 || evicted < 500 || unbound < 2000 {
		t.Errorf("%d bound, %d ambiguous, %d evicted, %d unbound: the test tests little", bound, ambiguous, evicted, unbound)
	}
}
