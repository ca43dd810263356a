package livetest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bailiff/enforce/nft/nfttest"
)

// quiet is line i of what a busy host says when nobody attacks it.
func quiet(i uint64) []byte {
	n, m := int(i%250), int(i%199)
	var text string
	switch i % 9 {
	case 0:
		text = fmt.Sprintf("systemd[1]: Started session-%d.scope - Session %d of User alice.", n, m)
	case 1:
		text = fmt.Sprintf("CRON[%d]: (root) CMD (test -x /usr/sbin/anacron || run-parts /etc/cron.daily) %d", n, m)
	case 2:
		text = fmt.Sprintf("kernel: [%d.000000] eth0: renamed from veth%d", n, m)
	case 3:
		text = fmt.Sprintf("postfix/smtpd[%d]: connect from mail.example.org[192.0.2.%d]", n, m)
	case 4:
		text = fmt.Sprintf("nginx: 192.0.2.%d - - \"GET /index.html?page=%d HTTP/1.1\" 200 5123 \"-\" \"Mozilla/5.0\"", n, m)
	case 5:
		text = fmt.Sprintf("dhclient[%d]: DHCPACK of 192.0.2.%d from 192.0.2.1", n, m)
	case 6:
		text = fmt.Sprintf("sshd[%d]: pam_unix(sshd:session): session opened for user alice(uid=%d) by (uid=0)", n, m)
	case 7:
		text = fmt.Sprintf("asterisk[%d]: VERBOSE[%d]: pbx.c:4371 in pbx_extension_helper: Executing [101@internal:1] Dial(\"PJSIP/102\", \"PJSIP/101\") in new stack", n, m)
	default:
		text = fmt.Sprintf("snmpd[%d]: Connection from UDP: [192.0.2.%d]:40%03d->[192.0.2.1]:161", n, m, n)
	}
	return []byte("<30>Nov 23 10:11:12 host " + text)
}

// BenchmarkBesideRsyslog sends the same lines to bailiff, where they match nothing,
// and to an rsyslogd that writes them to a file, and reports what a line costs each
// of them in processor time, from the socket on.
func BenchmarkBesideRsyslog(b *testing.B) {
	const perSecond, lasts = 100_000, 3 * time.Second
	lines := make([][]byte, 9*250*199/9)
	for i := range lines {
		lines[i] = quiet(uint64(i))
	}
	line := func(i uint64) []byte { return lines[i%uint64(len(lines))] }

	nfttest.Need(b)
	nfttest.Fresh(b)
	d := benchBailiff(b, "[source.journald]\nenabled = false\n"+loopbackListener)
	d.Start()
	var own, peer time.Duration
	var read, written uint64
	for b.Loop() {
		s := newSender(b, 5514)
		before, had := processorTime(b, d.cmd.Process.Pid), d.Count("udp", "received")
		sent, _ := s.flood(b, perSecond, lasts, line)
		Eventually(b, "bailiff to have read all", func() bool { return d.Count("udp", "received")+d.Count("udp", "lost")-had >= sent })
		own, read = processorTime(b, d.cmd.Process.Pid)-before, d.Count("udp", "unmatched")-had
		d.Stop()

		out, pid := fileRsyslog(b, 5516)
		s = newSender(b, 5516)
		before = processorTime(b, pid)
		sent, _ = s.flood(b, perSecond, lasts, line)
		written = settled(b, out, sent)
		peer = processorTime(b, pid) - before
	}
	each := func(t time.Duration, lines uint64) float64 { return float64(t.Nanoseconds()) / float64(max(lines, 1)) }
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(read), "lines")
	b.ReportMetric(each(own, read), "cpu-ns/line")
	b.ReportMetric(float64(written), "rsyslog-lines")
	b.ReportMetric(each(peer, written), "rsyslog-cpu-ns/line")
	b.ReportMetric(each(own, read)/each(peer, written), "ratio")
}

// fileRsyslog runs an rsyslogd that writes what a UDP port is sent to a file.
func fileRsyslog(b *testing.B, port int) (out string, pid int) {
	b.Helper()
	dir := b.TempDir()
	out, conf := filepath.Join(dir, "out"), filepath.Join(dir, "rsyslog.conf")
	text := fmt.Sprintf(`
global(workDirectory=%q)
module(load="imudp")
input(type="imudp" address="127.0.0.1" port="%d" rcvbufSize="8m")
action(type="omfile" file=%q template="RSYSLOG_FileFormat")
`, dir, port, out)
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command("rsyslogd", "-n", "-f", conf, "-i", filepath.Join(dir, "pid"))
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		b.Fatalf("start rsyslogd (package rsyslog): %v", err)
	}
	b.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	s := newSender(b, port)
	Eventually(b, "rsyslogd to write", func() bool {
		_ = s.try([]byte("<30>Nov 23 10:11:12 host test: is it there?"))
		return size(out) > 0
	})
	return out, cmd.Process.Pid
}

// settled waits until the file of rsyslogd has all lines, or no more of them come,
// and returns how many came.
func settled(b *testing.B, path string, want uint64) (lines uint64) {
	b.Helper()
	still := 0
	for last := int64(-1); still < 20; time.Sleep(50 * time.Millisecond) {
		if now := size(path); now == last {
			still++
		} else {
			last, still = now, 0
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	return min(want, uint64(bytes.Count(text, []byte("\n"))))
}

func size(path string) int64 {
	if info, err := os.Stat(path); err == nil {
		return info.Size()
	}
	return 0
}

// processorTime is what a process and its threads have used so far: the 14th and
// 15th field of /proc/PID/stat, in hundredths of a second (proc(5)).
func processorTime(b *testing.B, pid int) time.Duration {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	var state string
	var user, system, skip int64
	if _, err := fmt.Sscan(rest, &state, &skip, &skip, &skip, &skip, &skip, &skip, &skip, &skip, &skip, &skip, &user, &system); err != nil {
		b.Fatal(err)
	}
	return time.Duration(user+system) * 10 * time.Millisecond
}
