package syslog

import (
	"net/netip"
	"strings"
	"testing"
)

func TestValidate(t *testing.T) {
	from := []netip.Prefix{netip.MustParsePrefix("198.51.100.7/32")}
	for _, tc := range []struct {
		name string
		opts Options
		want string // part of the error; empty: valid
	}{
		{"default", DefaultOptions(), ""},
		{"loopback", Options{Listen: "udp://127.0.0.1:5514"}, ""},
		{"loopback, mapped", Options{Listen: "udp://[::ffff:127.0.0.1]:5514"}, ""},
		{"remote tcp", Options{Listen: "tcp://198.51.100.2:514", AllowFrom: from}, ""},
		{"remote udp", Options{Listen: "udp://198.51.100.2:514", AllowFrom: from, Path: PathProtected}, ""},
		{"wildcard", Options{Listen: "udp://[::]:514", AllowFrom: from, Path: PathOpen}, ""},
		{"tls", Options{Listen: "tls://192.0.2.1:6514", Cert: "/c", Key: "/k", AllowFrom: from}, ""},
		{"tls with certificates of clients", Options{Listen: "tls://[::]:6514", Cert: "/c", Key: "/k", ClientCA: "/a", AllowNames: []string{"x"}}, ""},
		{"of systemd", Options{Listen: "systemd:pbx", AllowFrom: from}, ""},
		{"of systemd without a name", Options{Listen: "systemd:"}, "FileDescriptorName"},
		{"unix stream", Options{Listen: "unix:///x"}, ""},
		{"interface", Options{Listen: "tcp://192.0.2.1:514", AllowFrom: from, Interface: "eth1.20"}, ""},

		{"tls without senders", Options{Listen: "tls://0.0.0.0:6514", Cert: "/c", Key: "/k"}, "allow_from is empty"},
		{"tls without a key", Options{Listen: "tls://127.0.0.1:6514", Cert: "/c"}, "cert or key is missing"},
		{"names without an authority", Options{Listen: "tls://127.0.0.1:6514", Cert: "/c", Key: "/k", AllowNames: []string{"x"}}, "nobody vouches"},
		{"certificate without tls", Options{Listen: "tcp://127.0.0.1:514", Cert: "/c"}, "no meaning for tcp"},
		{"interface of a unix socket", Options{Listen: "unix:///x", Interface: "eth1"}, "name of a network interface"},
		{"long interface", Options{Listen: "udp://127.0.0.1:514", Interface: "sixteen-letters0"}, "name of a network interface"},
		{"remote without senders", Options{Listen: "tcp://0.0.0.0:514"}, "allow_from is empty"},
		{"remote udp without path", Options{Listen: "udp://0.0.0.0:514", AllowFrom: from}, `path = "protected"`},
		{"unknown path", Options{Listen: "udp://0.0.0.0:514", AllowFrom: from, Path: "vpn"}, `path is "vpn"`},
		{"path on tcp", Options{Listen: "tcp://0.0.0.0:514", AllowFrom: from, Path: PathOpen}, "path has no meaning"},
		{"path on loopback", Options{Listen: "udp://127.0.0.1:514", Path: PathOpen}, "path has no meaning"},
		{"senders on loopback", Options{Listen: "udp://127.0.0.1:514", AllowFrom: from}, "allow_uid"},
		{"senders on unix", Options{Listen: "unixgram:///x", AllowFrom: from}, "allow_uid"},
		{"invalid sender", Options{Listen: "tcp://0.0.0.0:514", AllowFrom: []netip.Prefix{{}}}, "invalid prefix"},
		{"invalid user", Options{Listen: "udp://127.0.0.1:514", AllowUID: []int{-1}}, "allow_uid"},
		{"negative skew", Options{Listen: "udp://127.0.0.1:514", MaxSkew: -1}, "max_skew"},

		{"nothing", Options{}, "want udp, tcp, tls, unix, unixgram or systemd"},
		{"unknown scheme", Options{Listen: "dtls://0.0.0.0:6514"}, `"dtls" is not a kind of listener`},
		{"host name", Options{Listen: "udp://localhost:514"}, "IP address"},
		{"no port", Options{Listen: "udp://127.0.0.1"}, "udp://127.0.0.1:514"},
		{"port and path", Options{Listen: "udp://127.0.0.1:514/x"}, "udp://ADDRESS:PORT"},
		{"two slashes", Options{Listen: "unixgram://run/x"}, "three slashes"},
		{"long path", Options{Listen: "unixgram:///" + strings.Repeat("x", 107)}, "at most 107"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.opts.MaxConns, tc.opts.MaxConnsPerSender = 1, 1
			err := tc.opts.Validate()
			switch {
			case tc.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("error %v, want one with %q", err, tc.want)
			}
		})
	}
}
