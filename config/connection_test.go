package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// certificates returns a directory with a certificate, its key, and an authority,
// which is the certificate itself.
func certificates(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, b := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: cert}, "ca.pem": {Type: "CERTIFICATE", Bytes: cert}, "key.pem": {Type: "PRIVATE KEY", Bytes: secret},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestConnections(t *testing.T) {
	dir := certificates(t)
	text := fmt.Sprintf(`[[source.syslog]]
listen = "tls://[::]:6514"
cert = "%[1]s/cert.pem"
key = "%[1]s/key.pem"
client_ca = "%[1]s/ca.pem"
allow_names = ["pbx1.example.com"]
interface = "eth1"
max_conns = 10
max_conns_per_sender = 2
`, dir)
	c, err := Parse("f", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	want := Connections{
		Interface: "eth1", Cert: dir + "/cert.pem", Key: dir + "/key.pem", ClientCA: dir + "/ca.pem",
		AllowNames: []string{"pbx1.example.com"}, MaxConns: 10, MaxConnsPerSender: 2,
	}
	if d := cmp.Diff(want, c.Syslog[0].Connections); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	opts := c.Syslog[0].Options()
	got := Connections{opts.Interface, opts.Cert, opts.Key, opts.ClientCA, opts.AllowNames, opts.MaxConns, opts.MaxConnsPerSender}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("options (-want +got):\n%s", d)
	}

	c, err = Parse("f", []byte("[[source.syslog]]\nlisten = \"unix:///run/x.sock\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	if opts := c.Syslog[0].Options(); opts.MaxConns != 1024 || opts.MaxConnsPerSender != 64 {
		t.Errorf("by default %d connections, and %d of one sender", opts.MaxConns, opts.MaxConnsPerSender)
	}
}
