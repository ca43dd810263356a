package rules_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"bailiff/rules"
)

const (
	attacker = "198.51.100.66"
	victim   = "192.0.2.77"
)

// format is one line of a daemon: \x01 stands where the daemon writes the
// address, \x02 and \x03 where the client's text goes.
type format struct {
	pack, tag string
	line      string
	// loses says that an imitation may leave the line without a reading or
	// ambiguous, because the client writes on both sides of the address.
	loses bool
}

// The formats are those of the daemons' sources; the packs name file and
// function of each.
var formats = func() []format {
	var out []format
	for _, line := range []string{
		"Failed password for \x02 from \x01 port 40022 ssh2",
		"Failed password for invalid user \x02 from \x01 port 40022 ssh2",
		"Failed none for invalid user \x02 from \x01 port 40022 ssh2",
		"Failed keyboard-interactive/pam for invalid user \x02 from \x01 port 40022 ssh2",
		"error: PAM: Authentication failure for illegal user \x02 from \x01",
		"error: PAM: User not known to the underlying authentication module for illegal user \x02 from \x01",
		"pam_sss(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=\x01 user=\x02",
		"Invalid user \x02 from \x01 port 40022",
		"Invalid user \x02 from \x01",
		"Connection closed by invalid user \x02 \x01 port 40022 [preauth]",
		"Connection reset by invalid user \x02 \x01 port 40022 [preauth]",
		"Disconnected from invalid user \x02 \x01 port 40022 [preauth]",
		"Connection from invalid user \x02 \x01 port 40022 timed out [preauth]",
		"error: maximum authentication attempts exceeded for invalid user \x02 from \x01 port 40022 ssh2 [preauth]",
		"error: maximum authentication attempts exceeded for invalid user \x02 from \x01 port 40022 ssh2",
		"administratively prohibited connection for invalid user \x02 from \x01 port 40022",
		"Received disconnect from \x01 port 40022:11: \x02 [preauth]",
		"Unable to negotiate with \x01 port 40022: no matching cipher found. Their offer: \x02 [preauth]",
		"scanned from \x01 port 40022 with \x02.  Don't panic.",
	} {
		out = append(out, format{"sshd", "sshd", line, false})
	}
	for _, line := range []string{
		"Disconnecting invalid user \x02 \x01 port 40022: Too many authentication failures [preauth]",
		"Disconnecting invalid user \x02 \x01 port 40022: Packet corrupt [preauth]",
		"Disconnecting invalid user \x02 \x01 port 40022: Change of username or service not allowed: (\x02,ssh-connection) -> (\x03 [preauth]",
		"Accepted publickey for alice from \x01 port 40022 ssh2: ED25519-CERT SHA256:AA ID \x02 (serial 0) CA ED25519 SHA256:BB",
	} {
		out = append(out, format{"sshd", "sshd", line, true})
	}
	for _, l := range []struct {
		level, file, function, message string
		loses                          bool
	}{
		{"NOTICE", "chan_sip.c", "handle_request_register", "Registration from '\x02' failed for '\x01:5060' - Wrong password", false},
		{"NOTICE", "chan_sip.c", "handle_request_register", "Registration from '\x02' failed for '\x01:5060' - No matching peer found", false},
		{"NOTICE", "chan_sip.c", "handle_request_register", "Registration from '\x02' failed for '\x01:5060' - Device does not match ACL", false},
		{"NOTICE", "chan_sip.c", "handle_request_invite", "Call from '' (\x01:5060) to extension '\x02' rejected because extension not found in context 'public'.", true},
		{"NOTICE", "chan_sip.c", "handle_request_invite", "Call from '\x03' (\x01:5060) to extension '\x02' rejected because extension not found in context 'public'.", true},
		{"NOTICE", "res_pjsip/pjsip_distributor.c", "log_failed_request", "Request 'REGISTER' from '\x02' failed for '\x01:5060' (callid: \x03) - Failed to authenticate", true},
		{"NOTICE", "res_pjsip/pjsip_distributor.c", "log_failed_request", "Request 'REGISTER' from '\x02' failed for '\x01:5060' (callid: \x03) - No matching endpoint found", true},
		{"NOTICE", "res_pjsip/pjsip_distributor.c", "log_failed_request", "Request 'INVITE' from '\x02' failed for '\x01:5060' (callid: \x03) - No matching endpoint found after 5 tries in 1.000 ms", true},
		{"NOTICE", "res_pjsip/pjsip_distributor.c", "log_failed_request", "Request 'INVITE' from '\x02' failed for '\x01:5060' (callid: \x03) - Not match Endpoint ACL", true},
		{"NOTICE", "res_pjsip_session.c", "new_invite", " anonymous: Call (UDP:\x01:5060) to extension '\x02' rejected because extension not found in context 'public'.", false},
		{"NOTICE", "manager.c", "authenticate", "\x01 failed to authenticate as '\x02'", false},
		{"NOTICE", "manager.c", "authenticate", "\x01 tried to authenticate with nonexistent user '\x02'", false},
		{"NOTICE", "chan_iax2.c", "register_verify", "No registration for peer '\x02' (from \x01)", false},
		{"NOTICE", "chan_iax2.c", "register_verify", "Peer '\x02' is not dynamic (from \x01)", false},
		{"NOTICE", "chan_iax2.c", "socket_process_helper", "Host \x01:4569 failed to authenticate as \x02", true},
		{"NOTICE", "chan_iax2.c", "socket_process_helper", "Rejected connect attempt from \x01:4569, who was trying to reach '\x02@\x03'", false},
		{"SECURITY", "res_security_log.c", "security_event_stasis_cb", event("InvalidPassword", "SIP") + `,Challenge="1e5e0f60",ReceivedChallenge="` + "\x03" + `",ReceivedHash="` + "\x03" + `"`, true},
		{"SECURITY", "res_security_log.c", "security_event_stasis_cb", event("ChallengeResponseFailed", "SIP") + `,Challenge="1e5e0f60",Response="` + "\x03" + `",ExpectedResponse="101"`, true},
		{"SECURITY", "res_security_log.c", "security_event_stasis_cb", event("ChallengeResponseFailed", "PJSIP") + `,Challenge="` + "\x03" + `",Response="` + "\x03" + `",ExpectedResponse=""`, true},
		{"SECURITY", "res_security_log.c", "security_event_stasis_cb", event("ChallengeResponseFailed", "AMI") + `,Challenge="1",Response="` + "\x03" + `",ExpectedResponse="ab",SessionTV="1"`, true},
		{"SECURITY", "res_security_log.c", "security_event_stasis_cb", event("InvalidAccountID", "SIP"), false},
		{"SECURITY", "res_security_log.c", "security_event_stasis_cb", event("InvalidAccountID", "PJSIP"), false},
		{"SECURITY", "res_security_log.c", "security_event_stasis_cb", event("InvalidAccountID", "AMI") + `,SessionTV="1"`, false},
		{"SECURITY", "res_security_log.c", "security_event_stasis_cb", event("FailedACL", "PJSIP") + `,ACLName="not_match_endpoint_acl"`, false},
		{"SECURITY", "res_security_log.c", "security_event_stasis_cb", event("SuccessfulAuth", "PJSIP") + `,UsingPassword="1"`, false},
		{"SECURITY", "res_security_log.c", "security_event_stasis_cb", event("ChallengeSent", "PJSIP") + `,Challenge="1e5e0f60"`, false},
	} {
		for _, layout := range layouts {
			out = append(out, format{"asterisk", "asterisk", fmt.Sprintf(layout, l.level, l.file, l.function) + l.message, l.loses})
		}
	}
	return out
}()

