package syslog_test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bailiff/ingest"
	"bailiff/ingest/syslog"
)

// Each line says whose it is and how far that is known, and has an identifier.
func TestListenerSigns(t *testing.T) {
	low := ingest.TrustLow
	origins, err := ingest.NewOrigins(ingest.Origin{Name: "office", From: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Trust: &low})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		listen string
		change func(*syslog.Options)
		want   string
	}{
		{"udp://127.0.0.1:0", nil, "127.0.0.1 normal"},
		{"tcp://127.0.0.1:0", nil, "127.0.0.1 normal"},
		{"udp://127.0.0.1:0", func(o *syslog.Options) { o.Origins = origins }, "office low"},
		{"tcp://127.0.0.1:0", func(o *syslog.Options) { o.Trust = &low }, "127.0.0.1 low"},
		{unixgram(t), func(o *syslog.Options) { o.Origins = origins }, fmt.Sprintf("uid %d high", os.Getuid())},
	} {
		l := newListener(t, tt.listen, func(o *syslog.Options) {
			o.Identifier = "audiocodes"
			if tt.change != nil {
				tt.change(o)
			}
		})
		if err := l.Bind(); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var got []string
		done := make(chan error, 1)
		go func() {
			done <- l.Run(ctx, func(e *ingest.Entry) {
				got = append(got, fmt.Sprintf("%s %v %s", e.Origin, e.Trust, e.Identifier))
				if len(got) == 2 {
					cancel()
				}
			})
		}()
		c := dial(t, l)
		for _, line := range []string{"<38>no tag here\n", "<38>Nov 23 01:38:44 vm sshd[1]: with one\n"} {
			if _, err := c.Write([]byte(line)); err != nil {
				t.Fatal(err)
			}
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		slices.Sort(got)
		if diff := cmp.Diff([]string{tt.want + " audiocodes", tt.want + " sshd"}, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", tt.listen, diff)
		}
	}
}
