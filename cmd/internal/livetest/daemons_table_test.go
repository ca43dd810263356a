package livetest

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// daemonUnderTest is a daemon of Debian's and one way of being refused by it.
type daemonUnderTest struct {
	name string
	// packs judge its lines.
	packs []string
	start func(l *lab)
	// refuse makes it refuse one login to the guesser.
	refuse func(l *lab)
}

var daemonsUnderTest = []daemonUnderTest{
	{
		name: "sshd", packs: []string{"sshd"},
		start:  func(l *lab) { startSSHD(l.T, l.journal) },
		refuse: refuseSSH,
	},
	{
		name: "dropbear", packs: []string{"dropbear"},
		start: func(l *lab) {
			l.run("dropbearkey", "-t", "ed25519", "-f", filepath.Join(l.dir, "host"))
			l.serve("dropbear.service", 22, "/usr/sbin/dropbear", "-F", "-p", "22", "-r", filepath.Join(l.dir, "host"), "-P", filepath.Join(l.dir, "pid"))
		},
		refuse: refuseSSH,
	},
	{
		name: "vsftpd", packs: []string{"vsftpd", "pam"},
		start: func(l *lab) {
			conf := l.write("vsftpd.conf", "listen=YES\nbackground=NO\nlocal_enable=YES\nsyslog_enable=YES\npam_service_name=vsftpd\nsecure_chroot_dir="+l.dir+"\nseccomp_sandbox=NO\n", 0o644)
			l.run("chown", "root", conf)
			l.serve("vsftpd.service", 21, "/usr/sbin/vsftpd", conf)
		},
		refuse: func(l *lab) {
			c := l.dial(21)
			defer c.Close()
			l.talk(c, [2]string{"", "220"}, [2]string{"USER alice", "331"}, [2]string{"PASS wrong", "530"}, [2]string{"QUIT", "221"})
		},
	},
	{
		name: "nginx", packs: []string{"nginx"},
		start: func(l *lab) {
			conf := l.write("nginx.conf", fmt.Sprintf(`daemon off; user root; pid %[1]s/pid; error_log syslog:server=unix:/dev/log,nohostname error;
				events {} http { access_log syslog:server=unix:/dev/log,nohostname combined; client_body_temp_path %[1]s; proxy_temp_path %[1]s;
				fastcgi_temp_path %[1]s; uwsgi_temp_path %[1]s; scgi_temp_path %[1]s;
				server { listen 8080; location / { auth_basic "x"; auth_basic_user_file %[1]s/users; } } }`, l.dir), 0o644)
			l.write("users", "alice:{PLAIN}right\n", 0o644)
			l.run("chmod", "-R", "a+rX", l.dir)
			l.serve("nginx.service", 8080, "/usr/sbin/nginx", "-c", conf)
		},
		refuse: func(l *lab) {
			c := l.dial(8080)
			defer c.Close()
			l.talk(c, [2]string{"GET / HTTP/1.0\r\nAuthorization: Basic " + base64.StdEncoding.EncodeToString([]byte("alice:wrong")) + "\r\n", "HTTP/1.1 401"})
		},
	},
}

// refuseSSH tries one wrong password with the client of OpenSSH.
func refuseSSH(l *lab) {
	l.Helper()
	ask := l.write("askpass", "#!/bin/sh\necho wrong\n", 0o755)
	cmd := l.guesser.Command("ssh", "-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
		"-o", "PubkeyAuthentication=no", "-o", "NumberOfPasswordPrompts=1", "alice@"+daemonHost, "true")
	cmd.Env = append(os.Environ(), "SSH_ASKPASS="+ask, "SSH_ASKPASS_REQUIRE=force", "DISPLAY=:0")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "Permission denied") {
		l.Fatalf("ssh: %v: %s", err, out)
	}
}