// layouts are those of main/logger.c: syslog, file, console.
var layouts = []string{"%s[7820][C-0000001a]: %s:100 in %s: ", "%s[7820] %[2]s: ", "%s[7820]: %s:100 %s: "}

// event is the part that security events have in common.
func event(name, service string) string {
	return `SecurityEvent="` + name + `",EventTV="2026-11-23T01:39:42.746+0000",Severity="Error",Service="` + service +
		`",EventVersion="1",AccountID="` + "\x02" + `",SessionID="` + "\x02" +
		`",LocalAddress="IPV4/UDP/192.0.2.10/5060",RemoteAddress="IPV4/UDP/` + "\x01" + `/5060"`
}

// claims are lines that give nobody's address away, or only the client's claim.
var claims = func() []format {
	out := []format{
		{"sshd", "sshd", "Failed publickey for \x02 from \x01 port 40022 ssh2: RSA-CERT SHA256:AA ID \x03 (serial 0) CA RSA SHA256:BB", true},
		{"sshd", "sshd", "Failed publickey for invalid user \x02 from \x01 port 40022 ssh2", true},
		{"sshd", "sshd", "Postponed keyboard-interactive for invalid user \x02 from \x01 port 40022 ssh2 [preauth]", true},
		{"sshd", "sshd", "error: kex_exchange_identification: client sent invalid protocol identifier \"\x02\"", true},
		{"sshd", "sshd", "Connection from invalid user \x02 \x01 port 40022: Broken pipe [preauth]", true},
		{"sshd", "sshd", "ssh_dispatch_run_fatal: Connection from invalid user \x02 \x01 port 40022: message authentication code incorrect [preauth]", true},
		{"sshd", "sshd", "Unable to negotiate with invalid user \x02 \x01 port 40022: no matching cipher found. Their offer: \x03 [preauth]", true},
	}
	for _, l := range []struct{ level, file, message string }{
		{"NOTICE", "chan_sip.c", "Failed to authenticate device \x02 for INVITE, code = -1"},
		{"NOTICE", "chan_sip.c", "Failed to authenticate on INVITE to '\x02'"},
		{"NOTICE", "chan_sip.c", "Correct auth, but based on stale nonce received from '\x02'"},
		{"NOTICE", "chan_iax2.c", "Host \x02 failed RSA authentication with inkeys 'k'"},
		{"NOTICE", "chan_iax2.c", "Host '\x02' trying to do RSA authentication, but we have no inkeys"},
		{"NOTICE", "acl.c", "SIP Contact ACL: Rejecting '\x02' due to a failure to pass ACL '(BASELINE)'"},
		{"WARNING", "res_pjsip_acl.c", "Incoming SIP message from \x02 did not pass ACL test"},
	} {
		for _, layout := range layouts {
			out = append(out, format{"asterisk", "asterisk", fmt.Sprintf(layout, l.level, l.file, "f") + l.message, true})
		}
	}
	return out
}()

