package config

import (
	"bytes"
	"errors"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"bailiff/decide"
	"bailiff/ingest"
)

var update = flag.Bool("update", false, "rewrite the # want: lines of testdata/bad")

// TestBad loads each bad file, which begins with a line
//
//	# want: LINE: KEY: MESSAGE (hint: HINT)
//
// for every error it must cause, in order. LINE is counted without those lines.
func TestBad(t *testing.T) {
	names, err := filepath.Glob("testdata/bad/*.toml")
	if err != nil || len(names) == 0 {
		t.Fatalf("%v, %v", names, err)
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			for bytes.HasPrefix(text, []byte("# want: ")) {
				var line []byte
				line, text, _ = bytes.Cut(text, []byte("\n"))
				want = append(want, string(line))
			}
			_, err = Parse("f", text)
			var errs Errors
			if !errors.As(err, &errs) {
				t.Fatalf("Parse = %v, want Errors", err)
			}
			var got []string
			for _, e := range errs {
				line := "# want: " + strings.TrimPrefix(e.Error(), "f:")
				if e.Hint() != "" {
					line += " (hint: " + e.Hint() + ")"
				}
				got = append(got, line)
			}
			if *update {
				all := strings.Join(got, "\n") + "\n" + string(text)
				if err := os.WriteFile(name, []byte(all), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("errors (-want +got):\n%s", d)
			}
		})
	}
}

