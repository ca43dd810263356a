package config

import (
	"errors"
	"io/fs"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"bailiff/decide"
)

// config reads the whole file.
func (r *reader) config(values map[string]any) *Config {
	t := r.table("", values)
	c := &Config{
		File:     r.file,
		StateDir: DefaultStateDir,
		Socket:   DefaultSocket,
		RulesDir: DefaultRulesDir,
	}
	t.absolute("state_dir", &c.StateDir)
	t.absolute("socket", &c.Socket)
	if t.absolute("rules_dir", &c.RulesDir) {
		r.mustBeDir("rules_dir", c.RulesDir)
	}
	t.each("never_ban", false, func(path, s string) { r.guard(path, s, &c.NeverBan) })
	t.each("trunks", false, func(path, s string) { r.guard(path, s, &c.Trunks) })

	source := t.sub("source")
	c.Journald = journals(source)
	c.Syslog = listeners(source)
	c.Files = files(source)
	c.Pipes = pipes(source)
	source.done()
	c.Origins = origins(t.sub("origin"))

	c.KnownFor = decide.DefaultOptions().KnownFor
	t.duration("known_good_for", 0, &c.KnownFor)
	c.Escalation = escalation(t.sub("escalation"))
	c.Ceiling = ceiling(t.sub("ceiling"))
	base := defaults(t)
	c.BanTime = base.BanTime
	c.Jails = jails(t, base)
	c.known(t.reader)
	c.apart(t.reader)
	c.Units = homes(t.sub("pack"))
	t.done()
	return c
}

// absolute reads an absolute path, cleaned.
func (t *table) absolute(name string, into *string) bool {
	var path string
	if !t.string(name, &path) {
		return false
	}
	if !filepath.IsAbs(path) {
		t.fail(t.key(name), "write the whole path, from / on", "%q is not an absolute path", path)
		return false
	}
	*into = filepath.Clean(path)
	return true
}

func (r *reader) mustBeDir(key, dir string) {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.fail(key, "make the directory, or remove the key", "%s does not exist", dir)
	case err != nil:
		r.fail(key, "", "%v", err)
	case !info.IsDir():
		r.fail(key, "name the directory that the packs are in", "%s is not a directory", dir)
	}
}

// parseSet reads "family table/set".
func parseSet(text string) (Set, bool) {
	family, rest, _ := strings.Cut(text, " ")
	table, name, _ := strings.Cut(strings.TrimSpace(rest), "/")
	switch family {
	case "inet", "ip", "ip6", "netdev", "bridge", "arp":
	default:
		return Set{}, false
	}
	if table == "" || name == "" || strings.ContainsAny(table+name, "/ \t") {
		return Set{}, false
	}
	return Set{family, table, name}, true
}

func escalation(t *table) decide.Escalation {
	e := decide.DefaultOptions().Escalation
	if t.number("factor", &e.Factor) && !(e.Factor >= 1 && e.Factor <= math.MaxFloat32) {
		t.fail(t.key("factor"), "1 makes every ban as long as the first", "must be at least 1; it is %v", e.Factor)
	}
	t.duration("max", time.Second, &e.Max)
	t.duration("jitter", 0, &e.Jitter)
	if e.Jitter == Forever {
		t.fail(t.key("jitter"), "", "must not be \"forever\"")
	}
	t.duration("forget_after", 0, &e.ForgetAfter)
	t.bool("overall", &e.Overall)
	if t.duration("decay", time.Second, &e.Decay); e.Decay == Forever {
		e.Decay = 0
	}
	t.count("forever_after", 1, &e.ForeverAfter)
	t.numbers("multipliers", func(path string, n float64) {
		if !(n > 0 && n <= math.MaxFloat32) {
			t.fail(path, "1 is ban_time itself", "must be more than 0, and less than 10^38; it is %v", n)
			return
		}
		e.Multipliers = append(e.Multipliers, n)
	})
	var formula string
	if t.string("formula", &formula) {
		var err error
		if e.Formula, err = decide.CompileFormula(formula); err != nil {
			t.fail(t.key("formula"), "it may use ban_time (seconds), count (earlier bans) and factor, like \"ban_time * factor ** count\"", "%s", oneLine(err))
		}
	}
	if t.has("formula") && t.has("multipliers") {
		t.fail(t.key("multipliers"), "remove one of the two", "means nothing beside formula")
	}
	t.done()
	return e
}

// oneLine is the first line of an error that draws a picture below it.
func oneLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// ceiling reads how many bans are made at most.
func ceiling(t *table) decide.Ceiling {
	c := decide.DefaultOptions().Ceiling
	t.count("proven", 0, &c.Proven)
	t.count("spoofable", 0, &c.Spoofable)
	t.count("space4", 0, &c.Space4)
	t.count("space6", 0, &c.Space6)
	if c.Space4 > 32 || c.Space6 > 64 {
		t.fail(t.path, "", "space4 is at most 32 and space6 at most 64: they are lengths of prefixes")
	}
	t.done()
	return c
}

// parsePrefix reads an address or a prefix in the form that bailiff keeps: IPv4
// unmapped, no bits beyond the length.
func parsePrefix(text string) (p netip.Prefix, hint string, err error) {
	if !strings.Contains(text, "/") {
		a, err := netip.ParseAddr(text)
		switch {
		case err != nil && looksLikeName(text):
			return p, "write its addresses; a name could be pointed elsewhere by whoever runs its DNS",
				errors.New("host names are not supported: " + text)
		case err != nil || a.Zone() != "":
			return p, `write it like "192.0.2.1" or "2001:db8::/64"`, errors.New("not an address: " + text)
		}
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), "", nil
	}
	p, err = netip.ParsePrefix(text)
	switch {
	case err != nil:
		return p, `write it like "192.0.2.0/24" or "2001:db8::/64"`, errors.New("not a prefix: " + text)
	case p.Addr().Is4In6() && p.Bits() < 96:
		return p, "write it as an IPv4 prefix", errors.New("not a prefix of IPv4-mapped addresses: " + text)
	case p.Addr().Is4In6():
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	if p != p.Masked() {
		return p, "write " + p.Masked().String() + " for the network, or leave the length out for the host",
			errors.New("the prefix has bits beyond its length: " + text)
	}
	return p, "", nil
}

// looksLikeName says whether text is a host name rather than a mistyped
// address: its last label holds a letter and it has no colon.
func looksLikeName(text string) bool {
	label := text[strings.LastIndexByte(strings.TrimSuffix(text, "."), '.')+1:]
	return !strings.Contains(text, ":") &&
		strings.ContainsAny(label, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
}