// fill puts an address and the client's texts into a format.
func fill(line, addr, before, behind string) string {
	return strings.NewReplacer("\x01", addr, "\x02", before, "\x03", behind).Replace(line)
}

// imitations are texts of a client that speak for the victim: every line whole,
// and of every line what follows and what precedes a text of the client.
func imitations() []string {
	out := []string{victim, victim + ":5060", "[" + victim + "]:5060", `"x" <sip:x@` + victim + `>;tag=1`, "' \" ) ] > ,=\"", "\\", "x\\"}
	seen := map[string]bool{}
	add := func(s string) {
		if s != "" && !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	for _, f := range formats {
		for i, c := range f.line {
			if c == '\x02' || c == '\x03' {
				add("x" + fill(f.line[i+1:], victim, "y", "z"))
				add(strings.TrimSuffix("x"+fill(f.line[i+1:], victim, "y", "z"), "'"))
				add(strings.TrimSuffix("x"+fill(f.line[i+1:], victim, "y", "z"), `"`))
				add(fill(f.line[:i], victim, "y", "z") + "x")
			}
		}
		add(fill(f.line, victim, "y", "z"))
	}
	return out
}

// judge reads a line whose true address is the attacker's, and says whether it
// was read as such. It fails the test if the line speaks for anyone else.
func judge(t *testing.T, set *rules.Set, f format, line string) (charged bool) {
	t.Helper()
	for _, m := range read(set, f.tag, line) {
		switch {
		case m.Ambiguous() && m.Addr.IsValid():
			t.Errorf("%s: ambiguous and yet %v\n%q", m.Rule, m.Addr, line)
		case m.Addr.IsValid() && m.Addr != netip.MustParseAddr(attacker):
			t.Errorf("%s: the attacker spoke for %v\n%q", m.Rule, m.Addr, line)
		case m.Addr.IsValid():
			charged = true
		}
	}
	return charged
}

// Whatever a client writes, nobody else is charged with it; and where it writes
// on one side of the address only, it cannot hide either.
func TestInjection(t *testing.T) {
	set := compile(t, embedded(t, "sshd", "asterisk")...)
	texts := imitations()
	for _, f := range formats {
		if line := fill(f.line, attacker, "101", "102"); !judge(t, set, f, line) {
			t.Errorf("the plain line is not read: %q", line)
		}
		for _, text := range texts {
			for _, line := range []string{
				fill(f.line, attacker, text, "102"),
				fill(f.line, attacker, "101", text),
				fill(f.line, attacker, text, text),
				fill(f.line, attacker, text+text, text),
			} {
				if !judge(t, set, f, line) && !f.loses && len(line) < 500 {
					t.Errorf("the attacker hides: %q", line)
				}
			}
			if t.Failed() {
				return
			}
		}
	}
}

// The two sides of one line may carry different imitations.
func TestInjectionOnBothSides(t *testing.T) {
	set := compile(t, embedded(t, "sshd", "asterisk")...)
	texts := imitations()
	for _, f := range formats {
		if !f.loses {
			continue
		}
		for i, before := range texts {
			for j := range 7 { // not every pair: a stride over all texts
				behind := texts[(i*31+j*101)%len(texts)]
				judge(t, set, f, fill(f.line, attacker, before, behind))
			}
		}
		if t.Failed() {
			return
		}
	}
}

// Lines that carry nothing but claims yield no address.
func TestClaims(t *testing.T) {
	set := compile(t, embedded(t, "sshd", "asterisk")...)
	for _, f := range claims {
		for _, text := range imitations() {
			line := fill(f.line, attacker, text, text)
			for _, m := range read(set, f.tag, line) {
				if m.Addr.IsValid() || m.Ambiguous() || m.Event == rules.Failure {
					t.Fatalf("%s took a claim: %v %v\n%q", m.Rule, m.Addr, m.Candidates, line)
				}
			}
		}
	}
}

// sshd cuts a line at 500 bytes (log.c do_log). A name whose imitation ends
// there leaves the victim as the line's only address.
func TestInjectionByCutting(t *testing.T) {
	set := compile(t, embedded(t, "sshd")...)
	for _, f := range formats {
		if f.pack != "sshd" {
			continue
		}
		head, _, ok := strings.Cut(f.line, "\x02")
		if !ok {
			continue
		}
		tail := fill(f.line[len(head)+1:], victim, "y", "z")
		for length := 400; length <= 520; length++ {
			padding := length - len(head) - len(tail)
			if padding < 0 {
				continue
			}
			line := fill(f.line, attacker, strings.Repeat("A", padding)+tail, "z")
			judge(t, set, f, line[:min(len(line), 500)])
		}
	}
}

// The checks above can fail: a pack that takes the first address falls for them.
func TestInjectionOfNaivePack(t *testing.T) {
	pack, err := rules.Parse("naive.toml", []byte(`
[pack]
name = "naive"
[pack.match]
identifier = ["sshd"]
any_unit = true
[[rule]]
name = "failed-password"
event = "failure"
pattern = '''Failed password for invalid user <user:word> from <addr> port <port> <rest:text>'''
  [[rule.sample]]
  line = "Failed password for invalid user admin from 198.51.100.7 port 35469 ssh2"
  addr = "198.51.100.7"
  [[rule.sample]]
  line = "Failed password for invalid user"
  match = false
`))
	if err != nil {
		t.Fatal(err)
	}
	if err := pack.Check(); err != nil {
		t.Fatal(err)
	}
	set := compile(t, pack)
	banned := false
	for _, text := range imitations() {
		for _, m := range read(set, "sshd", fill("Failed password for invalid user \x02 from \x01 port 40022 ssh2", attacker, text, "")) {
			banned = banned || m.Addr == netip.MustParseAddr(victim)
		}
	}
	if !banned {
		t.Error("no imitation makes even a naive rule speak for the victim")
	}
}

// FuzzInjection goes on making lines: a format, a text for each side, each made
// of two imitations and some bytes of the fuzzer's own.
func FuzzInjection(f *testing.F) {
	set := compile(f, embedded(f, "sshd", "asterisk")...)
	texts := imitations()
	f.Add(uint(0), uint(1), uint(2), uint(3), uint(4), "")
	f.Add(uint(30), uint(100), uint(7), uint(0), uint(250), "\x1b")
	f.Add(uint(70), uint(9), uint(200), uint(80), uint(2), `"`)
	f.Fuzz(func(t *testing.T, n, a, b, c, d uint, own string) {
		text := func(i uint) string { return texts[i%uint(len(texts))] }
		form := formats[n%uint(len(formats))]
		if strings.Contains(own, attacker) || strings.ContainsAny(own, "\x01\x02\x03\n") {
			return
		}
		judge(t, set, form, fill(form.line, attacker, text(a)+own+text(b), text(c)+own+text(d)))
	})
}
