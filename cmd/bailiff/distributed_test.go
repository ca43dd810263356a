package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// diary is a log of sshd, of the past: no machine takes it for the future.
type diary struct {
	bytes.Buffer
	at time.Time
}

func newDiary() *diary { return &diary{at: time.Date(2025, 11, 20, 0, 0, 0, 0, time.UTC)} }

func (d *diary) write(pause time.Duration, message string) {
	d.at = d.at.Add(pause)
	fmt.Fprintf(d, "<38>1 %s vm sshd 1 - - %s\n", d.at.Format(time.RFC3339), message)
}

func (d *diary) fails(pause time.Duration, account, addr string) {
	d.write(pause, "Failed password for "+account+" from "+addr+" port 40001 ssh2")
}

func (d *diary) logsIn(pause time.Duration, account, addr string) {
	d.write(pause, "Accepted password for "+account+" from "+addr+" port 40001 ssh2")
}

// TestDistributedAttacks runs the examples of docs/decisions.md on the attacks that
// the page describes, and on the people whom they must leave alone.
func TestDistributedAttacks(t *testing.T) {
	page, err := os.ReadFile("../../docs/decisions.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	bin := filepath.Join(dir, "bailiff")
	if out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	files := map[string]bool{}
	for _, block := range regexp.MustCompile("(?ms)^```toml ([\\w.]+)\n(.*?)^```").FindAllStringSubmatch(string(page), -1) {
		files[block[1]] = true
		if err := os.WriteFile(filepath.Join(dir, block[1]), []byte(block[2]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	everywhere := func(n int) string { return fmt.Sprintf("198.51.%d.9", n) }
	for _, tt := range []struct {
		name, file string
		write      func(d *diary)
		want       []string // prefixes and jails, in the order of the bans
	}{
		{"one account from twelve addresses", "account.toml", func(d *diary) {
			for i := range 12 {
				d.fails(time.Minute, "root", everywhere(i))
			}
		}, numbered(12, func(i int) string { return everywhere(i) + "/32 account" })},
		{"one account from eleven addresses", "account.toml", func(d *diary) {
			for i := range 11 {
				d.fails(time.Minute, "root", everywhere(i))
			}
		}, nil},
		{"a forgotten password", "account.toml", func(d *diary) {
			for range 20 {
				d.fails(time.Minute, "root", "192.0.2.7")
			}
		}, nil},
		{"the owner mistypes meanwhile", "account.toml", func(d *diary) {
			d.logsIn(time.Hour, "alice", "192.0.2.7")
			for i := range 12 {
				d.fails(time.Minute, "alice", everywhere(i))
				d.fails(time.Second, "alice", "192.0.2.7")
			}
		}, numbered(12, func(i int) string { return everywhere(i) + "/32 account" })},
		{"a second round", "account.toml", func(d *diary) {
			for i := range 24 {
				d.fails(time.Minute, "root", everywhere(i))
			}
		}, numbered(24, func(i int) string { return everywhere(i) + "/32 account" })},
		{"a network in which each tries another account", "network.toml", func(d *diary) {
			for i := range 15 {
				d.fails(time.Minute, fmt.Sprint("user", i), fmt.Sprintf("203.0.113.%d", i))
			}
		}, []string{"203.0.113.0/24 network"}},
		{"the same from an IPv6 network", "network.toml", func(d *diary) {
			for i := range 15 {
				d.fails(time.Minute, fmt.Sprint("user", i), fmt.Sprintf("2001:db8:0:1%02x::1", i))
			}
		}, []string{"2001:db8:0:100::/56 network"}},
		{"an office behind one address", "network.toml", func(d *diary) {
			for i := range 40 {
				d.fails(time.Minute, fmt.Sprint("user", i%9), "203.0.113.4")
			}
		}, nil},
		{"a guess each quarter of an hour", "slow.toml", func(d *diary) {
			for range 96 {
				d.fails(15*time.Minute, "root", "198.51.100.9")
			}
		}, []string{"198.51.100.9/32 sshd-slow"}},
		{"three mistakes each morning", "slow.toml", func(d *diary) {
			for range 14 {
				d.fails(24*time.Hour, "bob", "192.0.2.7")
				d.fails(time.Second, "bob", "192.0.2.7")
				d.fails(time.Second, "bob", "192.0.2.7")
			}
		}, nil},
		{"one password on every account", "spraying.toml", func(d *diary) {
			for i := range 9 {
				d.fails(20*time.Minute, fmt.Sprint("user", i), "198.51.100.9")
			}
		}, []string{"198.51.100.9/32 spraying"}},
		{"one account, twenty mistakes", "spraying.toml", func(d *diary) {
			for range 20 {
				d.fails(10*time.Minute, "bob", "192.0.2.7")
			}
		}, nil},
		{"an office where people logged in before", "spraying.toml", func(d *diary) {
			for i := range 9 {
				d.logsIn(time.Minute, fmt.Sprint("user", i), "192.0.2.7")
			}
			for i := range 9 {
				d.fails(time.Hour, fmt.Sprint("user", i), "192.0.2.7")
			}
		}, nil},
		{"everybody, everywhere, once", "account.toml", func(d *diary) {
			for i := range 200 {
				d.fails(time.Minute, fmt.Sprint("user", i), everywhere(i))
			}
		}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if !files[tt.file] {
				t.Fatalf("the page has no file %s", tt.file)
			}
			d := newDiary()
			tt.write(d)
			cmd := exec.Command(bin, "replay", "--json", "--config", filepath.Join(dir, tt.file), "-")
			cmd.Stdin = &d.Buffer
			out, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for line := range strings.Lines(string(out)) {
				var ban struct {
					Prefix netip.Prefix `json:"prefix"`
					Jail   string       `json:"jail"`
				}
				if err := json.Unmarshal([]byte(line), &ban); err != nil {
					t.Fatal(err)
				}
				got = append(got, ban.Prefix.String()+" "+ban.Jail)
			}
			slices.Sort(got)
			slices.Sort(tt.want)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	if len(files) != 4 {
		t.Errorf("the page has the files %v", files)
	}
}

func numbered(n int, name func(int) string) []string {
	var out []string
	for i := range n {
		out = append(out, name(i))
	}
	return out
}
