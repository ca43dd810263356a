package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"bailiff/rules/tomlkeys"
)

// reader collects what is wrong while the tables of one file are read.
type reader struct {
	file   string
	lines  tomlkeys.Lines
	errors []*Error
	tables []*table // that are done
}

// fail notes an error at a key.
func (r *reader) fail(key, hint, format string, args ...any) {
	r.errors = append(r.errors, &Error{
		File: r.file, Line: r.lines[key], Key: key,
		Msg: fmt.Sprintf(format, args...), hint: hint,
	})
}

// table is one TOML table that is being read. Every method takes one key and
// leaves its target alone if the key is missing or wrong; who called all of them calls done.
type table struct {
	*reader
	path   string
	values map[string]any
	known  []string
}

func (r *reader) table(path string, values map[string]any) *table {
	return &table{reader: r, path: path, values: values}
}

// key returns the path of a key of the table.
func (t *table) key(name string) string { return tomlkeys.Join(t.path, name) }

// names returns the keys of the table in the order of the file.
func (t *table) names() []string {
	names := slices.Sorted(maps.Keys(t.values))
	slices.SortStableFunc(names, func(a, b string) int { return t.lines[t.key(a)] - t.lines[t.key(b)] })
	return names
}

// has says whether the file sets the key.
func (t *table) has(name string) bool {
	_, ok := t.values[name]
	return ok
}

// foreign says what takes the place of keys that people bring from elsewhere and that
// are not near any of ours: those of fail2ban's jail.conf(5), and of other blockers.
var foreign = map[string]string{
	"action":       `what is done to packets is verdict = "drop" or "reject"`,
	"backend":      "the sources are [source.journald], [[source.file]] and [[source.syslog]]",
	"logpath":      `the files are paths of a [[source.file]]`,
	"journalmatch": "the pack says whose entries it believes; [pack.NAME] unit = [...] changes that",
	"filter":       `what is matched is packs = ["NAME"]; bailiff rules lists them`,
	"failregex":    "patterns are in rule packs, in rules_dir; see docs/writing-packs.md",
	"ignoreregex":  "patterns are in rule packs, in rules_dir; see docs/writing-packs.md",
	"ignoreip":     "whom no jail bans is never_ban, a key at the top of the file",
	"ignoreself":   "the machine's own addresses are never banned",
	"whitelist":    "whom no jail bans is never_ban, a key at the top of the file",
	"allowlist":    "whom no jail bans is never_ban, a key at the top of the file",
	"port":         `write it like ports = ["tcp/22"]`,
	"protocol":     `it is part of ports, like ["tcp/22"]`,
	"banaction":    "bans are always enforced with nftables",
	"dbpurgeage":   "it is forget_after in [escalation]",
	"usedns":       "names in lines are never looked up",
}

// done notes the keys that nobody took.
func (t *table) done() { t.tables = append(t.tables, t) }

// strangers complains of the keys that nobody took, when all tables have been read: a key
// that stands in the wrong table is told where it belongs.
func (r *reader) strangers() {
	for _, t := range r.tables {
		for _, name := range slices.Sorted(maps.Keys(t.values)) {
			if slices.Contains(t.known, name) {
				continue
			}
			hint := "the keys are: " + strings.Join(t.known, ", ")
			if ours, ok := foreign[name]; ok {
				hint = ours
			} else if home := r.home(name); home != "" {
				hint = home
			} else if n := tomlkeys.Nearest(name, t.known); n != "" {
				hint = fmt.Sprintf("did you mean %q?", n)
			}
			t.fail(t.key(name), hint, "unknown key")
		}
	}
}

// home says in which table a key belongs, "" if in none that there is one of.
func (r *reader) home(name string) string {
	for _, t := range r.tables {
		if !slices.Contains(t.known, name) {
			continue
		}
		switch t.path {
		case "":
			return "it belongs to the top of the file, above the first [table]"
		case "defaults":
			return "it belongs to [defaults] or a [jail.NAME]"
		case "escalation", "ceiling":
			return "it belongs to [" + t.path + "]"
		}
		if strings.HasPrefix(t.path, "jail.") {
			return "it belongs to a [jail.NAME]"
		}
	}
	return ""
}

// take returns the value of a key if it is there and a T, which TOML calls kind.
func take[T any](t *table, name, kind string) (value T, ok bool) {
	t.known = append(t.known, name)
	raw, there := t.values[name]
	if !there {
		return value, false
	}
	if value, ok = raw.(T); !ok {
		example := name
		if kind == "a table" {
			example = t.key(name)
		}
		t.fail(t.key(name), "write it like "+fmt.Sprintf(examples[kind], example), "want %s, not %s", kind, kindOf(raw))
	}
	return value, ok
}

// examples show how a key of each kind is written.
var examples = map[string]string{
	"a string":            `%s = "text"`,
	"true or false":       `%s = true`,
	"a whole number":      `%s = 5`,
	"a number":            `%s = 1.5`,
	"an array of strings": `%s = ["one", "two"]`,
	"an array of numbers": `%s = [1, 2.5]`,
	"a table":             `[%s]`,
}

