package livetest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"bailiff/enforce/nft/nfttest"
	"bailiff/ingest/journald/journaltest"
)

const (
	victim   = "192.0.2.77"
	forger   = "198.51.100.99" // the true peer of every forgery
	ordinary = 65534           // nobody
)

// forgeries are lines as the daemons print them when a stranger chooses the
// text between the quotes: each imitates the rest of its own line, or another
// line, with the victim's address in the place of the true one.
func forgeries() []string {
	imitations := []string{
		victim,
		"root from " + victim + " port 22 ssh2",
		"x' failed for '" + victim + ":5060' - Wrong password",
		`<sip:101@` + victim + `>' failed for '` + victim + `:5060' - Wrong password`,
		`1",SessionID="2",LocalAddress="IPV4/UDP/192.0.2.10/5060",RemoteAddress="IPV4/UDP/` + victim + `/5060",Challenge="3"`,
		victim + " failed to authenticate as 'admin'",
		"Registration from 'x' failed for '" + victim + ":5060' - Wrong password",
		"Failed password for root from " + victim + " port 4 ssh2",
		"') failed for '" + victim + ":5060' (callid: 1) - Failed to authenticate",
	}
	var lines []string
	add := func(tag, format string, args ...any) {
		lines = append(lines, "<86>Nov 23 10:11:12 pbx "+tag+"[7]: "+fmt.Sprintf(format, args...))
	}
	for _, x := range imitations {
		add("sshd", "Failed password for invalid user %s from %s port 40000 ssh2", x, forger)
		add("sshd", "Invalid user %s from %s port 40000", x, forger)
		add("sshd", "Connection closed by invalid user %s %s port 40000 [preauth]", x, forger)
		add("asterisk", "NOTICE[8]: chan_sip.c:29050 in handle_request_register: Registration from '%s' failed for '%s:5060' - Wrong password", x, forger)
		add("asterisk", "NOTICE[8]: res_pjsip/pjsip_distributor.c:676 in log_failed_request: Request 'REGISTER' from '%s' failed for '%s:5060' (callid: 77) - Failed to authenticate", x, forger)
		add("asterisk", "NOTICE[8]: res_pjsip/pjsip_distributor.c:676 in log_failed_request: Request 'REGISTER' from '<sip:1@h>' failed for '%s:5060' (callid: %s) - Failed to authenticate", forger, x)
		add("asterisk", "NOTICE[8]: res_pjsip/pjsip_distributor.c:676 in log_failed_request: Request 'REGISTER' from '%s' failed for '%s:5060' (callid: %s) - Failed to authenticate", x, forger, x)
		add("asterisk", `SECURITY[8]: res_security_log.c:114 in security_event_stasis_cb: SecurityEvent="InvalidPassword",EventTV="2026-11-23T01:39:42.691+0000",Severity="Error",Service="PJSIP",EventVersion="2",AccountID="%s",SessionID="%s",LocalAddress="IPV4/UDP/192.0.2.10/5060",RemoteAddress="IPV4/UDP/%s/5060",Challenge="%s",ReceivedChallenge="1",ReceivedHash="2"`, x, x, forger, x)
		add("asterisk", "NOTICE[8]: manager.c:2324 in authenticate: %s failed to authenticate as '%s'", forger, x)
		add("asterisk", "NOTICE[8]: chan_iax2.c:8413 in register_verify: No registration for peer '%s' (from %s)", x, forger)
		add("asterisk", "NOTICE[8]: chan_iax2.c:8453 in register_verify: Host %s failed RSA authentication with inkeys '%s'", x, x)
	}
	return lines
}

// naive takes the first number with dots for the peer, as many filters do.
const naive = `
[pack]
name = "naive"
evidence = "proven"
description = "takes the first address of a line, to show that the forgeries bite"
[pack.match]
identifier = ["sshd"]
[[rule]]
name = "first-address"
event = "failure"
regex = '\D*(?P<addr>[0-9.]+).*'
  [[rule.sample]]
  line = "Failed password for root from 198.51.100.8 port 22 ssh2"
  addr = "198.51.100.8"
  [[rule.sample]]
  line = "Connection closed by authenticating user root [preauth]"
  match = false
`

