package livetest

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"bailiff/enforce/nft/nfttest"
	"bailiff/ingest/journald/journaltest"
)

// TestAccountsBalance sends to every source at once. Meanwhile the reader of the
// journal is killed, and bailiff reloads, stops and is started again. Every status
// must be able to say what became of each line, and in the end what bailiff says it
// received is what was sent.
func TestAccountsBalance(t *testing.T) {
	nfttest.Need(t)
	nfttest.Fresh(t)
	j := journaltest.Start(t)
	say := speaker(t, j.Unit("ssh.service"))
	dir := t.TempDir()
	b := newBailiff(t, fmt.Sprintf(`
[[source.syslog]]
listen = "udp://127.0.0.1:5514"
[[source.syslog]]
listen = "tcp://127.0.0.1:5515"
[[source.syslog]]
listen = "unixgram://%s"
[[source.file]]
name = "secure"
path = [%q]
%s`, filepath.Join(dir, "log.sock"), filepath.Join(dir, "secure*"), jailSSH))
	log, err := os.Create(filepath.Join(dir, "secure"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	b.Start()

	const lines = 5000
	line := func(n int) string {
		return fmt.Sprintf("Failed password for root from 198.51.100.%d port 4 ssh2", n%250+1)
	}
	header := func(n int) string { return "<86>Nov 23 10:11:12 pbx sshd[7]: " + line(n) }
	var senders sync.WaitGroup
	network := func(name, address, end string) {
		c, err := net.Dial(name, address)
		if err != nil {
			t.Fatal(err)
		}
		senders.Go(func() {
			defer c.Close()
			for n := range lines {
				if _, err := io.WriteString(c, header(n)+end); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	network("udp", "127.0.0.1:5514", "")
	network("tcp", "127.0.0.1:5515", "\n")
	network("unixgram", filepath.Join(dir, "log.sock"), "")
	// What the journal and the file are told goes on through all that follows.
	halfway := make(chan struct{})
	senders.Go(func() {
		for n := range lines {
			say(line(n))
			if _, err := io.WriteString(log, header(n)+"\n"); err != nil {
				t.Error(err)
			}
			if n == lines/2 {
				close(halfway)
			}
		}
	})

	for i := range 6 {
		b.Status() // which balances
		if i%2 == 0 {
			for _, pid := range childrenOf(t, b.cmd.Process.Pid) {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		} else if out, err := b.Command("reload").CombinedOutput(); err != nil {
			t.Errorf("reload: %v\n%s", err, out)
		}
	}
	all := func(source string, fates ...string) (n uint64) {
		for _, fate := range fates {
			n += b.Count(source, fate)
		}
		return n
	}
	Eventually(t, "what was sent to the network to arrive", func() bool {
		return all("udp", "received", "lost") == lines && all("tcp", "received") == lines && all("unixgram", "received") == lines
	})
	b.Status()
	<-halfway
	b.Stop()
	b.Start()
	senders.Wait()
	for _, source := range []string{"journald", "secure"} {
		said := decided(t, b.Log(), source)
		Eventually(t, source+" to be read to its end", func() bool {
			return said+all(source, "decided") >= lines
		})
		if got := said + all(source, "decided"); got != lines {
			t.Errorf("%d lines of %s were decided, want %d", got, source, lines)
		}
	}
	b.Stop()
	if log := b.Log(); strings.Count(log, "account of a source") != 10 {
		t.Errorf("%s", log)
	}
}

// decided is what the log says at the end of a source.
func decided(t *testing.T, log, source string) uint64 {
	t.Helper()
	said := regexp.MustCompile(`account of a source.* source=` + source + ` .*decided=(\d+)`).FindStringSubmatch(log)
	if said == nil {
		t.Fatalf("no account of %s in %s", source, log)
	}
	n, err := strconv.ParseUint(said[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// childrenOf lists the processes that a process has started.
func childrenOf(t testing.TB, pid int) (pids []int) {
	t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, thread := range threads {
		text, _ := os.ReadFile(thread) // the thread may be gone
		for field := range strings.FieldsSeq(string(text)) {
			child, err := strconv.Atoi(field)
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, child)
		}
	}
	return pids
}
