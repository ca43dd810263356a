package admin

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bailiff/decide"
)

// at is the moment of the samples; the tests run in UTC.
var at = time.Date(2026, 11, 23, 10, 21, 7, 0, time.UTC)

func TestMain(m *testing.M) {
	time.Local = time.UTC
	os.Exit(m.Run())
}

func sampleDecision() decide.Decision {
	return decide.Decision{
		ID: "x", Action: decide.Ban, Prefix: netip.MustParsePrefix("203.0.113.9/32"), At: at, Until: at.Add(10 * time.Minute),
		Jail: "sshd", Rule: "sshd/failed-password", Origin: "rules", Strike: 1, Attempts: 5,
		Evidence: []string{"Failed password for root from 203.0.113.9 port 4 ssh2", "Failed password for \x1b[31mx from 203.0.113.9 port 5 ssh2"},
	}
}

func sampleSenders() []Sender {
	slow, fast, none := -220.4, 0.2, 0.0
	var lost, all uint64 = 3, 0
	senders := []Sender{
		{Source: "udp:127.0.0.1:5514", Name: "192.0.2.5", Origin: "192.0.2.5", Trust: "low", Lines: 7, PerMinute: 0.4, Last: at.Add(-time.Minute), Dialects: []string{"rfc3164", "cisco"}, Skew: &slow, Zone: "+02:00", ZoneInferred: true, Year: 2026, ClockJumps: 1},
		{Source: "udp:127.0.0.1:5514", Name: "198.51.100.7", Origin: "office", Named: true, Trust: "high", Lines: 12345, PerMinute: 61.6, Last: at, Dialects: []string{"rfc5424"}, Skew: &fast, Lost: &lost},
		{Source: "udp:127.0.0.1:5514", Name: "198.51.100.8", Origin: "office", Named: true, Trust: "high", Lines: 5, Last: at.Add(-48 * time.Hour), Dialects: []string{"rfc3164"}, Skew: &none, Zone: "-03:30", Lost: &all},
	}
	for range shownSenders {
		senders = append(senders, Sender{Source: "unix", Name: "uid 0", Origin: "uid 0", Trust: "high", Lines: 1, Last: at})
	}
	return append(senders, Sender{Source: "udp:127.0.0.1:5514", Lines: 99, Last: at})
}

func sampleStatus() Status {
	alarm := Decision{At: at, Action: "alarm", Prefix: netip.MustParsePrefix("192.0.2.5/32"), Jail: "sshd", Rule: "sshd/failed-password", Origin: "rules", Reason: "never_ban protects it"}
	return Status{
		Version: "v0.1.0", PID: 812, Started: at.Add(-3*time.Hour - 12*time.Minute), Now: at, Config: "/etc/bailiff/bailiff.toml",
		Sources: []Source{
			{Name: "journald", Part: Part{OK: true}, Counts: []Count{
				{"received", "", 40},
				{"delivered", "", 30},
				{"truncated", "", 2},
				{"refused", "rest of a split line", 10},
				{"lost", "vacuumed", 7},
				{"parsed", "journal", 30},
				{"gaps", "vacuumed", 1},
				{"files", "followed", 3},
				{"unmatched", "", 9},
				{"unmatched", "near miss", 1},
				{"matched", "", 20},
				{"matches", "", 25},
				{"decided", "", 15},
				{"queued", "", 5},
			}},
			{Name: "udp:127.0.0.1:5514", Part: Part{Error: "port in use", Hint: "stop rsyslog"}, Counts: []Count{{"received", "", 4}, {"delivered", "", 1}}, Imbalances: []Imbalance{{"received", "delivered", 3}}},
		},
		Senders:  sampleSenders(),
		Packs:    []Pack{{Name: "sshd", Rules: 12, Matches: 512, Ambiguous: 1, Untrusted: 3, Sample: "Failed \x1b[2J", NearMisses: 2, NearSample: "Failed\x00 new words", Sessions: &Sessions{Live: 6, Unbound: 4, Evicted: 5}}, {Name: "nginx"}},
		Jails:    []Jail{{Name: "sshd", Packs: []string{"sshd"}, Windows: 7, Standing: 2, Bans: 9, Alarms: 1}, {Name: "lab", Packs: []string{"sshd", "asterisk"}, Simulate: true, Unheard: 3, Idle: 8}},
		Rules:    []RuleScore{{"sshd", JailRule{Rule: "sshd/failed-password", Matches: 100, Bans: 9, Lifted: 2}}},
		Store:    Part{OK: false, Detail: "/var/lib/bailiff", Error: "disk full", Hint: "make room", Errors: 2},
		Firewall: Firewall{Part: Part{OK: true, Detail: "table inet bailiff"}, Bans: 2, Packets: 1234, Bytes: 3 << 20, Repairs: 1},
		Queue:    Queue{Length: 1, Capacity: 65536, Dropped: []Count{{"udp:127.0.0.1:5514", "full", 4}}},
		Orders:   []Order{{Kind: Allow}, {Kind: Pause, Jail: "lab"}},
		Alarms:   []Decision{alarm},
		Warnings: []string{"the store is degraded: bans are kept in memory only"},
	}
}

