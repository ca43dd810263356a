package livetest

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
)

// mailDaemons serve mail; Postfix asks Dovecot about passwords.
var mailDaemons = []daemonUnderTest{
	{
		name: "dovecot", packs: []string{"dovecot"},
		start: func(l *lab) {
			l.serve("dovecot.service", 143, "/usr/sbin/dovecot", "-F", "-c", dovecotConf(l))
		},
		refuse: func(l *lab) {
			c := l.dial(143)
			defer c.Close()
			l.talk(c, [2]string{"", "* OK"}, [2]string{"a LOGIN alice wrong", "a NO"}, [2]string{"b LOGOUT", "b OK"})
		},
	},
	{
		name: "postfix with dovecot", packs: []string{"postfix", "dovecot"},
		start: func(l *lab) {
			l.serve("dovecot.service", 143, "/usr/sbin/dovecot", "-F", "-c", dovecotConf(l))
			etc := l.cover("/etc/postfix")
			l.cover("/var/spool/postfix")
			l.cover("/var/lib/postfix")
			for name, text := range map[string]string{
				"main.cf": "compatibility_level = 3.6\nmyhostname = mail.example.org\nmydestination =\ninet_interfaces = all\nsmtpd_sasl_auth_enable = yes\nsmtpd_sasl_type = dovecot\n" +
					"smtpd_sasl_path = " + l.dir + "/auth\nsmtpd_relay_restrictions = reject\nmail_owner = postfix\nsetgid_group = postdrop\n",
				"master.cf": "smtp inet n - n - - smtpd\nanvil unix - - n - 1 anvil\nrewrite unix - - n - - trivial-rewrite\ncleanup unix n - n - 0 cleanup\nqmgr unix n - n 300 1 qmgr\n" +
					"tlsmgr unix - - n 1000? 1 tlsmgr\nbounce unix - - n - 0 bounce\ndefer unix - - n - 0 bounce\nproxymap unix - - n - - proxymap\n",
			} {
				if err := os.WriteFile(filepath.Join(etc, name), []byte(text), 0o644); err != nil {
					l.Fatal(err)
				}
			}
			l.serve("postfix.service", 25, "/usr/sbin/postfix", "start-fg")
		},
		refuse: func(l *lab) {
			c := l.dial(25)
			defer c.Close()
			l.talk(c, [2]string{"", "220"}, [2]string{"EHLO client.example.net", "250 "}, [2]string{"AUTH PLAIN " + base64.StdEncoding.EncodeToString([]byte("\x00alice\x00wrong")), "535"}, [2]string{"QUIT", "221"})
		},
	},
}

// dovecotConf writes the configuration of a dovecot that knows alice.
func dovecotConf(l *lab) string {
	l.write("users", "alice:{PLAIN}right:65534:65534::"+l.dir+"::\n", 0o644)
	return l.write("dovecot.conf", fmt.Sprintf(`base_dir = %[1]s/run
		state_dir = %[1]s/state
		protocols = imap
		ssl = no
		disable_plaintext_auth = no
		mail_location = maildir:%[1]s/mail
		first_valid_uid = 0
		auth_failure_delay = 0
		service anvil {
		  unix_listener anvil-auth-penalty {
		    mode = 0
		  }
		}
		passdb {
		  driver = passwd-file
		  args = %[1]s/users
		}
		userdb {
		  driver = passwd-file
		  args = %[1]s/users
		}
		service auth {
		  unix_listener %[1]s/auth {
		    mode = 0666
		  }
		}
		service imap-login {
		  inet_listener imap {
		    port = 143
		  }
		  inet_listener imaps {
		    port = 0
		  }
		}
		`, l.dir), 0o644)
}
