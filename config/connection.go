package config

import (
	"errors"
	"io/fs"
	"strings"

	"bailiff/ingest/syslog"
)

// Connections is what a listener says of the network and of those who connect.
type Connections struct {
	// Interface is the network interface that lines must come by; empty means any.
	Interface string
	// Cert, Key and ClientCA are files of a TLS listener: its certificate, the key
	// of that, and the authorities of its clients; empty asks for no certificate.
	Cert, Key, ClientCA string
	// AllowNames are the names of the clients whose lines are taken; none means all
	// that ClientCA vouches for.
	AllowNames []string
	// MaxConns and MaxConnsPerSender are how many connections there may be; 0 is
	// the default of the listener.
	MaxConns, MaxConnsPerSender int
}

// connections reads the keys of connections; Options.Validate knows where they
// mean something.
func (c *Connections) connections(t *table) {
	if t.string("interface", &c.Interface) && c.Interface == "" {
		t.fail(t.key("interface"), "leave it out for any interface", "is empty")
	}
	t.absolute("cert", &c.Cert)
	t.absolute("key", &c.Key)
	t.absolute("client_ca", &c.ClientCA)
	t.each("allow_names", false, func(path, name string) {
		if strings.TrimSpace(name) == "" {
			t.fail(path, "", "is empty")
			return
		}
		c.AllowNames = append(c.AllowNames, name)
	})
	if t.has("allow_names") && len(c.AllowNames) == 0 {
		t.fail(t.key("allow_names"), "leave it out for every name that client_ca vouches for", "is empty: nobody could send")
	}
	t.count("max_conns", 1, &c.MaxConns)
	t.count("max_conns_per_sender", 1, &c.MaxConnsPerSender)
}

// certificates says at which key there is something wrong with a file. What this
// user may not read, the daemon may.
func (c *Connections) certificates(t *table, opts syslog.Options) {
	err := opts.CheckCertificates()
	var bad *syslog.CertError
	if !errors.As(err, &bad) || errors.Is(err, fs.ErrPermission) {
		return
	}
	key := "cert"
	switch bad.File {
	case c.Key:
		key = "key"
	case c.ClientCA:
		key = "client_ca"
	}
	t.fail(t.key(key), bad.Remedy, "%v", bad)
}

// set sets what the listener says in its options.
func (c *Connections) set(opts *syslog.Options) {
	opts.Interface = c.Interface
	opts.Cert, opts.Key, opts.ClientCA, opts.AllowNames = c.Cert, c.Key, c.ClientCA, c.AllowNames
	if c.MaxConns > 0 {
		opts.MaxConns = c.MaxConns
	}
	if c.MaxConnsPerSender > 0 {
		opts.MaxConnsPerSender = c.MaxConnsPerSender
	}
}
