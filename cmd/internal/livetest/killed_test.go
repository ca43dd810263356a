package livetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bailiff/cmd/internal/admin"
	"bailiff/enforce/nft/nfttest"
	"bailiff/ingest/journald/journaltest"
)

// lowCeilings let a few bans through and hold the rest.
const lowCeilings = `
[ceiling]
proven = 4
spoofable = 3
[jail.ssh]
packs = ["sshd"]
canary = ["oracle"]
ban_time = "1h"
[jail.account]
packs = ["sshd"]
group_by = "account"
max_retry = 8
distinct = 4
ban_time = "2h"
[jail.pbx]
packs = ["asterisk"]
ban_time = "1h"
spoofable_ban_time = "30m"
`

// said is a line of a daemon.
type said struct{ tag, line string }

// siege is an attack of every kind among people who log in, in an order that a seed gives.
// Of the same address the lines are in order.
func siege(seed uint64) []said {
	var of [][]said
	ssh := func(addr, account string, n int) (lines []said) {
		for i := range n {
			lines = append(lines, said{"sshd", fmt.Sprintf("Failed password for %s from %s port %d ssh2", account, addr, 40000+i)})
		}
		return lines
	}
	for i := range 30 { // each on an account of its own, so that none is guessed from several
		of = append(of, ssh(fmt.Sprint("198.51.100.", 1+i), fmt.Sprint("user", i), 5))
	}
	for i := range 30 {
		of = append(of, ssh(fmt.Sprint("198.51.100.", 101+i), fmt.Sprint("other", i), 4)) // one too few
	}
	for i := range 5 {
		of = append(of, ssh(fmt.Sprint("198.51.100.", 201+i), "oracle", 1))
	}
	for i := range 24 {
		of = append(of, ssh(fmt.Sprint("203.0.113.", 1+i), fmt.Sprint("boss", i%3), 1))
	}
	for i := range 15 {
		var lines []said
		for range 5 {
			lines = append(lines, said{"asterisk", fmt.Sprintf("NOTICE[7820]: chan_sip.c:29058 in handle_request_register: Registration from '<sip:%d@192.0.2.10>' failed for '203.0.113.%d:5060' - Wrong password", 100+i, 101+i)})
		}
		of = append(of, lines)
	}
	for i := range 10 { // friends, who then mistype their own
		addr, account := fmt.Sprint("192.0.2.", 101+i), fmt.Sprint("friend", i)
		of = append(of, append([]said{{"sshd", fmt.Sprintf("Accepted password for %s from %s port 40000 ssh2", account, addr)}}, ssh(addr, account, 6)...))
	}
	r := rand.New(rand.NewPCG(seed, 3))
	var all []said
	for len(of) > 0 {
		n := r.IntN(len(of))
		all = append(all, of[n][0])
		if of[n] = of[n][1:]; len(of[n]) == 0 {
			of = slices.Delete(of, n, n+1)
		}
	}
	return all
}

// TestKilledUnderCeilings has the same attack twice: on a daemon that is left alone, and on
// one that is killed at random moments and started again. The bans, those that are held for lack
// of room among them, strikes and known accounts are the same in the end: none is lost, and
// none made twice.
func TestKilledUnderCeilings(t *testing.T) {
	nfttest.Need(t)
	var outcome [2][]string
	for n, kills := range []int{0, 12} {
		t.Run(fmt.Sprint(kills, " kills"), func(t *testing.T) { outcome[n] = besiege(t, kills) })
	}
	if t.Failed() {
		return
	}
	if diff := cmp.Diff(outcome[0], outcome[1]); diff != "" {
		t.Errorf("(-left alone +killed):\n%s", diff)
	}
}

func besiege(t *testing.T, kills int) []string {
	nfttest.Fresh(t)
	j := journaltest.Start(t)
	b := newBailiff(t, lowCeilings)
	b.Start()
	voice := map[string]func(string){"sshd": speaker(t, j.Unit("ssh.service")), "asterisk": speakerAs(t, j.Unit("asterisk.service"), "asterisk")}
	lines := siege(7)
	fatal := map[int]bool{}
	for r := rand.New(rand.NewPCG(5, 5)); len(fatal) < kills; {
		fatal[r.IntN(len(lines))] = true
	}
	for n, l := range lines {
		voice[l.tag](l.line)
		if fatal[n] {
			b.Kill()
			b.Start()
		}
	}
	const bans = 30 + 5 + 24 + 15
	var held []admin.Held
	Eventually(t, "all bans to be made or held", func() bool {
		b.JSON(&held, "held")
		return len(b.Bans())+len(held) >= bans
	})
	if len(held) < 10 {
		t.Errorf("only %d bans are held", len(held))
	}
	if kills > 0 { // what is held waits on record
		b.Kill()
		b.Start()
		var after []admin.Held
		b.JSON(&after, "held")
		made := len(b.Bans())
		if len(after)+made < bans {
			t.Errorf("%d were held; after kill -9 %d are, and %d stand", len(held), len(after), made)
		}
	}
	if out, err := b.Command("held", "--release", "--all").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	b.JSON(&held, "held")
	standing := b.Bans()
	if len(held) > 0 || len(standing) != bans {
		t.Errorf("%d bans stand and %d are held, want %d and none", len(standing), len(held), bans)
	}
	var out []string
	for i := range standing {
		ban := &standing[i]
		addr := ban.Prefix.Addr().String()
		var why admin.Why
		b.JSON(&why, "why", addr)
		line := fmt.Sprint(ban.Jail, " ", addr, " strikes ", len(why.Strikes))
		for _, d := range why.Decisions {
			if d.Action == "alarm" {
				continue // each daemon rings its own
			}
			line += fmt.Sprintf(", %s %d of %d attempts for %v, spoofable %v", d.Action, d.Strike, d.Attempts, d.Until.Sub(d.At).Round(time.Second), d.Spoofable)
		}
		if !inKernel(t, addr) {
			line += ", not in the kernel"
		}
		out = append(out, line)
	}
	for _, prefix := range []string{"192.0.2.", "198.51.100."} {
		for i := range 30 {
			var why admin.Why
			addr := fmt.Sprint(prefix, 101+i)
			b.JSON(&why, "why", addr)
			line := fmt.Sprint(addr, " banned ", why.Banned)
			for _, k := range why.Known {
				line += ", knows " + k.Account
			}
			for _, w := range why.Jails {
				line += fmt.Sprint(", ", w.Jail, " ", w.Account, " ", w.Attempts, " ", w.KnownGood)
			}
			out = append(out, line)
		}
	}
	slices.Sort(out)
	if text := strings.Join(out, "\n"); strings.Contains(text, "banned true") || strings.Count(text, ", ban ") != bans || strings.Count(text, "knows friend") != 10 {
		t.Errorf("not what was attacked with:\n%s", text)
	}
	return out
}
