package livetest

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"bailiff/decide"
	"bailiff/enforce/nft/nfttest"
	"bailiff/ingest/journald/journaltest"
	"bailiff/store"
)

const loopbackListener = "[[source.syslog]]\nlisten = \"udp://127.0.0.1:5514\"\n"

func benchBailiff(b *testing.B, config string) *Bailiff {
	b.Helper()
	nfttest.Need(b)
	nfttest.Fresh(b)
	path, err := build()
	if err != nil {
		b.Fatal(err)
	}
	return New(b, path, config)
}

// elements yields the time of every element that the kernel tells its listeners
// was added to a set, which it does when the transaction has been committed.
func elements(b *testing.B) <-chan time.Time {
	b.Helper()
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	if err := conn.JoinGroup(unix.NFNLGRP_NFTABLES); err != nil {
		b.Fatal(err)
	}
	seen := make(chan time.Time, 64)
	go func() {
		const newElement = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_NEWSETELEM
		for {
			messages, err := conn.Receive()
			if err != nil {
				return
			}
			for _, m := range messages {
				if m.Header.Type == newElement {
					seen <- time.Now()
				}
			}
		}
	}()
	return seen
}

// measure lets say write four refusals of a new address and then, with the clock
// running, the fifth, and reports how long the kernel took to have the element.
func measure(b *testing.B, say func(line string)) {
	b.Helper()
	const rounds = 300
	seen := elements(b)
	var took []time.Duration
	for b.Loop() {
		took = took[:0]
		for i := range rounds {
			line := fmt.Sprintf("Failed password for root from 198.18.%d.%d port 4 ssh2", i/250, 1+i%250)
			for range 4 {
				say(line)
			}
			time.Sleep(time.Duration(5+i%7) * time.Millisecond) // out of step with any poll
			start := time.Now()
			say(line)
			select {
			case at := <-seen:
				took = append(took, at.Sub(start))
			case <-time.After(Patience):
				b.Fatal("no ban")
			}
		}
	}
	slices.Sort(took)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}

// BenchmarkUDPToKernel measures from a datagram to the element in the set.
func BenchmarkUDPToKernel(b *testing.B) {
	d := benchBailiff(b, "[source.journald]\nenabled = false\n"+loopbackListener+jailSSH)
	d.Start()
	conn, err := net.Dial("udp", "127.0.0.1:5514")
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	measure(b, func(line string) {
		if _, err := conn.Write([]byte("<86>sshd[7]: " + line)); err != nil {
			b.Fatal(err)
		}
	})
}

// BenchmarkJournalToKernel measures from a write to the journal to the element
// in the set.
func BenchmarkJournalToKernel(b *testing.B) {
	nfttest.Need(b)
	j := journaltest.Start(b)
	d := benchBailiff(b, jailSSH)
	d.Start()
	measure(b, speaker(b, j.Unit("ssh.service")))
}

// remember writes bans that end at until into the store of a daemon that does
// not run.
func remember(b *testing.B, d *Bailiff, n int, at, until time.Time) {
	b.Helper()
	opt := store.DefaultOptions()
	opt.Dir = filepath.Join(d.Dir, "state")
	s, err := store.Open(opt)
	if err != nil {
		b.Fatal(err)
	}
	for i := 0; i < n; {
		var batch store.Batch
		for ; i < n && len(batch.Decisions) < 500; i++ {
			addr := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
			batch.Decisions = append(batch.Decisions, decide.Decision{
				ID: fmt.Sprint(i), Action: decide.Ban, Prefix: netip.PrefixFrom(addr, 32), At: at, Until: until,
				Jail: "sshd", Rule: "sshd/failed-password", Origin: "rules", Strike: 1, Attempts: 5,
				Evidence: slices.Repeat([]string{"Failed password for root from " + addr.String() + " port 40000 ssh2"}, 5),
			})
		}
		if err := s.Commit(batch); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkRestart starts a daemon with 100,000 standing bans, until it is ready,
// beside `nft -f` of the same bans.
func BenchmarkRestart(b *testing.B) {
	const bans = 100_000
	d := benchBailiff(b, "[source.journald]\nenabled = false\n"+loopbackListener+jailSSH)
	remember(b, d, bans, time.Now(), time.Now().Add(time.Hour))
	var text strings.Builder
	text.WriteString("table inet peer {\n set banned4 {\ntype ipv4_addr\nflags timeout\ncounter\nelements = {\n")
	for i := range bans {
		fmt.Fprintf(&text, "10.%d.%d.%d timeout 1h,\n", i>>16, i>>8&255, i&255)
	}
	text.WriteString("}\n}\n}\n")
	file := filepath.Join(b.TempDir(), "peer.nft")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	var own, peer time.Duration
	for b.Loop() {
		nfttest.Fresh(b)
		start := time.Now()
		d.Start()
		own += time.Since(start)
		d.Stop()
		nfttest.Fresh(b)
		start = time.Now()
		nfttest.NFT(b, "-f", file)
		peer += time.Since(start)
		nfttest.NFT(b, "delete", "table", "inet", "peer")
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(own.Seconds()*1000/float64(b.N), "ms")
	b.ReportMetric(peer.Seconds()*1000/float64(b.N), "nft-ms")
	b.ReportMetric(own.Seconds()/peer.Seconds(), "ratio")
}

// BenchmarkAtRest reports the anonymous memory of a daemon, and of its journal
// reader, that remembers 50,000 offenders and has nothing to do.
func BenchmarkAtRest(b *testing.B) {
	nfttest.Need(b)
	journaltest.Start(b)
	d := benchBailiff(b, loopbackListener)
	yesterday := time.Now().Add(-24 * time.Hour)
	remember(b, d, 50_000, yesterday, yesterday.Add(10*time.Minute))
	d.Start()
	for b.Loop() {
		time.Sleep(12 * time.Second)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(rssAnon(b, d.cmd.Process.Pid), "MB")
	for _, pid := range childrenOf(b, d.cmd.Process.Pid) {
		b.ReportMetric(rssAnon(b, pid), "reader-MB")
	}
}

// rssAnon returns RssAnon of /proc/PID/status in megabytes (proc(5)).
func rssAnon(b *testing.B, pid int) float64 {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "RssAnon:")
	var kilobytes float64
	if _, err := fmt.Sscan(rest, &kilobytes); err != nil {
		b.Fatal(err)
	}
	return kilobytes / 1024
}