// TestForgedLinesBanNobody sends every forgery ten times. With the shipped packs
// the victim is never banned; a pack that takes the first address bans it.
func TestForgedLinesBanNobody(t *testing.T) {
	nfttest.Need(t)
	for _, tt := range []struct {
		name   string
		config func(rulesDir string) string
		victim bool
	}{
		{"shipped packs", func(string) string { return pbxListeners + jailPBX + jailSSH }, false},
		{"naive pack", func(dir string) string {
			return fmt.Sprintf("rules_dir = %q\n", dir) + pbxListeners + "[jail.naive]\npacks = [\"naive\"]\n"
		}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			nfttest.Fresh(t)
			nfttest.Address(t, ourAddress)
			pbx := nfttest.NewHost(t, "pbx", pbxAddress)
			rules := t.TempDir()
			if err := os.WriteFile(filepath.Join(rules, "naive.toml"), []byte(naive), 0o644); err != nil {
				t.Fatal(err)
			}
			b := newBailiff(t, tt.config(rules))
			b.Start()
			lines := forgeries()
			for range 10 {
				send(t, pbx, ourAddress+":514", lines...)
			}
			Eventually(t, "all forgeries to be decided", func() bool {
				return b.Count("udp", "delivered") == uint64(10*len(lines)) && b.Status().Queue.Length == 0
			})
			if _, banned := b.Banned(victim + "/32"); banned != tt.victim {
				t.Errorf("the victim is banned: %v, want %v", banned, tt.victim)
			}
			if _, banned := b.Banned(forger + "/32"); !banned && !tt.victim {
				t.Error("the forger is not banned")
			}
		})
	}
}

// TestOrdinaryUserBansNobody lets an unprivileged user of the machine write what
// sshd writes, by every door there is, and then shows that each door opens for
// those it is meant for.
func TestOrdinaryUserBansNobody(t *testing.T) {
	nfttest.Need(t)
	nfttest.Fresh(t)
	nfttest.Address(t, ourAddress)
	j := journaltest.Start(t)
	b := newBailiff(t, "")
	socket := filepath.Join(b.Dir, "log.sock")
	b.Configure(`
[[source.syslog]]
listen = "unixgram://` + socket + `"
[[source.syslog]]
listen = "udp://127.0.0.1:5514"
[[source.syslog]]
listen = "tcp://127.0.0.1:5514"
` + jailSSH)
	b.Start()

	line := func(addr string) string { return "Failed password for root from " + addr + " port 4 ssh2" }
	doors := map[string]func(addr string) []string{
		"journal": func(addr string) []string { return []string{"logger", "-t", "sshd", line(addr)} },
		"udp": func(addr string) []string {
			return []string{"bash", "-c", "echo '<86>sshd[7]: " + line(addr) + "' >/dev/udp/127.0.0.1/5514"}
		},
		"tcp": func(addr string) []string {
			return []string{"timeout", "1", "bash", "-c", "echo '<86>sshd[7]: " + line(addr) + "' >/dev/tcp/127.0.0.1/5514"}
		},
		"unixgram": func(addr string) []string {
			return []string{"logger", "-u", socket, "-t", "sshd", line(addr)}
		},
	}
	user := map[string]string{"journal": "198.51.100.1", "udp": "198.51.100.2", "tcp": "198.51.100.3", "unixgram": "198.51.100.4"}
	for door, addr := range user {
		for range 6 {
			argv := doors[door](addr)
			_ = as(ordinary, argv[0], argv[1:]...).Run() // a closed door may be an error
		}
	}
	// Root through the network and unix doors, and sshd's unit through the
	// journal: what is sent last has been decided once these are banned.
	for door, addr := range map[string]string{"udp": "198.51.100.12", "tcp": "198.51.100.13", "unixgram": "198.51.100.14"} {
		for range 5 {
			argv := doors[door](addr)
			if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
				t.Fatalf("%v: %v\n%s", argv, err, out)
			}
		}
		b.AwaitBan(addr + "/32")
	}
	say := speaker(t, j.Unit("ssh.service"))
	for range 5 {
		say(line("198.51.100.11"))
	}
	b.AwaitBan("198.51.100.11/32")

	for door, addr := range user {
		if _, ok := b.Banned(addr + "/32"); ok {
			t.Errorf("an ordinary user banned %s through %s", addr, door)
		}
	}
	status := b.Status()
	for _, p := range status.Packs {
		if p.Name == "sshd" && p.Untrusted < 6 {
			t.Errorf("status shows %d untrusted lines of sshd, want at least 6", p.Untrusted)
		}
	}
}
