package livetest

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"bailiff/enforce/nft/nfttest"
	"bailiff/ingest/journald/journaltest"
)

// TestNameOfBlanks has an attacker take a name that imitates the rest of a line of
// sshd and is blank from there on. sshd makes five bytes of each byte that is not ASCII
// and cuts the line within the blanks, journald takes them off, and what is left is a
// whole line about a victim.
func TestNameOfBlanks(t *testing.T) {
	nfttest.Need(t)
	nfttest.Fresh(t)
	const server, victim = "192.0.2.10", "192.0.2.77"
	nfttest.Address(t, server+"/24")
	attacker := nfttest.NewHost(t, "attacker", "198.51.100.66")
	other := nfttest.NewHost(t, "other", "198.51.100.67")
	j := journaltest.Start(t)
	sshd := startSSHD(t, j)
	b := newBailiff(t, "never_ban = [\"198.51.100.66\"]\n"+jailSSH)
	b.Start()

	const letters = 43 // é; packet.c gives the name 200 bytes, log.c the line 500
	imitation := " " + victim + " port 22 [preauth]"
	for range 6 {
		cmd := sshd.client(attacker, server, "PreferredAuthentications=none")
		to := slices.Index(cmd.Args, "root@"+server)
		cmd.Args = append(cmd.Args[:to], "-l", strings.Repeat("é", letters)+imitation+strings.Repeat(" ", 100), server)
		if out, err := cmd.CombinedOutput(); err == nil {
			t.Fatalf("somebody came in: %s", out)
		}
	}
	whole := "Connection closed by invalid user " + strings.Repeat(`\\303\\251`, letters) + imitation
	Eventually(t, "the lines about the victim", func() bool {
		j.Sync()
		out, err := exec.Command("journalctl", "-q", "-D", j.Dir, "-o", "cat", "SYSLOG_IDENTIFIER=sshd").Output()
		return err == nil && strings.Count("\n"+string(out), "\n"+whole+"\n") == 6
	})
	sshd.guess(other, server, 6) // behind those lines
	b.AwaitBan("198.51.100.67/32")
	if ban, ok := b.Banned(victim + "/32"); ok {
		t.Errorf("the attacker had the victim banned: %+v", ban)
	}
}
