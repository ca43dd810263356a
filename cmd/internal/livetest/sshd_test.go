package livetest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"bailiff/enforce/nft/nfttest"
	"bailiff/ingest/journald/journaltest"
)

const jailSSH = `
[jail.sshd]
packs = ["sshd"]
ban_time = "10m"
`

// sshServer is a real sshd in the unit that journald vouches for, on port 22 of
// the test's namespace.
type sshServer struct {
	t       *testing.T
	journal *journaltest.Journal
	dir     string
}

// startSSHD starts sshd as Debian configures it, with PAM. Passwords are always
// wrong; the key in dir opens root's account.
func startSSHD(t *testing.T, j *journaltest.Journal) *sshServer {
	t.Helper()
	s := &sshServer{t: t, journal: j, dir: t.TempDir()}
	s.write("askpass", "#!/bin/sh\necho wrong\n", 0o755)
	s.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", s.path("host"))
	s.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", s.path("key"))
	s.run("chmod", "0755", s.dir)
	s.write("sshd_config", strings.Join([]string{
		"Port 22", "HostKey " + s.path("host"), "PidFile none", "UsePAM yes",
		"PasswordAuthentication yes", "KbdInteractiveAuthentication no", "PermitRootLogin yes",
		"AuthorizedKeysFile " + s.path("key.pub"), "StrictModes no", "MaxAuthTries 20",
		"UseDNS no", "LoginGraceTime 30",
	}, "\n"), 0o644)
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/usr/sbin/sshd", "-D", "-f", s.path("sshd_config"))
	if err := j.Unit("ssh.service").Start(cmd); err != nil {
		t.Fatalf("start sshd (package openssh-server): %v", err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	Eventually(t, "sshd to listen", func() bool {
		c, err := net.Dial("tcp", "127.0.0.1:22")
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return s
}

func (s *sshServer) path(name string) string { return filepath.Join(s.dir, name) }

func (s *sshServer) write(name, text string, mode os.FileMode) {
	s.t.Helper()
	if err := os.WriteFile(s.path(name), []byte(text), mode); err != nil {
		s.t.Fatal(err)
	}
}

func (s *sshServer) run(name string, args ...string) {
	s.t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		s.t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

// client returns an ssh from host to server that gives up soon when nobody
// answers.
func (s *sshServer) client(host *nfttest.Host, server string, options ...string) *exec.Cmd {
	args := []string{
		"-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
		"-o", "ConnectTimeout=2", "-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=2", "-o", "LogLevel=ERROR",
	}
	for _, o := range options {
		args = append(args, "-o", o)
	}
	cmd := host.Command("ssh", append(args, "root@"+server, "echo", "in")...)
	cmd.Env = append(os.Environ(), "SSH_ASKPASS="+s.path("askpass"), "SSH_ASKPASS_REQUIRE=force", "DISPLAY=:0")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd
}

// guess starts to try n passwords on one connection, as fast as sshd and PAM let
// it. The returned function waits until they are all refused.
func (s *sshServer) guess(host *nfttest.Host, server string, n int) (wait func()) {
	s.t.Helper()
	cmd := s.client(host, server, "PubkeyAuthentication=no", fmt.Sprintf("NumberOfPasswordPrompts=%d", n))
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	s.t.Cleanup(func() { _ = cmd.Process.Kill() })
	return func() {
		s.t.Helper()
		if err := <-ended; err == nil {
			s.t.Fatal("a wrong password was accepted")
		}
	}
}

// login says whether the key opens the account.
func (s *sshServer) login(host *nfttest.Host, server string) error {
	out, err := s.client(host, server, "PasswordAuthentication=no", "IdentitiesOnly=yes", "IdentityFile="+s.path("key")).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// refusals counts the passwords that sshd says it refused to addr.
func (s *sshServer) refusals(addr string) int {
	s.t.Helper()
	s.journal.Sync()
	out, err := exec.Command("journalctl", "-q", "-D", s.journal.Dir, "-o", "cat", "SYSLOG_IDENTIFIER=sshd").Output()
	if err != nil {
		s.t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "Failed password") && strings.Contains(line, " from "+addr+" port ") {
			n++
		}
	}
	return n
}

// TestSSHGuesserIsBanned is the main job: the fifth refused password bans, in
// the real kernel, from what the real sshd wrote to the real journal.
func TestSSHGuesserIsBanned(t *testing.T) {
	nfttest.Need(t)
	for _, tt := range []struct {
		name, server, attacker, bystander, want string
	}{
		{"IPv4", "192.0.2.10/24", "198.51.100.66", "198.51.100.67", "198.51.100.66/32"},
		{"IPv6", "2001:db8:1::10/64", "2001:db8:2::66", "2001:db8:3::67", "2001:db8:2::/64"},
		{"IPv6 in our own network", "2001:db8:1::10/64", "2001:db8:1::66", "2001:db8:1::67", "2001:db8:1::66/128"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			nfttest.Fresh(t)
			server, _, _ := strings.Cut(tt.server, "/")
			nfttest.Address(t, tt.server)
			attacker := nfttest.NewHost(t, "attacker", tt.attacker)
			bystander := nfttest.NewHost(t, "bystander", tt.bystander)
			sshd := startSSHD(t, journaltest.Start(t))
			b := newBailiff(t, jailSSH)
			b.Start()

			open := dialEcho(t, attacker, server)
			if err := open.echo(); err != nil {
				t.Fatalf("before the ban: %v", err)
			}
			sshd.guess(attacker, server, 4)()
			if bans := b.Bans(); len(bans) != 0 {
				t.Fatalf("banned after four refused passwords: %v", bans)
			}
			sshd.guess(attacker, server, 6)

			ban := b.AwaitBan(tt.want)
			if n := sshd.refusals(tt.attacker); n != 5 {
				t.Errorf("sshd refused %d passwords before the ban, want exactly 5", n)
			}
			if ban.Jail != "sshd" || ban.Strike != 1 || ban.Until == nil || ban.Until.Sub(ban.Since) != 10*time.Minute {
				t.Errorf("ban = %+v, want the first strike in jail sshd, for 10m", ban)
			}
			if err := open.echo(); err == nil {
				t.Error("the attacker's open connection still answers")
			}
			if err := sshd.login(attacker, server); err == nil {
				t.Error("the attacker can still log in")
			}
			if err := sshd.login(bystander, server); err != nil {
				t.Errorf("the bystander cannot log in: %v", err)
			}
			if ban := b.AwaitBan(tt.want); ban.Packets == 0 {
				t.Error("the kernel counts no packet of the attacker as refused")
			}
		})
	}
}

// echo is a connection to a server on our side that repeats every line.
type echo struct {
	conn net.Conn
	in   *bufio.Reader
}

func dialEcho(t *testing.T, from *nfttest.Host, server string) *echo {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(server, "0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = io.Copy(c, c)
	}()
	var conn net.Conn
	from.Do(t, func() { conn, err = net.DialTimeout("tcp", l.Addr().String(), Patience) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &echo{conn, bufio.NewReader(conn)}
}

// echo sends a line and waits a little for it to come back.
func (e *echo) echo() error {
	if err := e.conn.SetDeadline(time.Now().Add(2 * time.Second)); err != nil {
		return err
	}
	if _, err := io.WriteString(e.conn, "ping\n"); err != nil {
		return err
	}
	_, err := e.in.ReadString('\n')
	return err
}
