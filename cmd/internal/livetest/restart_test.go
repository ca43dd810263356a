package livetest

import (
	"bufio"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"

	"bailiff/cmd/internal/admin"
	"bailiff/enforce/nft/nfttest"
	"bailiff/ingest/journald/journaltest"
)

func refusal(addr string) string {
	return "<86>Nov 23 10:11:12 pbx sshd[7]: Failed password for root from " + addr + " port 4 ssh2"
}

func repeat(line string, n int) []string {
	lines := make([]string, n)
	for i := range lines {
		lines[i] = line
	}
	return lines
}

// inKernel says whether the kernel holds a ban of the address, whoever runs.
func inKernel(t *testing.T, addr string) bool {
	t.Helper()
	return strings.Contains(nfttest.NFT(t, "list", "table", "inet", "bailiff"), addr)
}

const shortBans = pbxListeners + `
[escalation]
factor = 3
[jail.sshd]
packs = ["sshd"]
ban_time = "2s"
`

// TestSecondOffenceIsLonger restarts bailiff between two offences: the ladder
// goes on where it was.
func TestSecondOffenceIsLonger(t *testing.T) {
	nfttest.Need(t)
	nfttest.Fresh(t)
	nfttest.Address(t, ourAddress)
	pbx := nfttest.NewHost(t, "pbx", pbxAddress)
	b := newBailiff(t, shortBans)
	b.Start()
	const addr = "198.51.100.5"
	for strike, sentence := range []time.Duration{2 * time.Second, 6 * time.Second, 18 * time.Second} {
		send(t, pbx, ourAddress+":514", repeat(refusal(addr), 5)...)
		ban := b.AwaitBan(addr + "/32")
		if ban.Strike != strike+1 || ban.Until.Sub(ban.Since) != sentence {
			t.Fatalf("ban %d is strike %d for %v, want %v", strike+1, ban.Strike, ban.Until.Sub(ban.Since), sentence)
		}
		if strike == 2 {
			break
		}
		b.Stop()
		Eventually(t, "the kernel to end the ban by itself", func() bool { return !inKernel(t, addr) })
		b.Start()
		if _, ok := b.Banned(addr + "/32"); ok {
			t.Fatal("a ban that ended while bailiff was down is back")
		}
	}
}

// TestBansEndWithoutBailiff kills bailiff: its bans stand, and end on time.
func TestBansEndWithoutBailiff(t *testing.T) {
	nfttest.Need(t)
	nfttest.Fresh(t)
	nfttest.Address(t, ourAddress)
	pbx := nfttest.NewHost(t, "pbx", pbxAddress)
	b := newBailiff(t, shortBans)
	b.Start()
	const addr = "198.51.100.6"
	send(t, pbx, ourAddress+":514", repeat(refusal(addr), 5)...)
	ban := b.AwaitBan(addr + "/32")
	b.Kill()
	if !inKernel(t, addr) {
		t.Fatal("the ban died with bailiff")
	}
	Eventually(t, "the kernel to end the ban by itself", func() bool { return !inKernel(t, addr) })
	if now := time.Now(); now.Before(ban.Until.Add(-time.Second)) {
		t.Errorf("the ban ended at %v, want not before %v", now, *ban.Until)
	}
}

// TestForeignFlushIsRepaired lets somebody else flush the ruleset.
func TestForeignFlushIsRepaired(t *testing.T) {
	nfttest.Need(t)
	nfttest.Fresh(t)
	nfttest.Address(t, ourAddress)
	pbx := nfttest.NewHost(t, "pbx", pbxAddress)
	b := newBailiff(t, pbxListeners+jailSSH)
	b.Start()
	const addr = "198.51.100.7"
	send(t, pbx, ourAddress+":514", repeat(refusal(addr), 5)...)
	b.AwaitBan(addr + "/32")
	nfttest.NFT(t, "flush", "ruleset")
	Eventually(t, "the ban to be back", func() bool {
		out, _ := exec.Command("nft", "list", "ruleset").Output()
		return strings.Contains(string(out), addr)
	})
	if n := b.Status().Firewall.Repairs; n == 0 {
		t.Error("status counts no repair")
	}
}

// TestKilledInTheMiddle kills bailiff again and again while sshd's unit writes
// to the journal. Every address is written about four or five times; afterwards
// those with five are banned, once, and those with four stand at four: no line
// was missed and none counted twice.
func TestKilledInTheMiddle(t *testing.T) {
	nfttest.Need(t)
	nfttest.Fresh(t)
	j := journaltest.Start(t)
	b := newBailiff(t, jailSSH)
	b.Start()

	const addrs, kills = 100, 8
	var lines []string
	for round := 1; round <= 5; round++ {
		for i := 1; i <= addrs; i++ {
			if round < 5 || i%2 == 0 {
				lines = append(lines, fmt.Sprintf("Failed password for root from 198.51.100.%d port %d ssh2", i, 40000+round))
			}
		}
	}
	say := speaker(t, j.Unit("ssh.service"))
	for i, line := range lines {
		say(line)
		if i%(len(lines)/kills) == len(lines)/kills-1 {
			b.Kill()
			b.Start()
		}
	}
	Eventually(t, "all bans", func() bool { return len(b.Bans()) >= addrs/2 })
	for i := 1; i <= addrs; i++ {
		addr := fmt.Sprintf("198.51.100.%d", i)
		var why admin.Why
		b.JSON(&why, "why", addr)
		if i%2 == 0 {
			if !why.Banned || len(why.Decisions) != 1 || why.Decisions[0].Strike != 1 || why.Decisions[0].Attempts != 5 {
				t.Errorf("%s: %+v, want one ban for five attempts", addr, why)
			}
			if !inKernel(t, addr) {
				t.Errorf("%s is not in the kernel", addr)
			}
			continue
		}
		if why.Banned || len(why.Jails) != 1 || why.Jails[0].Attempts != 4 {
			t.Errorf("%s: %+v, want four attempts and no ban", addr, why)
		}
	}
}

// speaker returns a function that writes one line to the journal as the unit
// of sshd does, and has it in the journal when it returns.
func speaker(t testing.TB, unit journaltest.Unit) func(line string) {
	t.Helper()
	return speakerAs(t, unit, "sshd")
}

func speakerAs(t testing.TB, unit journaltest.Unit, tag string) func(line string) {
	t.Helper()
	// One process, so that journald has its unit at hand for every line; logger
	// sends each line as soon as it has read it.
	cmd := exec.Command("logger", "-t", tag, "--socket-errors=on")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := unit.Start(cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); _ = cmd.Wait() })
	w := bufio.NewWriter(in)
	return func(line string) {
		t.Helper()
		if _, err := io.WriteString(w, line+"\n"); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
	}
}
