package rules

import (
	"net/netip"
	"slices"
	"sync"
	"time"
)

// maxSessions is how many sessions a set keeps.
const maxSessions = 65_536

// sessions is what lines have said of the sessions that later lines name. It is
// bounded: the one that was not heard of for longest goes first.
type sessions struct {
	mu     sync.Mutex
	most   int
	open   map[sessionKey]*session
	recent session // the ring: recent.next was heard of last, recent.before first
	packs  map[string]*SessionCount
	held   int // matches that wait, of all sessions
}

// sessionKey is a digest of what a session belongs to and of the values that name
// it: what strangers write takes no memory, however long it is.
type sessionKey [16]byte

// session is what is known of one session.
type session struct {
	key    sessionKey
	source string
	of     *SessionCount
	at     time.Time // of the entry that was heard last
	lasts  time.Duration
	// addrs is the peer's address; several if the session is ambiguous, none if
	// it is not known.
	addrs   []netip.Addr
	account string
	// disputed says that somebody gave the session of a key that strangers can
	// choose two accounts; it has none then.
	disputed  bool
	spoofable bool
	// waiting are matches of lines that came before the one with the address.
	waiting []Match

	before, next *session
}

// SessionCount tells of the sessions of one pack.
type SessionCount struct {
	Pack string
	// Live are those that are kept now.
	Live int
	// Evicted had to make room for others; Unbound counts the matches that
	// wanted an address of a session which has none or is not known.
	Evicted, Unbound uint64
}

func newSessions(most int) *sessions {
	t := &sessions{most: most, open: make(map[sessionKey]*session), packs: make(map[string]*SessionCount)}
	t.recent.before, t.recent.next = &t.recent, &t.recent
	return t
}

// mention is what a line says of a session.
type mention struct {
	pack, source string
	at           time.Time
	lasts, early time.Duration
	addrs        []netip.Addr
	account      string
	spoofable    bool
	strange      bool // a stranger may have chosen the key
}

// bind notes what a line says of the session of key, and returns the matches that
// have waited for its address. A line with an address begins the session, a line
// without one adds to it; of lines that come early the account is kept.
func (t *sessions) bind(key sessionKey, m *mention) []Match {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.clear(m)
	s := t.live(key, m.at)
	switch {
	case s != nil && len(m.addrs) > 0 && len(s.addrs) == 0 && m.at.Sub(s.at).Abs() < m.early:
		s.addrs, s.spoofable = slices.Clone(m.addrs), s.spoofable || m.spoofable
		if m.account != "" {
			s.account = m.account
		}
	case s == nil:
		s = t.add(key, m)
	case len(m.addrs) > 0 && m.strange && s.differs(m.addrs):
		s.addrs = merge(s.addrs, m.addrs)
		s.spoofable = s.spoofable || m.spoofable
	case len(m.addrs) > 0:
		s.addrs, s.account, s.disputed, s.spoofable = slices.Clone(m.addrs), m.account, false, m.spoofable
	case m.strange && s.account != "" && s.account != m.account:
		s.account, s.disputed = "", true
	case !s.disputed:
		s.account = m.account
		s.spoofable = s.spoofable || m.spoofable
	}
	t.touch(s, m)
	return t.served(s, m)
}

// How many matches wait for their addresses: of one session, and of all.
const (
	maxWaiting = 8
	maxHeld    = 4096
)

// hold keeps a match until its session has an address; false if too many wait.
func (t *sessions) hold(key sessionKey, m *mention, match Match) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.clear(m)
	s := t.live(key, m.at)
	if s == nil {
		s = t.add(key, m)
		t.touch(s, m)
	}
	if len(s.waiting) == maxWaiting || t.held == maxHeld {
		return false
	}
	s.waiting = append(s.waiting, match)
	t.held++
	return true
}

// served returns the matches that have waited for the address of s, with that, and
// counts those that have waited too long.
func (t *sessions) served(s *session, m *mention) (out []Match) {
	if len(s.addrs) == 0 {
		return nil
	}
	t.held -= len(s.waiting)
	for _, match := range s.waiting {
		if m.at.Sub(match.Time).Abs() > m.early {
			s.of.Unbound++
			continue
		}
		if match.Addr = s.addrs[0]; len(s.addrs) > 1 {
			match.Addr, match.Candidates = netip.Addr{}, slices.Clone(s.addrs)
		}
		match.Spoofable = match.Spoofable || s.spoofable
		out = append(out, match)
	}
	s.waiting = nil
	return out
}