// TestPrint holds every view to its file in testdata; UPDATE=1 writes them.
func TestPrint(t *testing.T) {
	now := at.Add(2 * time.Second)
	d, forever, spent := sampleDecision(), sampleDecision(), sampleDecision()
	forever.Until, forever.Simulated = time.Time{}, true
	spent.Spent = true
	operator := decide.Decision{Prefix: netip.MustParsePrefix("2001:db8::/64"), At: at, Origin: "operator", Reason: "port\u202escan"}
	lift := decide.Decision{Action: decide.Lift, Prefix: d.Prefix, At: at, Jail: "sshd", Rule: d.Rule, Origin: "operator"}
	alarm := decide.Decision{Action: decide.Alarm, At: at, Rule: "sshd/failed-password", Origin: "rules", Reason: "the line has two readings"}
	why, status, jail, empty := sampleWhy(), sampleStatus(), sampleJail(), emptyJail()
	unknown, wide := Why{Prefix: netip.MustParsePrefix("192.0.2.1/32")}, wideWhy()
	views := []struct {
		file  string
		print func(p *Printer) error
	}{
		{"bans", func(p *Printer) error { return p.Bans(sampleBans(), now) }},
		{"bans_none", func(p *Printer) error { return p.Bans(nil, now) }},
		{"banned", func(p *Printer) error { return p.Banned(sampleBans(), now) }},
		{"lifted", func(p *Printer) error { return p.Lifted(sampleBans()) }},
		{"decisions", func(p *Printer) error {
			for _, d := range []*decide.Decision{&d, &forever, &spent, &operator, &lift, &alarm} {
				shown := DecisionOf(d)
				if err := p.Decision(&shown); err != nil {
					return err
				}
			}
			return nil
		}},
		{"why", func(p *Printer) error { return p.Why(&why, now) }},
		{"why_inside", func(p *Printer) error { return p.Why(&wide, now) }},
		{"why_unknown", func(p *Printer) error { return p.Why(&unknown, now) }},
		{"status", func(p *Printer) error { return p.Status(&status) }},
		{"jail", func(p *Printer) error { return p.Jail(&jail, now) }},
		{"jail_empty", func(p *Printer) error { return p.Jail(&empty, now) }},
	}
	for _, v := range views {
		t.Run(v.file, func(t *testing.T) {
			var got bytes.Buffer
			if err := v.print(&Printer{W: &got}); err != nil {
				t.Fatal(err)
			}
			if strings.ContainsAny(got.String(), "\x1b\u202e") {
				t.Errorf("control characters without a terminal: %q", got.String())
			}
			golden := filepath.Join("testdata", v.file+".txt")
			if os.Getenv("UPDATE") != "" {
				if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Error(diff)
			}

			// In colour, the words and their order are the same.
			var painted bytes.Buffer
			if err := v.print(&Printer{W: &painted, Color: true}); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(got.String(), unpaint(painted.String())); diff != "" {
				t.Errorf("colour changed the text: %s", diff)
			}
		})
	}
}

func unpaint(s string) string {
	for _, c := range []color{bold, red, green, yellow, dim, "0"} {
		s = strings.ReplaceAll(s, "\x1b["+string(c)+"m", "")
	}
	return s
}

func TestBrief(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"0s": 0, "250ms": 250 * time.Millisecond, "59s": 59*time.Second + 900*time.Millisecond, "1m": time.Minute,
		"9m58s": 9*time.Minute + 58*time.Second, "1h": time.Hour + 5*time.Second, "1d12h": 36 * time.Hour,
		"5w": 5 * 7 * 24 * time.Hour, "52w1d": 365 * 24 * time.Hour,
	} {
		if got := brief(d); got != want {
			t.Errorf("brief(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestSize(t *testing.T) {
	for want, n := range map[string]uint64{"0 B": 0, "1023 B": 1023, "1.0 KiB": 1024, "3.0 MiB": 3 << 20, "16384.0 PiB": 1<<64 - 1} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %q, want %q", n, got, want)
		}
	}
}
