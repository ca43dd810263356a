package config

import (
	"reflect"
	"testing"
	"time"

	"bailiff/ingest/syslog"
)

func TestStoreRemembersLongEnough(t *testing.T) {
	for _, tc := range []struct {
		name, text     string
		retain, window time.Duration
	}{
		{"default", "", 91 * day, day + 10*time.Minute},
		{"the longest find_time", "[jail.a]\npacks=['a']\nfind_time='2h'\n[jail.b]\npacks=['b']\nfind_time='1h'", 91 * day, day + 2*time.Hour},
		{"forever", "escalation.forget_after = 'forever'", 0, day + 10*time.Minute},
		{"as good as forever", "escalation.forget_after = '106751d'", 0, day + 10*time.Minute},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, err := Parse("f", []byte(tc.text))
			if err != nil {
				t.Fatal(err)
			}
			opts := c.Store(nil)
			if opts.Retain != tc.retain || opts.RetainWindow != tc.window || opts.Dir != DefaultStateDir {
				t.Errorf("Store = %+v, want to retain %v, windows %v", opts, tc.retain, tc.window)
			}
			if err := opts.Validate(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestDecide(t *testing.T) {
	for _, name := range []string{"empty.toml", "design.toml", "everything.toml"} {
		c := parseGood(t, name)
		opts := c.Decide()
		if err := opts.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !reflect.DeepEqual(opts.Escalation, c.Escalation) {
			t.Errorf("%s: escalation %+v, want %+v", name, opts.Escalation, c.Escalation)
		}
		for _, j := range opts.Jails {
			if j.Name == "z" {
				t.Error("a jail that is not enabled judges")
			}
		}
	}
	if got := len(parseGood(t, "everything.toml").Decide().Jails); got != 1 {
		t.Errorf("%d jails, want the one that is enabled", got)
	}
}

func TestSourceOptions(t *testing.T) {
	c := parseGood(t, "everything.toml")
	if j := c.Journald[0].Options(); j.Dir != "/var/log/journal/remote" || j.Validate() != nil {
		t.Errorf("Journal = %+v, %v", j, j.Validate())
	}
	if j := c.Journald[1].Options(); j.Namespace != "pbx" || j.Name != "journald-pbx" || j.Validate() != nil {
		t.Errorf("options of the namespace: %+v, %v", j, j.Validate())
	}
	udp, local := c.Syslog[1].Options(), c.Syslog[2].Options()
	if udp.Listen != "udp://0.0.0.0:514" || udp.Path != syslog.PathOpen || len(udp.AllowFrom) != 1 {
		t.Errorf("options of the UDP listener: %+v", udp)
	}
	if local.Path != "" || len(local.AllowUID) != 2 || local.MaxSkew != 5*time.Second {
		t.Errorf("options of the unix listener: %+v", local)
	}
}
