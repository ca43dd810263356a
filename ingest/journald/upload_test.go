//go:build linux && cgo

package journald_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bailiff/config"
	"bailiff/ingest"
	"bailiff/ingest/ingesttest"
	"bailiff/ingest/journald/journaltest"
)

const (
	uploader    = "/lib/systemd/systemd-journal-upload"
	uploadPage  = "../../docs/pipelines/journal-upload.md"
	collectedIn = "/var/log/journal/remote"
)

// block is a block of the page, by what stands behind its fence.
func block(t *testing.T, name string) string {
	t.Helper()
	page, err := os.ReadFile(uploadPage)
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("(?ms)^```\\w+ " + regexp.QuoteMeta(name) + "\n(.*?)^```").FindSubmatch(page)
	if found == nil {
		t.Fatalf("%s has no block %s", uploadPage, name)
	}
	return string(found[1])
}

// authority signs certificates.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t}
	a.cert, a.key = a.sign("CA", true)
	return a
}

func (a *authority) sign(name string, ca bool) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		a.t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		BasicConstraintsValid: true, IsCA: ca, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	parent, signer := a.cert, a.key
	if ca {
		c.KeyUsage, c.ExtKeyUsage, c.IPAddresses = x509.KeyUsageCertSign, nil, nil
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	if c, err = x509.ParseCertificate(der); err != nil {
		a.t.Fatal(err)
	}
	return c, key
}

// issue writes key.pem, cert.pem and ca.pem for a name into dir.
func (a *authority) issue(name, dir string) {
	a.t.Helper()
	cert, key := a.sign(name, false)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		a.t.Fatal(err)
	}
	for file, b := range map[string]*pem.Block{
		"key.pem":  {Type: "PRIVATE KEY", Bytes: der},
		"cert.pem": {Type: "CERTIFICATE", Bytes: cert.Raw},
		"ca.pem":   {Type: "CERTIFICATE", Bytes: a.cert.Raw},
	} {
		if err := os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(b), 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
}

// configure puts a block of the page where the daemon finds it.
func configure(t *testing.T, name string, replace ...string) {
	t.Helper()
	dir := "/run/systemd/" + name + ".d"
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer(replace...).Replace(block(t, name))
	file := filepath.Join(dir, "test.conf")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(file) }) // else other runs of journal-remote read it
}

// daemon runs a program until it is killed.
type daemon struct {
	t    *testing.T
	argv []string
	cmd  *exec.Cmd
}

func (d *daemon) start() {
	d.t.Helper()
	d.cmd = exec.Command(d.argv[0], d.argv[1:]...)
	d.cmd.Stderr = os.Stderr
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := d.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(d.kill)
}

func (d *daemon) kill() {
	_ = syscall.Kill(-d.cmd.Process.Pid, syscall.SIGKILL)
	_ = d.cmd.Wait()
}

// A journal comes from one machine to the other as the page says: with its units,
// each line once, whoever is killed on the way, and from nobody without a certificate.
func TestJournalUpload(t *testing.T) {
	newHost(t, t.TempDir(), "is there", 1) // or skip
	j := journaltest.Start(t)
	certs := t.TempDir()
	ours, theirs := newAuthority(t), newAuthority(t)
	ours.issue("logs", filepath.Join(certs, "remote"))
	ours.issue("pbx1", filepath.Join(certs, "upload"))
	if err := os.MkdirAll(collectedIn, 0o755); err != nil {
		t.Fatal(err)
	}

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().String()
	l.Close()
	configure(t, "journal-upload.conf", "/etc/bailiff/upload", certs+"/upload", "logs.example.com:19532", at)
	configure(t, "journal-remote.conf", "/etc/bailiff/remote", certs+"/remote")
	receiver := &daemon{t: t, argv: []string{remote, "--listen-https=" + at, "--output=" + collectedIn}}
	sender := &daemon{t: t, argv: []string{"/bin/sh", "-c", "while :; do " + uploader + " --save-state=/run/upload.state 2>/dev/null; sleep 0.1; done"}}

	c, err := config.Parse("page", []byte(block(t, "bailiff.toml")))
	if err != nil {
		t.Fatal(err)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	c.Origins[0].From = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	opts := c.Journald[1].Options()
	if opts.Origins, err = ingest.NewOrigins(c.Origins...); err != nil {
		t.Fatal(err)
	}
	opts.Reader, opts.Since = options(true).Reader, time.Hour

	// A daemon of the sender, in its unit.
	cmd := exec.Command("logger", "-t", "test")
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Unit("ssh.service").Start(cmd); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer input.Close()
	var want []string
	write := func(n int) string {
		for range n {
			want = append(want, fmt.Sprint("line ", len(want)))
			fmt.Fprintln(input, want[len(want)-1])
		}
		return want[len(want)-1]
	}

	write(1)
	receiver.start()
	sender.start()
	file := filepath.Join(collectedIn, "remote-127.0.0.1.journal")
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		if _, err := os.Stat(file); err == nil {
			break
		}
		if time.Now().After(end) {
			there, _ := filepath.Glob(collectedIn + "/*")
			t.Fatalf("%s does not come; there are %q", file, there)
		}
	}
	r := read(t, opts, func(e *ingest.Entry) {
		if e.Origin != "pbx1" || e.Trust != ingest.TrustNormal || string(e.Host) != host {
			t.Errorf("origin %q, trust %v, host %s", e.Origin, e.Trust, e.Host)
		}
	})
	r.until(write(100))
	receiver.kill()
	write(100)
	receiver.start()
	r.until(write(1))
	sender.kill()
	write(100)
	j.Rotate()
	sender.start()
	lines := r.until(write(1))
	for _, l := range lines {
		if l.Unit != "ssh.service" {
			t.Errorf("%q is of unit %q", l.Message, l.Unit)
		}
	}
	if diff := cmp.Diff(want, messages(lines)); diff != "" {
		t.Error(diff)
	}
	ingesttest.CheckCounts(t, r.src)

	// The sender tells nothing to a receiver without a certificate of its CA.
	sender.kill()
	receiver.kill()
	theirs.issue("logs", filepath.Join(certs, "remote"))
	receiver.start()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		out, err := exec.Command(uploader, "--save-state=/run/stranger.state").CombinedOutput()
		if err != nil && strings.Contains(string(out), "certificate") {
			break
		}
		if err == nil || time.Now().After(end) {
			t.Fatalf("upload to a stranger: %v: %s", err, out)
		}
	}
}
