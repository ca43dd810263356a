package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"bailiff/ingest"
)

// Feed is what every source may say of its lines.
type Feed struct {
	// Packs are those that the source may feed; none means all.
	Packs []string
	// Trust takes the place of the trust that the transport earns; nil leaves
	// that.
	Trust *ingest.Trust
}

// feed reads the keys of every source.
func (t *table) feed(f *Feed) {
	there := t.each("packs", false, func(_, pack string) { f.Packs = append(f.Packs, pack) })
	if there && len(f.Packs) == 0 {
		t.fail(t.key("packs"), "leave it out for all packs", "is empty: the source would feed none")
	}
	f.Trust = t.trusted("trust")
}

// feeds returns what the sources say of their lines, by the path of their table.
func (c *Config) feeds() map[string]*Feed {
	all := map[string]*Feed{}
	for i := range c.Journald {
		all[c.Journald[i].path] = &c.Journald[i].Feed
	}
	for i := range c.Syslog {
		all[fmt.Sprintf("source.syslog[%d]", i)] = &c.Syslog[i].Feed
	}
	for i := range c.Files {
		all[fmt.Sprintf("source.file[%d]", i)] = &c.Files[i].Feed
	}
	for i := range c.Pipes {
		all[fmt.Sprintf("source.pipe[%d]", i)] = &c.Pipes[i].Feed
	}
	return all
}

// trusted reads a level of trust; nil if there is none.
func (t *table) trusted(name string) *ingest.Trust {
	var text string
	if !t.string(name, &text) {
		return nil
	}
	trust, err := ingest.ParseTrust(text)
	if err != nil {
		t.fail(t.key(name), "", "%v", err)
		return nil
	}
	return &trust
}

// timezone reads the name of a time zone; nil if there is none.
func (t *table) timezone(name string) *time.Location {
	var text string
	if !t.string(name, &text) {
		return nil
	}
	zone, err := time.LoadLocation(text)
	if err != nil || text == "" {
		t.fail(t.key(name), `write it like "Europe/Berlin", or "UTC"; install the package tzdata if it is missing`, "there is no time zone %q", text)
		return nil
	}
	return zone
}

// identifier reads the identifier of lines that carry none.
func (t *table) identifier(into *string) {
	if t.string("identifier", into) && (*into == "" || strings.ContainsAny(*into, " \t\n:[]")) {
		t.fail(t.key("identifier"), `write the name of the program: "asterisk"`, "%q is no identifier", *into)
	}
}

// origins reads every [origin.NAME].
func origins(all *table) []ingest.Origin {
	var out []ingest.Origin
	for _, name := range all.names() {
		t := all.sub(name)
		if t.values == nil {
			continue
		}
		o := ingest.Origin{Name: name}
		t.each("from", false, func(path, text string) {
			p, hint, err := parsePrefix(text)
			if err != nil {
				t.fail(path, hint, "%v", err)
				return
			}
			o.From = append(o.From, p)
		})
		t.each("certificate", false, func(_, s string) { o.Certificates = append(o.Certificates, s) })
		t.each("host", false, func(_, s string) { o.Hosts = append(o.Hosts, s) })
		if !t.has("from") && !t.has("certificate") && !t.has("host") {
			t.fail(t.path, `add from = ["198.51.100.7"], say`, "nobody is this origin")
		}
		o.Trust = t.trusted("trust")
		o.Zone = t.timezone("timezone")
		t.duration("silent_after", time.Second, &o.SilentAfter)
		t.done()
		// Of two that claim one sender the second is told of.
		if _, err := ingest.NewOrigins(append(slices.Clip(out), o)...); err != nil {
			t.fail(t.path, "take it out of one of the two", "%v", err)
			continue
		}
		out = append(out, o)
	}
	return out
}