func (t *table) string(name string, into *string) bool {
	s, ok := take[string](t, name, "a string")
	if ok {
		*into = s
	}
	return ok
}

func (t *table) bool(name string, into *bool) {
	if b, ok := take[bool](t, name, "true or false"); ok {
		*into = b
	}
}

// count reads a whole number of at least least.
func (t *table) count(name string, least int, into *int) {
	n, ok := take[int64](t, name, "a whole number")
	switch {
	case !ok:
	case n < int64(least) || n > 1<<31-1:
		t.fail(t.key(name), "", "must be at least %d, and less than 2^31; it is %d", least, n)
	default:
		*into = int(n)
	}
}

// choice reads a word that stands for its place among the spellings.
func choice[T ~uint8](t *table, name string, spellings []string, into *T) {
	var word string
	if !t.string(name, &word) {
		return
	}
	n := slices.Index(spellings, word)
	if n < 0 {
		t.fail(t.key(name), "", "must be %s; it is %q", oneOf(spellings), word)
		return
	}
	*into = T(n)
}

// oneOf lists words as a choice: "a", "b" or "c".
func oneOf(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = strconv.Quote(w)
	}
	last := len(quoted) - 1
	return strings.Join(quoted[:last], ", ") + " or " + quoted[last]
}

// number reads a number with or without a fraction.
func (t *table) number(name string, into *float64) bool {
	if n, ok := t.values[name].(int64); ok {
		t.known = append(t.known, name)
		*into = float64(n)
		return true
	}
	n, ok := take[float64](t, name, "a number")
	if ok {
		*into = n
	}
	return ok
}

const durationHint = `write it like "90s", "10m", "1d12h", "5w" or "forever"`

// duration reads a duration of at least least.
func (t *table) duration(name string, least time.Duration, into *time.Duration) {
	if n, ok := t.values[name].(int64); ok {
		t.known = append(t.known, name)
		hint := fmt.Sprintf("write \"%ds\" if you mean seconds", n)
		if n < 0 { // fail2ban's bantime = -1
			hint = `without end is "forever"`
		}
		t.fail(t.key(name), hint, "want a duration in quotes, not a number")
		return
	}
	var text string
	if !t.string(name, &text) {
		return
	}
	d, err := ParseDuration(text)
	switch {
	case err != nil:
		t.fail(t.key(name), durationHint, "%v", err)
	case d < least:
		t.fail(t.key(name), "", "%q is too short; the shortest is %q", text, FormatDuration(least))
	default:
		*into = d
	}
}

// each calls f for every string of an array, with its path, and says whether the
// key is there. Whole numbers are passed as strings if numbers is set.
func (t *table) each(name string, numbers bool, f func(path, s string)) bool {
	list, ok := take[[]any](t, name, "an array of strings")
	for i, raw := range list {
		path := fmt.Sprintf("%s[%d]", t.key(name), i)
		n, isNumber := raw.(int64)
		s, isString := raw.(string)
		switch {
		case isString:
			f(path, s)
		case isNumber && numbers:
			f(path, strconv.FormatInt(n, 10))
		default:
			t.fail(path, "", "want a string, not %s", kindOf(raw))
		}
	}
	return ok
}

// numbers calls f for every number of an array, with its path.
func (t *table) numbers(name string, f func(path string, n float64)) {
	list, _ := take[[]any](t, name, "an array of numbers")
	for i, raw := range list {
		path := fmt.Sprintf("%s[%d]", t.key(name), i)
		switch n := raw.(type) {
		case int64:
			f(path, float64(n))
		case float64:
			f(path, n)
		default:
			t.fail(path, "", "want a number, not %s", kindOf(raw))
		}
	}
}

// sub returns the table of a key; one without values if it is missing or wrong.
func (t *table) sub(name string) *table {
	values, _ := take[map[string]any](t, name, "a table")
	return t.table(t.key(name), values)
}

// subs returns the elements of an array of tables.
func (t *table) subs(name string) []*table {
	t.known = append(t.known, name)
	var elements []any
	switch raw := t.values[name].(type) {
	case nil:
	case []map[string]any:
		for _, values := range raw {
			elements = append(elements, values)
		}
	case []any: // x = [{…}, 1]
		elements = raw
	default:
		t.fail(t.key(name), fmt.Sprintf("write [[%s]]", t.key(name)), "want an array of tables, not %s", kindOf(raw))
	}
	var tables []*table
	for i, element := range elements {
		path := fmt.Sprintf("%s[%d]", t.key(name), i)
		if values, ok := element.(map[string]any); ok {
			tables = append(tables, t.table(path, values))
		} else {
			t.fail(path, "", "want a table, not %s", kindOf(element))
		}
	}
	return tables
}

// kindOf names the kind of a decoded TOML value.
func kindOf(v any) string {
	switch v.(type) {
	case string:
		return "a string"
	case bool:
		return "true or false"
	case int64:
		return "a whole number"
	case float64:
		return "a number"
	case time.Time:
		return "a date"
	case []any:
		return "an array"
	case []map[string]any:
		return "an array of tables"
	case map[string]any:
		return "a table"
	}
	return fmt.Sprintf("%T", v)
}
