package syslog

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// certs are the certificates of a TLS listener, read again when their files
// change: whoever renews them need not tell us.
type certs struct {
	cert, key, clientCA string
	allow               []string
	log                 *slog.Logger

	mu     sync.Mutex
	conf   *tls.Config // nil until loaded
	stamps [3]stampOf  // of the files when they were last read, with whatever success
}

// stampOf is what changes when a file does.
type stampOf struct {
	mod  time.Time
	size int64
	ok   bool
}

func newCerts(o *Options, log *slog.Logger) *certs {
	return &certs{cert: o.Cert, key: o.Key, clientCA: o.ClientCA, allow: o.AllowNames, log: log}
}

// CertError is a certificate, or a file of some, that cannot be used.
type CertError struct {
	// File is the file, Err what is wrong with it.
	File string
	Err  error
	// Remedy is one line on what to do about it.
	Remedy string
}

// Error returns the problem.
func (e *CertError) Error() string { return fmt.Sprintf("%s: %v", e.File, e.Err) }

// Unwrap returns Err.
func (e *CertError) Unwrap() error { return e.Err }

// Hint returns the remedy, for the line below the error.
func (e *CertError) Hint() string { return e.Remedy }

// CheckCertificates reads the certificates of a TLS listener and says what is
// wrong with them, as a *CertError; nil for other listeners.
func (o Options) CheckCertificates() error {
	if o.Cert == "" && o.Key == "" {
		return nil
	}
	_, err := newCerts(&o, nil).read()
	return err
}

// load reads the files unless that was done.
func (c *certs) load() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conf != nil {
		return nil
	}
	c.stamps = c.look()
	conf, err := c.read()
	c.conf = conf
	return err
}

// renew reads the files again if they changed, or whether or not they did. What
// cannot be used is said once, and the old certificates hold.
func (c *certs) renew(changed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.look()
	if c.conf == nil || changed && now == c.stamps {
		return
	}
	c.stamps = now
	conf, err := c.read()
	if err != nil {
		hint := ""
		if e := (*CertError)(nil); errors.As(err, &e) {
			hint = e.Remedy
		}
		c.log.Error("new certificates cannot be used; the old ones hold", "err", err, "hint", hint)
		return
	}
	c.conf = conf
	c.log.Info("certificates read again", "cert", c.cert)
}

// config returns the configuration for the next handshake.
func (c *certs) config() (*tls.Config, error) {
	c.renew(true)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conf == nil {
		return nil, errors.New("no certificates")
	}
	return c.conf, nil
}

func (c *certs) look() (stamps [3]stampOf) {
	for i, file := range []string{c.cert, c.key, c.clientCA} {
		if info, err := os.Stat(file); file != "" && err == nil {
			stamps[i] = stampOf{info.ModTime(), info.Size(), true}
		}
	}
	return stamps
}

// read makes a configuration of the files.
func (c *certs) read() (*tls.Config, error) {
	cert, err := readPEM(c.cert)
	if err != nil {
		return nil, err
	}
	key, err := readPEM(c.key)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		why := strings.TrimPrefix(err.Error(), "tls: ")
		return nil, &CertError{
			File: c.cert, Err: fmt.Errorf("does not go with %s: %s", c.key, why),
			Remedy: "cert is the certificate with its chain, key its private key without a passphrase, both in PEM and of the same pair",
		}
	}
	conf := &tls.Config{
		Certificates: []tls.Certificate{pair},
		MinVersion:   tls.VersionTLS12,
		// A ticket would outlive the certificate that it was given for.
		SessionTicketsDisabled: true,
	}
	if c.clientCA == "" {
		return conf, nil
	}
	ca, err := readPEM(c.clientCA)
	if err != nil {
		return nil, err
	}
	conf.ClientCAs = x509.NewCertPool()
	if !conf.ClientCAs.AppendCertsFromPEM(ca) {
		return nil, &CertError{
			File: c.clientCA, Err: errors.New("holds no certificate"),
			Remedy: "client_ca is a PEM file with the certificates of the authorities that sign those of the senders",
		}
	}
	conf.ClientAuth = tls.RequireAndVerifyClientCert
	conf.VerifyConnection = c.verify
	return conf, nil
}

func readPEM(file string) ([]byte, error) {
	b, err := os.ReadFile(file)
	switch {
	case err == nil:
		return b, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, &CertError{File: file, Err: errors.New("there is no such file"), Remedy: "write it there, in PEM, or name the file that it is in"}
	case errors.Is(err, fs.ErrPermission):
		return nil, &CertError{File: file, Err: fs.ErrPermission, Remedy: "run as root, or let the user that runs bailiff read it"}
	}
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		err = path.Err
	}
	return nil, &CertError{File: file, Err: err, Remedy: "name a file that can be read"}
}

// verify takes only clients with one of the names, whose certificate was found good.
func (c *certs) verify(s tls.ConnectionState) error {
	if len(c.allow) == 0 {
		return nil
	}
	names := namesOf(s.PeerCertificates[0])
	if slices.ContainsFunc(names, func(n string) bool {
		return slices.ContainsFunc(c.allow, func(a string) bool { return strings.EqualFold(a, n) })
	}) {
		return nil
	}
	return fmt.Errorf("the certificate of %q is not one of allow_names", names)
}

// namesOf are the names in a certificate: those of its hosts, or if it has none
// the common name of its owner.
func namesOf(c *x509.Certificate) []string {
	if len(c.DNSNames) > 0 {
		return c.DNSNames
	}
	if c.Subject.CommonName != "" {
		return []string{c.Subject.CommonName}
	}
	return nil
}