func parseGood(t *testing.T, name string) *Config {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata/good", name))
	if err != nil {
		t.Fatal(err)
	}
	c, err := Parse(name, text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func diff(want, got *Config) string {
	return cmp.Diff(want, got,
		cmpopts.IgnoreFields(Config{}, "File", "lines"),
		cmpopts.IgnoreFields(Journald{}, "path"),
		cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{}, netip.Prefix{}),
		cmp.Comparer(func(a, b *time.Location) bool { return a.String() == b.String() }),
		cmpopts.EquateEmpty())
}

const day = 24 * time.Hour

func TestDefault(t *testing.T) {
	want := &Config{
		StateDir:   "/var/lib/bailiff",
		Socket:     "/run/bailiff/bailiff.sock",
		RulesDir:   "/etc/bailiff/rules.d",
		Journald:   []Journald{{Name: "journald", Enabled: true}},
		Escalation: decide.Escalation{Factor: 2, Max: 35 * day, ForgetAfter: 90 * day},
		BanTime:    10 * time.Minute,
		KnownFor:   30 * day,
		Ceiling:    decide.Ceiling{Proven: 1000, Spoofable: 60, Space4: 8, Space6: 16},
		Syslog: []Syslog{{
			Scheme: "unixgram", Path: "/run/bailiff/log.sock",
			AllowUID: defaultUIDs(), MaxSkew: 5 * time.Second,
		}},
		Units: map[string][]string{},
		Jails: []Jail{
			{Enabled: true, Jail: decide.Jail{
				Name: "others", Packs: []string{Others},
				MaxRetry: 5, MaxChallenges: 30, FindTime: 10 * time.Minute, BanTime: 10 * time.Minute,
				Prefix4: 24, Prefix6: 56, SpoofableBan: 10 * time.Minute, KnownGoodFactor: 4, PromoteAfter: 3, MinTrust: ingest.TrustLow,
			}},
			{Enabled: true, Jail: decide.Jail{
				Name: "pbx", Packs: []string{"asterisk"},
				MaxRetry: 5, MaxChallenges: 30, FindTime: time.Minute, BanTime: 10 * time.Minute,
				Prefix4: 24, Prefix6: 56, SpoofableBan: 10 * time.Minute, KnownGoodFactor: 4, PromoteAfter: 3, MinTrust: ingest.TrustLow,
			}},
			{Enabled: true, Jail: decide.Jail{
				Name: "pbx-slow", Packs: []string{"asterisk"},
				MaxRetry: 20, MaxChallenges: 30, FindTime: 10 * time.Minute, BanTime: 10 * time.Minute,
				Prefix4: 24, Prefix6: 56, SpoofableBan: 10 * time.Minute, KnownGoodFactor: 4, PromoteAfter: 3, MinTrust: ingest.TrustLow,
			}},
			{Enabled: true, Jail: decide.Jail{
				Name: "sshd", Packs: []string{"sshd"},
				MaxRetry: 5, MaxChallenges: 30, FindTime: 10 * time.Minute, BanTime: 10 * time.Minute,
				Prefix4: 24, Prefix6: 56, SpoofableBan: 10 * time.Minute, KnownGoodFactor: 4, PromoteAfter: 3, MinTrust: ingest.TrustLow,
			}},
		},
	}
	if d := diff(want, Default()); d != "" {
		t.Errorf("Default (-want +got):\n%s", d)
	}
	if d := diff(want, parseGood(t, "empty.toml")); d != "" {
		t.Errorf("an empty file (-want +got):\n%s", d)
	}
	if _, err := Default().Resolve([]string{"sshd", "asterisk"}, nil); err != nil {
		t.Error(err)
	}
}

func TestDesign(t *testing.T) {
	want := Default()
	want.NeverBan = NeverBan{
		Prefixes: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")},
		Sets:     []Set{{"inet", "filter", "trusted4"}},
	}
	want.Syslog = []Syslog{
		{
			Scheme: "udp", Addr: netip.MustParseAddrPort("127.0.0.1:5514"),
			AllowUID: []int{0}, MaxSkew: 5 * time.Second,
		},
		{
			Scheme: "udp", Addr: netip.MustParseAddrPort("198.51.100.2:514"),
			AllowFrom: []netip.Prefix{netip.MustParsePrefix("198.51.100.7/32")},
			Wire:      "protected", MaxSkew: 5 * time.Second,
		},
	}
	pbx, slow, sshd := want.Jails[1], want.Jails[2], want.Jails[3]
	want.Jails = []Jail{sshd, pbx, slow} // as in the file
	if d := diff(want, parseGood(t, "design.toml")); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestEverything(t *testing.T) {
	banTime := 8*day + time.Hour + time.Minute + time.Second + time.Millisecond
	prefix := netip.MustParsePrefix
	want := &Config{
		StateDir: "/srv/bailiff", Socket: "/run/b.sock", RulesDir: "/",
		NeverBan: NeverBan{
			Prefixes: []netip.Prefix{
				prefix("192.0.2.1/32"), prefix("2001:db8::/32"), prefix("192.0.2.2/32"),
				prefix("192.0.2.0/28"), prefix("0.0.0.0/0"),
			},
			Sets:  []Set{{"ip6", "table", "set"}},
			Files: []string{"/etc/bailiff/friends"}, Names: []string{"home.example.net"},
		},
		Trunks: NeverBan{Prefixes: []netip.Prefix{prefix("198.51.100.64/28")}, Names: []string{"sip.example.net"}},
		Journald: []Journald{
			{Name: "journald-remote", Dir: "/var/log/journal/remote", Feed: Feed{Packs: []string{"a"}}},
			{Name: "journald-pbx", Enabled: true, Namespace: "pbx"},
			{Name: "here", Enabled: true, Feed: Feed{Trust: new(ingest.TrustNormal)}},
		},
		Origins: []ingest.Origin{
			{Name: "office", From: []netip.Prefix{prefix("198.51.100.0/24"), prefix("2001:db8::7/128")}, Trust: new(ingest.TrustLow)},
			{Name: "pbx", From: []netip.Prefix{prefix("198.51.100.7/32")}, Certificates: []string{"pbx.example.com"}, Hosts: []string{"pbx"}, Zone: time.UTC, SilentAfter: time.Hour},
		},
		Syslog: []Syslog{
			{
				Scheme: "tcp", Addr: netip.MustParseAddrPort("[2001:db8::1]:601"),
				AllowFrom: []netip.Prefix{prefix("2001:db8::/64")}, MaxSkew: time.Minute,
			},
			{
				Scheme: "udp", Addr: netip.MustParseAddrPort("0.0.0.0:514"), Wire: "open",
				Identifier: "audiocodes", Feed: Feed{Packs: []string{"a", "b"}, Trust: new(ingest.TrustNormal)},
				AllowFrom: []netip.Prefix{prefix("0.0.0.0/0")}, MaxSkew: 5 * time.Second,
			},
			{
				Name: "local", Scheme: "unixgram", Path: "/run/b/log", AllowUID: []int{0, 12345},
				MaxSkew: 5 * time.Second,
			},
		},
		Files: []File{
			{
				Name: "pbx", Paths: []string{"/var/log/asterisk/security_log*", "/var/log/*/full"},
				Format: "message", Identifier: "asterisk", FromStart: true,
			},
			{Name: "/var/log/auth.log", Paths: []string{"/var/log/auth.log"}, Format: "auto"},
		},
		Pipes: []Pipe{{Feed: Feed{Packs: []string{"a"}, Trust: new(ingest.TrustLow)}, Name: "rsyslog", Path: "/run/b/log.fifo", Format: "ndjson", Identifier: "asterisk"}},
		Escalation: decide.Escalation{
			Factor: 3, Max: Forever, Jitter: 10 * time.Second, ForgetAfter: Forever, Overall: true,
			Decay: 30 * day, ForeverAfter: 9, Multipliers: []float64{1, 2.5},
		},
		Ceiling: decide.Ceiling{Proven: 0, Spoofable: 5, Space4: 12, Space6: 32},
		BanTime: banTime, KnownFor: 7 * day,
		Jails: []Jail{
			{Jail: decide.Jail{
				Name: "z", Packs: []string{"a", "b"}, MaxRetry: 3, MaxChallenges: 30, FindTime: 10 * time.Minute, BanTime: Forever,
				Ports:   []decide.Port{{Proto: "tcp", Port: 22}, {Proto: "udp", Port: 5060}},
				Verdict: decide.Reject, Simulate: true, Prefix4: 24, Prefix6: 56,
				Spoofable: decide.SpoofableFull, SpoofableBan: time.Minute, Sources: []string{"office", "udp://0.0.0.0:514"}, MinTrust: ingest.TrustHigh, KnownGoodFactor: 2, RepeatMaxRetry: 2, Promote4: true, Distinct: 2, Canaries: []string{"1000", "admin"},
			}},
			{Enabled: true, Jail: decide.Jail{
				Name: "A_1", Packs: []string{"c"},
				MaxRetry: 3, MaxChallenges: 7, FindTime: time.Hour, BanTime: banTime,
				GroupBy: decide.ByPrefix, Prefix4: 16, Prefix6: 48, SpoofableBan: time.Minute, KnownGoodFactor: 1, PromoteAfter: 3, MinTrust: ingest.TrustLow,
			}},
		},
	}
	if d := diff(want, parseGood(t, "everything.toml")); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestListen(t *testing.T) {
	var got []string
	for _, l := range parseGood(t, "everything.toml").Syslog {
		got = append(got, l.Listen())
	}
	want := []string{"tcp://[2001:db8::1]:601", "udp://0.0.0.0:514", "unixgram:///run/b/log"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// TestExample holds the example of the documentation to what it claims: it shows
// the built-in configuration, and with its examples switched on it loads too.
func TestExample(t *testing.T) {
	text, err := os.ReadFile("../docs/bailiff.toml")
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse("bailiff.toml", text)
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	others, pbx, slow, sshd := want.Jails[0], want.Jails[1], want.Jails[2], want.Jails[3]
	want.Jails = []Jail{sshd, pbx, slow, others}
	if d := diff(want, got); d != "" {
		t.Errorf("(-built-in +example):\n%s", d)
	}

	// What is commented out is a key, a table, or an element of never_ban.
	uncomment := regexp.MustCompile(`(?m)^( *)# ("|\[\[|\[pack|\[jail|\[origin|[a-z_0-9]+ +?=)`)
	all := uncomment.ReplaceAllString(string(text), "$1$2")
	all = strings.ReplaceAll(all, "\nrules_dir", "\n# rules_dir") // need not exist here
	all = strings.ReplaceAll(all, `"root", "syslog"`, `"root"`)   // nor this user
	all = strings.ReplaceAll(all, "/etc/bailiff/tls", certificates(t))
	got, err = Parse("all of bailiff.toml", []byte(all))
	if err != nil {
		t.Fatalf("%v\n%s", err, all)
	}
	if len(got.Syslog) != 5 || len(got.Files) != 1 || len(got.NeverBan.Prefixes) != 2 || len(got.NeverBan.Sets) != 1 || len(got.Jails[2].Ports) != 2 || len(got.Units["asterisk"]) != 1 {
		t.Errorf("not everything was switched on: %+v", got)
	}
}

// TestEveryKeyIsDocumented takes the keys from the errors that list them.
func TestEveryKeyIsDocumented(t *testing.T) {
	doc, err := os.ReadFile("../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile("../docs/bailiff.toml")
	if err != nil {
		t.Fatal(err)
	}
	const unknown = "qqqqqqqqqqqqqq = 1\n"
	_, err = Parse("f", []byte(unknown+"[source]\n"+unknown+"[source.journald]\n"+unknown+
		"[[source.syslog]]\n"+unknown+"[defaults]\n"+unknown+"[escalation]\n"+unknown+"[origin.x]\n"+unknown+"[jail.x]\n"+unknown))
	var errs Errors
	if !errors.As(err, &errs) {
		t.Fatal(err)
	}
	tables := 0
	for _, e := range errs {
		keys, ok := strings.CutPrefix(e.Hint(), "the keys are: ")
		if !ok {
			continue
		}
		tables++
		for key := range strings.SplitSeq(keys, ", ") {
			if !strings.Contains(string(doc), "`"+key+"`") && !strings.Contains(string(doc), key+"]") &&
				!strings.Contains(string(doc), "["+key+".") {
				t.Errorf("%s: configuration.md does not speak of %s", e.Key, key)
			}
			if !strings.Contains(string(example), key) && key != "dir" && key != "max_skew" {
				t.Errorf("%s: bailiff.toml does not show %s", e.Key, key)
			}
		}
	}
	if tables != 8 {
		t.Errorf("%d tables list their keys, want 8:\n%v", tables, err)
	}
}
