package main

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"bailiff/ingest/stream"
)

// BenchmarkCount is `match --count` with all shipped packs on a log in which one
// line in fifty is an attack.
func BenchmarkCount(b *testing.B) {
	tail := []string{
		"cron[12]: (root) CMD (run-parts /etc/cron.hourly)",
		"systemd[1]: Started Session 4 of user root.",
		"kernel: [12.3] eth0: link up",
		"postfix/smtpd[99]: connect from unknown[203.0.113.7]",
		"sshd[812]: Connection closed by 198.51.100.9 port 4242",
		"sshd[812]: pam_unix(sshd:session): session opened for user deploy(uid=1000) by (uid=0)",
		"asterisk[77]: VERBOSE[88][C-00000001]: pbx.c:2900 in pbx_extension_helper: Executing [s@macro:1]",
		`nginx: 203.0.113.5 - - "GET / HTTP/1.1" 200 12`,
	}
	var log bytes.Buffer
	const lines = 100_000
	for i := range lines {
		text := tail[i%len(tail)]
		if i%50 == 0 {
			text = fmt.Sprintf("sshd[%d]: Failed password for root from 203.0.113.%d port 51000 ssh2", i%9999+1, i%250)
		}
		fmt.Fprintf(&log, "<86>Nov 23 10:%02d:%02d host %s\n", i/60%60, i%60, text)
	}
	set, err := (&flags{}).matcher(nil)
	if err != nil {
		b.Fatal(err)
	}
	cmd := newRoot()
	cmd.SetOut(io.Discard)
	b.SetBytes(int64(log.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if err := (&flags{}).count(cmd, set, bytes.NewReader(log.Bytes()), stream.DefaultOptions()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(lines)*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
}
