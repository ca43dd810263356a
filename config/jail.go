package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"bailiff/decide"
)

// Others, among the packs of a jail, stands for every pack that no jail names and that
// is not optional.
const Others = "*"

// builtinJails are the jails of a file that names none.
func builtinJails() map[string]any {
	return map[string]any{
		"sshd":     map[string]any{"packs": []any{"sshd"}},
		"pbx":      map[string]any{"packs": []any{"asterisk"}, "find_time": "60s"},
		"pbx-slow": map[string]any{"packs": []any{"asterisk"}, "max_retry": int64(20), "find_time": "10m"},
		"others":   map[string]any{"packs": []any{Others}},
	}
}

// defaults reads [defaults], which every jail starts from.
func defaults(t *table) Jail {
	base := Jail{Jail: decide.DefaultJail(""), Enabled: true}
	defaults := t.sub("defaults")
	base.thresholds(defaults)
	defaults.done()
	return base
}

// jails reads every [jail.NAME] over base, in the order of the file.
func jails(t *table, base Jail) []Jail {
	all := t.sub("jail")
	if !t.has("jail") {
		all.values = builtinJails()
	}
	var jails []Jail
	for _, name := range all.names() {
		if jail := all.sub(name); jail.values != nil {
			jails = append(jails, base.named(name, jail))
		}
	}
	return jails
}

// thresholds reads the keys that [defaults] has too.
func (j *Jail) thresholds(t *table) {
	t.count("max_retry", 1, &j.MaxRetry)
	t.count("max_challenges", 0, &j.MaxChallenges)
	t.duration("find_time", time.Second, &j.FindTime)
	if j.FindTime == Forever {
		t.fail(t.key("find_time"), "", "must not be \"forever\"")
	}
	t.duration("ban_time", time.Second, &j.BanTime)
	t.count("known_good_factor", 1, &j.KnownGoodFactor)
	if t.count("repeat_max_retry", 1, &j.RepeatMaxRetry); j.RepeatMaxRetry > j.MaxRetry {
		t.fail(t.key("repeat_max_retry"), "", "must not be more than max_retry = %d; it is %d", j.MaxRetry, j.RepeatMaxRetry)
	}
	t.count("promote_after", 0, &j.PromoteAfter)
	t.bool("promote4", &j.Promote4)
	j.classes(t)
}

// named reads one [jail.NAME] over the defaults j.
func (j Jail) named(name string, t *table) Jail {
	j.Name = name
	if !validJailName(name) {
		t.fail(t.path, "use letters, digits, - and _", "%q is not a name for a jail", name)
	}
	j.thresholds(t)
	t.bool("enabled", &j.Enabled)
	t.bool("simulate", &j.Simulate)
	there := t.each("packs", false, func(path, pack string) {
		if slices.Contains(j.Packs, pack) {
			t.fail(path, "", "pack %q is named twice", pack)
			return
		}
		j.Packs = append(j.Packs, pack)
	})
	if len(j.Packs) == 0 && (there || !t.has("packs")) {
		t.fail(t.path, `name the packs whose rules it judges, like packs = ["sshd"]`, "the jail has no packs")
	}
	t.each("ports", false, func(path, text string) {
		port, ok := parsePort(text)
		if !ok {
			t.fail(path, `write it like "tcp/22" or "udp/5060"`, "%q is not a port", text)
			return
		}
		j.Ports = append(j.Ports, port)
	})
	choice(t, "verdict", []string{"drop", "reject"}, &j.Verdict)
	j.group(t)
	j.hears(t)
	t.done()
	return j
}

// group reads whose attempts the jail adds up.
func (j *Jail) group(t *table) {
	if choice(t, "group_by", decide.Groups(), &j.GroupBy); j.GroupBy != decide.ByPrefix {
		for _, name := range []string{"prefix4", "prefix6"} {
			if t.has(name) {
				t.fail(t.key(name), "remove it, or write group_by = \"prefix\"", "means nothing for a jail that does not group by prefix")
			}
		}
	}
	t.count("prefix4", 8, &j.Prefix4)
	t.count("prefix6", 16, &j.Prefix6)
	if j.Prefix4 > 32 || j.Prefix6 > 64 {
		t.fail(t.path, "", "prefix4 is at most 32 and prefix6 at most 64")
	}
	t.count("distinct", 1, &j.Distinct)
	switch {
	case j.Distinct > 1 && j.GroupBy == decide.ByAddressAccount:
		t.fail(t.key("distinct"), "remove it", "one address and one account are never %d", j.Distinct)
	case j.Distinct > j.MaxRetry:
		t.fail(t.key("distinct"), "raise max_retry", "%d are more than max_retry = %d attempts can be", j.Distinct, j.MaxRetry)
	}
	t.each("canary", false, func(path, account string) {
		if account == "" {
			t.fail(path, "", "the empty name is no account")
			return
		}
		j.Canaries = append(j.Canaries, account)
	})
	if j.GroupBy == decide.ByPrefix && len(j.Canaries) > 0 {
		t.fail(t.key("canary"), "write it into a jail that counts by address", "one attempt of one address would ban its whole network")
	}
}

// hears reads whose word counts.
func (j *Jail) hears(t *table) {
	if there := t.each("sources", false, func(_, name string) { j.Sources = append(j.Sources, name) }); there && len(j.Sources) == 0 {
		t.fail(t.key("sources"), "leave it out for all sources", "is empty: the jail would hear nobody")
	}
	if trust := t.trusted("min_trust"); trust != nil {
		j.MinTrust = *trust
	}
}

// known checks the sources that jails name.
func (c *Config) known(r *reader) {
	var names []string
	for i := range c.Journald {
		names = append(names, c.Journald[i].Name)
	}
	for i := range c.Syslog {
		names = append(names, c.Syslog[i].source())
	}
	for i := range c.Files {
		names = append(names, c.Files[i].Name)
	}
	for i := range c.Pipes {
		names = append(names, c.Pipes[i].Name)
	}
	for i := range c.Origins {
		names = append(names, c.Origins[i].Name)
	}
	for _, j := range c.Jails {
		for i, name := range j.Sources {
			if !slices.Contains(names, name) {
				r.fail(fmt.Sprintf("jail.%s.sources[%d]", j.Name, i), "the sources and origins are: "+strings.Join(names, ", "), "there is no source and no origin %q", name)
			}
		}
	}
}

// classes reads what the jail makes of evidence that somebody else could have
// written.
func (j *Jail) classes(t *table) {
	choice(t, "spoofable", []string{"short", "alarm", "full"}, &j.Spoofable)
	t.duration("spoofable_ban_time", time.Second, &j.SpoofableBan)
	if j.Spoofable != decide.SpoofableShort && t.has("spoofable_ban_time") {
		t.fail(t.key("spoofable_ban_time"), "remove it", "means nothing unless spoofable is \"short\"")
	}
}

// validJailName keeps names to what needs no quoting in TOML, on a command line
// and in a metric.
func validJailName(name string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
	return name != "" && len(name) <= 64 && strings.Trim(name, letters) == "" && name[0] != '-'
}

// parsePort reads "tcp/22".
func parsePort(text string) (decide.Port, bool) {
	proto, number, ok := strings.Cut(text, "/")
	n, err := strconv.ParseUint(number, 10, 16)
	if !ok || err != nil || n == 0 || proto != "tcp" && proto != "udp" {
		return decide.Port{}, false
	}
	return decide.Port{Proto: proto, Port: uint16(n)}, true
}
