package syslog_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bailiff/ingest"
	"bailiff/ingest/ingesttest"
	"bailiff/ingest/syslog"
)

// authority signs certificates and keeps them as files.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
	n    int64
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir(), pool: x509.NewCertPool()}
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.pool.AddCert(a.cert)
	a.write("ca", "CERTIFICATE", der)
	return a
}

func (a *authority) path(name string) string { return filepath.Join(a.dir, name+".pem") }

func (a *authority) write(name, kind string, der []byte) {
	a.t.Helper()
	if err := os.WriteFile(a.path(name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		a.t.Fatal(err)
	}
}

// issue writes NAME.pem and NAME-key.pem with a certificate for the names.
func (a *authority) issue(name, common string, dns ...string) tls.Certificate {
	a.t.Helper()
	a.n++
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(1 + a.n), Subject: pkix.Name{CommonName: common}, DNSNames: dns,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore:   time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a.cert, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	a.write(name, "CERTIFICATE", der)
	a.write(name+"-key", "PRIVATE KEY", secret)
	pair, err := tls.LoadX509KeyPair(a.path(name), a.path(name+"-key"))
	if err != nil {
		a.t.Fatal(err)
	}
	return pair
}

// listen sets the options of a TLS listener with the certificate "server".
func (a *authority) listen(o *syslog.Options) { o.Cert, o.Key = a.path("server"), a.path("server-key") }

func (a *authority) client(pairs ...tls.Certificate) *tls.Config {
	return &tls.Config{RootCAs: a.pool, ServerName: "log.example.com", Certificates: pairs}
}

func dialTLS(t *testing.T, l *syslog.Listener, conf *tls.Config) net.Conn {
	t.Helper()
	c, err := tls.Dial("tcp", l.Addr().String(), conf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestTLSConformance(t *testing.T) {
	a := newAuthority(t)
	a.issue("server", "", "log.example.com")
	ingesttest.Run(t, func(t *testing.T) ingesttest.Transport {
		l := newListener(t, "tls://127.0.0.1:0", a.listen)
		return ingesttest.Transport{
			Source: l, Drains: true, Waits: true, Independent: true, Line: precise,
			Dial: func(t *testing.T) io.WriteCloser { return &framed{Conn: dialTLS(t, l, a.client())} },
		}
	})
}

func TestClientCertificates(t *testing.T) {
	a, stranger := newAuthority(t), newAuthority(t)
	a.issue("server", "", "log.example.com")
	pbx := a.issue("pbx", "ignored beside a DNS name", "pbx1.example.com")
	old := a.issue("old", "pbx2")
	other := a.issue("other", "", "elsewhere.example.com")
	foreign := stranger.issue("foreign", "", "pbx1.example.com")
	origins, err := ingest.NewOrigins(ingest.Origin{Name: "office", Certificates: []string{"pbx1.example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	l := newListener(t, "tls://0.0.0.0:0", func(o *syslog.Options) {
		a.listen(o)
		o.ClientCA, o.AllowNames, o.Origins = a.path("ca"), []string{"PBX1.example.com", "pbx2"}, origins
	})
	entries, stop := runListener(t, l)
	for _, tc := range []struct {
		pair   tls.Certificate
		origin string
	}{{pbx, "office"}, {old, "pbx2"}} {
		c := dialTLS(t, l, a.client(tc.pair))
		write(t, c, traditional("x")+"\n")
		e := receive(t, entries)
		if e.Origin != tc.origin || e.Trust != ingest.TrustHigh || e.Peer != netip.MustParseAddrPort(c.LocalAddr().String()) {
			t.Errorf("origin %q, trust %v, peer %v; want %q, high and %v", e.Origin, e.Trust, e.Peer, tc.origin, c.LocalAddr())
		}
	}
	refused := uint64(0)
	for name, pairs := range map[string][]tls.Certificate{"none": nil, "of another authority": {foreign}, "with another name": {other}} {
		conf := a.client()
		conf.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			if len(pairs) == 0 {
				return &tls.Certificate{}, nil
			}
			return &pairs[0], nil
		}
		c, err := tls.Dial("tcp", l.Addr().String(), conf)
		if err == nil {
			_, _ = io.WriteString(c, traditional("y")+"\n")
			if _, err = c.Read(make([]byte, 1)); err == nil {
				t.Errorf("%s: the connection is open", name)
			}
			c.Close()
		}
		refused++
		await(t, name+": the connection is counted", func() bool { return ingesttest.Total(l, "refused", "connections by tls") == refused })
	}
	// What speaks no TLS, and TLS that is too old.
	plain := dial(t, l)
	write(t, plain, traditional("z")+"\n")
	await(t, "plain text is refused", func() bool { return ingesttest.Total(l, "refused", "connections by tls") == refused+1 })
	conf := a.client(pbx)
	conf.MinVersion, conf.MaxVersion = tls.VersionTLS11, tls.VersionTLS11
	if c, err := tls.Dial("tcp", l.Addr().String(), conf); err == nil {
		c.Close()
		t.Error("TLS 1.1 is spoken")
	}
	stop()
	ingesttest.CheckCounts(t, l)
	if len(entries) > 0 {
		t.Errorf("handed out all the same: %s", (<-entries).Message)
	}
}

// TestTrustWithoutCertificate holds that encryption alone names nobody.
func TestTrustWithoutCertificate(t *testing.T) {
	a := newAuthority(t)
	a.issue("server", "", "log.example.com")
	l := newListener(t, "tls://127.0.0.1:0", a.listen)
	entries, _ := runListener(t, l)
	c := dialTLS(t, l, a.client(a.issue("client", "unasked")))
	write(t, c, traditional("x")+"\n")
	if e := receive(t, entries); e.Origin != "127.0.0.1" || e.Trust != ingest.TrustNormal {
		t.Errorf("origin %q, trust %v", e.Origin, e.Trust)
	}
}

// shown is the serial number of the certificate that a listener shows.
func shown(t *testing.T, l *syslog.Listener, a *authority) *big.Int {
	t.Helper()
	c := dialTLS(t, l, a.client())
	defer c.Close()
	return c.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber
}

func TestCertificatesAreRenewed(t *testing.T) {
	a := newAuthority(t)
	a.issue("server", "", "log.example.com")
	var log strings.Builder
	l := newListener(t, "tls://127.0.0.1:0", func(o *syslog.Options) { a.listen(o); o.Logger = textLogger(&log) })
	entries, stop := runListener(t, l)
	standing := dialTLS(t, l, a.client())
	first := shown(t, l, a)

	newer := a.issue("server", "", "log.example.com").Leaf.SerialNumber
	later := time.Now().Add(time.Minute) // as a clock of coarse steps would not show it
	if err := os.Chtimes(a.path("server"), later, later); err != nil {
		t.Fatal(err)
	}
	if got := shown(t, l, a); got.Cmp(newer) != 0 || got.Cmp(first) == 0 {
		t.Errorf("after a renewal certificate %v is shown, want %v", got, newer)
	}
	write(t, standing, traditional("x")+"\n")
	if e := receive(t, entries); string(e.Message) != "x" {
		t.Errorf("%q arrived", e.Message)
	}

	// A pair that does not fit leaves the old one, and is said once.
	if err := os.WriteFile(a.path("server-key"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if got := shown(t, l, a); got.Cmp(newer) != 0 {
			t.Errorf("with a bad key certificate %v is shown, want %v", got, newer)
		}
	}
	// Being asked to is reason to say it again, and to look whatever the files say.
	l.Reload()
	last := a.issue("server", "", "log.example.com").Leaf.SerialNumber
	l.Reload()
	if got := shown(t, l, a); got.Cmp(last) != 0 {
		t.Errorf("after a reload certificate %v is shown, want %v", got, last)
	}
	stop()
	if n := strings.Count(log.String(), "the old ones hold"); n != 2 {
		t.Errorf("the bad pair is said %d times, want 2:\n%s", n, log.String())
	}
}

func TestCertificatesThatCannotBeUsed(t *testing.T) {
	a := newAuthority(t)
	a.issue("server", "", "log.example.com")
	a.issue("other", "", "other.example.com")
	empty := a.path("empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, file, want string
		change           func(*syslog.Options)
	}{
		{"missing", a.path("none"), "no such file", func(o *syslog.Options) { o.Cert = a.path("none") }},
		{"directory", a.dir, "is a directory", func(o *syslog.Options) { o.Key = a.dir }},
		{"other key", a.path("server"), "does not go with", func(o *syslog.Options) { o.Key = a.path("other-key") }},
		{"no certificate", a.path("server-key"), "does not go with", func(o *syslog.Options) { o.Cert = a.path("server-key") }},
		{"no authority", empty, "no certificate", func(o *syslog.Options) { o.ClientCA = empty }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := newListener(t, "tls://127.0.0.1:0", func(o *syslog.Options) { a.listen(o); tc.change(o) })
			err := l.Bind()
			var bad *syslog.CertError
			var e *syslog.Error
			if !errors.As(err, &bad) || bad.File != tc.file || !strings.Contains(bad.Error(), tc.want) {
				t.Errorf("Bind says %v", err)
			}
			if !errors.As(err, &e) || e.Hint() == "" {
				t.Errorf("no remedy with %v", err)
			}
		})
	}
}

func textLogger(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }
