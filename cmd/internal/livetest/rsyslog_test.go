package livetest

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bailiff/enforce/nft/nfttest"
)

const (
	capture = "../../../rules/testdata/asterisk-18"
	// captureLines is how many messages the capture holds in each form.
	captureLines = 857

	ourAddress = "192.0.2.10"
	pbxAddress = "203.0.113.200"
)

// listeners off loopback, as an operator would write them.
const pbxListeners = `
[source.journald]
enabled = false
[[source.syslog]]
listen = "udp://` + ourAddress + `:514"
allow_from = ["` + pbxAddress + `"]
path = "protected"
[[source.syslog]]
listen = "tcp://` + ourAddress + `:514"
allow_from = ["` + pbxAddress + `"]
`

const jailPBX = `
[jail.pbx]
packs = ["asterisk"]
find_time = "60s"
`

// TestPBXThroughRsyslog forwards the capture of an attacked PBX through a real
// rsyslog, in the five forms that rsyslog sends. All give the same bans: those
// of truth.json.
func TestPBXThroughRsyslog(t *testing.T) {
	nfttest.Need(t)
	truth := readTruth(t)
	for _, form := range []struct{ name, action string }{
		{"UDP traditional", `protocol="udp" template="RSYSLOG_TraditionalForwardFormat"`},
		{"UDP RFC 3339", `protocol="udp" template="RSYSLOG_ForwardFormat"`},
		{"UDP RFC 5424", `protocol="udp" template="RSYSLOG_SyslogProtocol23Format"`},
		{"TCP octet-counted", `protocol="tcp" template="RSYSLOG_SyslogProtocol23Format" TCP_Framing="octet-counted"`},
		{"TCP line feeds", `protocol="tcp" template="RSYSLOG_ForwardFormat" TCP_Framing="traditional"`},
	} {
		t.Run(form.name, func(t *testing.T) {
			nfttest.Fresh(t)
			nfttest.Address(t, ourAddress)
			pbx := nfttest.NewHost(t, "pbx", pbxAddress)
			b := newBailiff(t, pbxListeners+jailPBX)
			b.Start()

			feed := startRsyslog(t, pbx, form.action)
			bytes, err := os.ReadFile(filepath.Join(capture, "rfc3339.lines"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := feed.Write(bytes); err != nil {
				t.Fatal(err)
			}
			Eventually(t, "the whole capture to be delivered", func() bool {
				return b.Count(":514", "delivered") >= captureLines && b.Status().Queue.Length == 0
			})
			Eventually(t, "the last of the capture to be decided", func() bool {
				_, ok := b.Banned("198.51.100.31/32")
				return ok
			})
			checkTruth(t, b, truth)
		})
	}
}

// startRsyslog runs rsyslogd on the host: what it is given over the returned
// connection it forwards to bailiff.
func startRsyslog(t *testing.T, host *nfttest.Host, action string) net.Conn {
	t.Helper()
	dir := t.TempDir()
	conf := filepath.Join(dir, "rsyslog.conf")
	text := fmt.Sprintf(`
global(workDirectory=%q)
module(load="imtcp")
input(type="imtcp" address="127.0.0.1" port="10514")
action(type="omfwd" target=%q port="514" %s)
`, dir, ourAddress, action)
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := host.Command("rsyslogd", "-n", "-f", conf, "-i", filepath.Join(dir, "pid"))
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatalf("start rsyslogd (package rsyslog): %v", err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	var conn net.Conn
	Eventually(t, "rsyslogd to listen", func() (ok bool) {
		host.Do(t, func() {
			var err error
			conn, err = net.Dial("tcp", "127.0.0.1:10514")
			ok = err == nil
		})
		return ok
	})
	t.Cleanup(func() { conn.Close() })
	return conn
}

// verdict is one line of truth.json.
type verdict struct {
	Address netip.Addr
	Did     string
	Ban     *bool // nil: the policy decides
}

func readTruth(t *testing.T) []verdict {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(capture, "truth.json"))
	if err != nil {
		t.Fatal(err)
	}
	var truth []verdict
	if err := json.Unmarshal(data, &truth); err != nil {
		t.Fatal(err)
	}
	return truth
}

// checkTruth compares the standing bans with the truth, as far as it says true or
// false; an IPv6 attacker may be banned with its /64.
func checkTruth(t *testing.T, b *Bailiff, truth []verdict) {
	t.Helper()
	var bans []netip.Prefix
	for _, ban := range b.Bans() {
		bans = append(bans, ban.Prefix)
	}
	banned, want := map[string]bool{}, map[string]bool{}
	for _, v := range truth {
		if v.Ban != nil {
			name := v.Did + " " + v.Address.String()
			want[name] = *v.Ban
			banned[name] = slices.ContainsFunc(bans, func(p netip.Prefix) bool { return p.Contains(v.Address) })
		}
	}
	if diff := cmp.Diff(want, banned); diff != "" {
		t.Errorf("bans differ from truth.json (-want +got):\n%s", diff)
	}
}

// send writes each line as one datagram from the host to bailiff.
func send(t *testing.T, host *nfttest.Host, to string, lines ...string) {
	t.Helper()
	host.Do(t, func() {
		conn, err := net.Dial("udp", to)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		for _, line := range lines {
			if _, err := conn.Write([]byte(line)); err != nil {
				t.Error(err)
			}
		}
	})
}

// as returns a command that runs as an ordinary user.
func as(uid uint32, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential: &syscall.Credential{Uid: uid, Gid: uid},
	}
	return cmd
}