// use returns what is known of the session of key, nothing if it is not open.
func (t *sessions) use(key sessionKey, m *mention) session {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.live(key, m.at)
	if s == nil {
		return session{}
	}
	t.touch(s, m)
	return *s
}

// addrs returns the addresses of the session of key, without having heard of it.
func (t *sessions) addrs(key sessionKey, at time.Time) []netip.Addr {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := t.live(key, at); s != nil {
		return s.addrs
	}
	return nil
}

// end forgets the session of key.
func (t *sessions) end(key sessionKey) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := t.open[key]; s != nil {
		t.remove(s)
	}
}

// unbound counts a match of a pack that found no address.
func (t *sessions) unbound(pack string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count(pack).Unbound++
}

// known has a pack counted that nothing was heard of yet.
func (t *sessions) known(pack string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count(pack)
}

// counts returns what is known of each pack that has sessions, sorted by name.
func (t *sessions) counts() []SessionCount {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []SessionCount
	for _, c := range t.packs {
		out = append(out, *c)
	}
	slices.SortFunc(out, func(a, b SessionCount) int {
		if a.Pack < b.Pack {
			return -1
		}
		return 1
	})
	return out
}

// live returns the session of key if it lasts at that time, by the clock of its
// entries; a clock that was set back ends it too.
func (t *sessions) live(key sessionKey, at time.Time) *session {
	s := t.open[key]
	if s != nil && s.over(at) {
		t.remove(s)
		return nil
	}
	return s
}

func (s *session) over(at time.Time) bool { return at.Sub(s.at).Abs() > s.lasts }

// differs says whether addrs are not what the session has.
func (s *session) differs(addrs []netip.Addr) bool {
	return len(s.addrs) > 0 && !slices.Equal(s.addrs, addrs)
}

// add makes a session, in the place of another if there are too many.
func (t *sessions) add(key sessionKey, m *mention) *session {
	if len(t.open) >= t.most {
		oldest := t.recent.before
		oldest.of.Evicted++
		t.remove(oldest)
	}
	s := &session{
		key: key, source: m.source, of: t.count(m.pack), addrs: slices.Clone(m.addrs), account: m.account, spoofable: m.spoofable,
	}
	s.of.Live++
	t.open[key] = s
	s.link(&t.recent)
	return s
}

// touch notes that the session was heard of.
func (t *sessions) touch(s *session, m *mention) {
	s.at, s.lasts = m.at, m.lasts
	s.unlink()
	s.link(&t.recent)
}

// link puts s behind another.
func (s *session) link(before *session) {
	s.before, s.next = before, before.next
	s.before.next, s.next.before = s, s
}

func (s *session) unlink() { s.before.next, s.next.before = s.next, s.before }

func (t *sessions) remove(s *session) {
	s.of.Unbound += uint64(len(s.waiting))
	t.held -= len(s.waiting)
	s.unlink()
	delete(t.open, s.key)
	s.of.Live--
}

// clear forgets the sessions that are over, a few at a time. What another source
// was told last is of another clock, and waits.
func (t *sessions) clear(m *mention) {
	for range 2 {
		oldest := t.recent.before
		if oldest == &t.recent || oldest.source != m.source || !oldest.over(m.at) {
			return
		}
		t.remove(oldest)
	}
}

func (t *sessions) count(pack string) *SessionCount {
	c := t.packs[pack]
	if c == nil {
		c = &SessionCount{Pack: pack}
		t.packs[pack] = c
	}
	return c
}

// merge returns the addresses of both, as many as are named of an ambiguous line.
func merge(a, b []netip.Addr) []netip.Addr {
	out := slices.Clone(a)
	for _, addr := range b {
		if len(out) < MaxCandidates && !slices.Contains(out, addr) {
			out = append(out, addr)
		}
	}
	return out
}
