//go:build linux && cgo

package journald_test

import (
	"fmt"
	"net"
	"testing"

	"github.com/coreos/go-systemd/v22/sdjournal"

	"bailiff/ingest/journald/journaltest"
)

// BenchmarkMatch reads a journal of 50,000 entries of which some are wanted, with a
// match in libsystemd and without one. It is why the source sets none.
func BenchmarkMatch(b *testing.B) {
	const lines = 50_000
	for _, every := range []int{100, 10, 4, 2, 1} {
		j := journaltest.Start(b)
		conn, err := net.Dial("unixgram", j.DevLog())
		if err != nil {
			b.Fatal(err)
		}
		for i := range lines {
			tag := "cron"
			if i%every == 0 {
				tag = "sshd"
			}
			if _, err := fmt.Fprintf(conn, "<38>%s: Failed password for invalid user admin%d from 198.51.100.7 port 40022 ssh2", tag, i); err != nil {
				b.Fatal(err)
			}
		}
		conn.Close()
		j.Sync()
		for _, match := range []bool{false, true} {
			b.Run(fmt.Sprintf("one of %d, match %v", every, match), func(b *testing.B) {
				for b.Loop() {
					if n := readMatching(b, match); n < lines/every {
						b.Fatalf("%d entries, want %d", n, lines/every)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/lines, "ns/entry")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// readMatching reads what the source reads of every entry and returns how many
// are of sshd.
func readMatching(b *testing.B, match bool) (wanted int) {
	j, err := sdjournal.NewJournal()
	if err != nil {
		b.Fatal(err)
	}
	defer j.Close()
	if match {
		if err := j.AddMatch("SYSLOG_IDENTIFIER=sshd"); err != nil {
			b.Fatal(err)
		}
	}
	for {
		n, err := j.Next()
		if err != nil {
			b.Fatal(err)
		}
		if n == 0 {
			return wanted
		}
		if _, err := j.GetCursor(); err != nil {
			b.Fatal(err)
		}
		for _, name := range []string{"MESSAGE", "SYSLOG_RAW", "_SYSTEMD_UNIT", "_UID", "_PID", "_HOSTNAME"} {
			_, _ = j.GetDataBytes(name) // some have it and some do not
		}
		if id, err := j.GetDataBytes("SYSLOG_IDENTIFIER"); err == nil && string(id) == "SYSLOG_IDENTIFIER=sshd" {
			wanted++
		}
	}
}
