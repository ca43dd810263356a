package config

import (
	"fmt"
	"net/netip"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"bailiff/ingest/syslog"
)

// defaultListen is the listener of a file that names none: local programs only,
// and who they are the kernel says.
const defaultListen = "unixgram:///run/bailiff/log.sock"

// listeners reads every [[source.syslog]].
func listeners(source *table) []Syslog {
	tables := source.subs("syslog")
	if !source.has("syslog") {
		tables = []*table{source.table("source.syslog[0]", map[string]any{"listen": defaultListen})}
	}
	var all []Syslog
	first := make(map[string]string) // listener → path of the table that has it
	for _, t := range tables {
		l, ok := listener(t)
		if !ok {
			continue
		}
		if other, twice := first[l.Listen()]; twice {
			t.fail(t.key("listen"), "remove one of the two", "%s is taken by line %d", l.Listen(), t.lines[other])
			continue
		}
		first[l.Listen()] = t.key("listen")
		all = append(all, l)
	}
	return all
}

// listener reads one [[source.syslog]].
func listener(t *table) (l Syslog, ok bool) {
	defer t.done()
	before := len(t.errors)
	l.MaxSkew = 5 * time.Second
	if t.string("name", &l.Name) && strings.TrimSpace(l.Name) == "" {
		t.fail(t.key("name"), "", "is empty")
		l.Name = ""
	}
	t.identifier(&l.Identifier)
	t.feed(&l.Feed)
	l.connections(t)
	t.duration("max_skew", 0, &l.MaxSkew)
	if l.MaxSkew == Forever {
		t.fail(t.key("max_skew"), "", "must not be \"forever\"")
	}
	t.each("allow_uid", true, func(path, name string) {
		uid, err := lookupUser(name)
		if err != nil {
			t.fail(path, "name a user of this machine, or the number of one", "%v", err)
			return
		}
		l.AllowUID = append(l.AllowUID, uid)
	})
	t.each("allow_from", false, func(path, text string) {
		p, hint, err := parsePrefix(text)
		if err != nil {
			t.fail(path, hint, "%v", err)
			return
		}
		l.AllowFrom = append(l.AllowFrom, p)
	})
	if t.string("path", &l.Wire) && l.Wire != syslog.PathProtected && l.Wire != syslog.PathOpen {
		t.fail(t.key("path"), "", "must be %q or %q; it is %q", syslog.PathProtected, syslog.PathOpen, l.Wire)
	}
	var url string
	if !t.string("listen", &url) {
		if !t.has("listen") {
			t.fail(t.path, `add listen = "udp://127.0.0.1:5514", say`, "the listener has no listen")
		}
		return l, false
	}
	if err := l.parseListen(url); err != nil {
		t.fail(t.key("listen"), listenHint, "%v", err)
		return l, false
	}
	l.trust(t)
	if opts := l.Options(); len(t.errors) == before {
		if err := opts.Validate(); err != nil {
			t.fail(t.path, "", "%v", err)
		} else {
			l.certificates(t, opts)
		}
	}
	return l, true
}

const listenHint = `write it like "udp://127.0.0.1:5514", "tcp://[2001:db8::1]:601", "tls://192.0.2.1:6514", "unix:///run/bailiff/stream.sock" or "unixgram:///run/bailiff/log.sock"`

// parseListen reads the URL of a listener.
func (s *Syslog) parseListen(url string) error {
	if name, ok := strings.CutPrefix(url, "systemd:"); ok {
		if name == "" || strings.ContainsAny(name, "/: \t\n") {
			return fmt.Errorf("%q is no name of a socket: want systemd:NAME with the FileDescriptorName of a socket unit", url)
		}
		s.Scheme, s.Socket = "systemd", name
		return nil
	}
	scheme, rest, ok := strings.Cut(url, "://")
	if !ok {
		return fmt.Errorf("%q is not a URL", url)
	}
	s.Scheme = scheme
	switch scheme {
	case "udp", "tcp", "tls":
		addr, err := netip.ParseAddrPort(rest)
		if err != nil || addr.Port() == 0 || addr.Addr().Zone() != "" {
			return fmt.Errorf("%q is not an address and a port", rest)
		}
		s.Addr = netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
	case "unix", "unixgram":
		// A socket address holds 108 bytes and a NUL (unix(7)).
		if !filepath.IsAbs(rest) || len(rest) > 107 || strings.ContainsAny(rest, "?#%") {
			return fmt.Errorf("%q is not an absolute path of at most 107 bytes without ?, # and %%", rest)
		}
		s.Path = filepath.Clean(rest)
	default:
		return fmt.Errorf("%q is not a transport that this version listens on", scheme)
	}
	return nil
}

// trust settles whom the listener believes: the processes of some users where
// the kernel can tell who sends, some senders everywhere else.
func (s *Syslog) trust(t *table) {
	if s.Scheme == "systemd" {
		// What it is, and so which keys it needs, is known when it is handed over.
		if !t.has("allow_uid") && !t.has("allow_from") {
			s.AllowUID = defaultUIDs()
		}
		return
	}
	if s.Path != "" || s.Addr.Addr().IsLoopback() {
		for _, name := range []string{"allow_from", "path"} {
			if t.has(name) {
				t.fail(t.key(name), "use allow_uid", "means nothing for a listener that only this machine reaches")
			}
		}
		if !t.has("allow_uid") {
			s.AllowUID = defaultUIDs()
		}
		return
	}
	if t.has("allow_uid") {
		t.fail(t.key("allow_uid"), "use allow_from", "means nothing for a listener that other machines reach")
	}
	if list, ok := t.values["allow_from"].([]any); (ok && len(list) == 0 || !t.has("allow_from")) && s.ClientCA == "" {
		t.fail(t.path, `add allow_from = ["198.51.100.7"] with the senders you trust`, "a listener off loopback must say whom it takes lines from")
	}
	switch {
	case s.Scheme != "udp" && t.has("path"):
		t.fail(t.key("path"), "remove it", "means nothing for %s, where nobody else can send in the name of a sender", s.Scheme)
	case s.Scheme == "udp" && !t.has("path"):
		t.fail(t.path, `add path = "protected" if nobody else can send in the name of allow_from, and path = "open" if somebody can`,
			"a UDP listener off loopback must say what its path is")
	}
}

// defaultUIDs are root and, where there is one, the user of the system's syslog
// daemon.
func defaultUIDs() []int {
	uids := []int{0}
	if uid, err := lookupUser("syslog"); err == nil && !slices.Contains(uids, uid) {
		uids = append(uids, uid)
	}
	return uids
}

// lookupUser returns the number of a user, who may be given by number.
func lookupUser(name string) (int, error) {
	text := name
	if _, err := strconv.ParseUint(name, 10, 32); err != nil {
		u, err := user.Lookup(name)
		if err != nil {
			return 0, fmt.Errorf("there is no user %q", name)
		}
		text = u.Uid
	}
	uid, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("user %q has the number %q", name, text)
	}
	return int(uid), nil
}
