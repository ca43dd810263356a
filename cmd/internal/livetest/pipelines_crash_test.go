package livetest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bailiff/cmd/internal/admin"
	"bailiff/enforce/nft/nfttest"
	"bailiff/ingest/journald/journaltest"
)

// say writes messages of sshd to a syslog daemon.
func say(t *testing.T, in io.Writer, messages []string) {
	t.Helper()
	var text bytes.Buffer
	for _, m := range messages {
		fmt.Fprintf(&text, "<86>Nov 23 10:11:12 there sshd[7]: %s\n", m)
	}
	if _, err := in.Write(text.Bytes()); err != nil {
		t.Fatal(err)
	}
}

// safe are the messages as decisions show them, in order.
func safe(messages []string) []string {
	var out []string
	for _, m := range messages {
		out = append(out, admin.Safe(m))
	}
	slices.Sort(out)
	return out
}

// TestPipelineCrash kills the program behind rsyslog's omprog amid its work: each line that it had
// not confirmed comes again, and every line is decided.
func TestPipelineCrash(t *testing.T) {
	nfttest.Need(t)
	nfttest.Fresh(t)
	there := nfttest.NewHost(t, "there", farAddress)
	b := newBailiff(t, jailAtOnce)
	output := filepath.Join(t.TempDir(), "decisions")
	block := strings.NewReplacer(
		"/usr/local/sbin/bailiff pipe", b.Binary+" pipe --config "+b.Config,
		"/var/log/bailiff.json", output, "/var/log/bailiff-pipe.log", output+".errors",
		`action.resumeInterval="5"`, `action.resumeInterval="1"`, // which the test would wait for
	).Replace(Snippet(t, "rsyslog.md", "rsyslog", "omprog.conf"))
	result := func() []string { text, _ := os.ReadFile(output); return evidenceOf(string(text)) }
	in := rsyslog.start(t, there, block)
	all := guesses()
	const part = 100
	for i := 0; i < len(all); i += part {
		say(t, in, all[i:i+part])
		Eventually(t, "some decisions", func() bool { return len(result()) > i })
		if i+part == len(all) {
			break
		}
		pid, ok := stageWriting(output)
		if !ok {
			t.Fatal("no bailiff pipe runs")
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	want := safe(all)
	// A line that was decided and not confirmed is decided twice.
	Eventually(t, "200 decisions", func() bool { return len(slices.Compact(result())) >= len(want) })
	if diff := cmp.Diff(want, slices.Compact(result())); diff != "" {
		t.Errorf("(-want +got):\n%.4000s", diff)
	}
}

// stageWriting finds the process of a bailiff pipe that writes to output.
func stageWriting(output string) (pid int, ok bool) {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		text, _ := os.ReadFile(file)
		args := strings.Split(string(text), "\x00")
		if slices.Contains(args, "pipe") && slices.Contains(args, output) {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			return pid, err == nil
		}
	}
	return 0, false
}

// TestPipelineOutage has bailiff away while rsyslog and syslog-ng go on: what their queues
// hold comes when it is back.
func TestPipelineOutage(t *testing.T) {
	nfttest.Need(t)
	for _, n := range []*neighbour{&rsyslog, &syslogNG} {
		t.Run(n.language, func(t *testing.T) {
			nfttest.Fresh(t)
			nfttest.Address(t, ourAddress)
			there := nfttest.NewHost(t, "there", farAddress)
			b := newBailiff(t, "[source.journald]\nenabled = false\n"+Snippet(t, n.page, "toml", "tcp.toml")+jailAtOnce)
			b.Start("--json")
			in := n.start(t, there, Snippet(t, n.page, n.language, "tcp.conf"))
			all := guesses()
			say(t, in, all[:100])
			Eventually(t, "the first decisions", func() bool { return len(evidenceOf(b.Log())) >= 100 })
			b.Stop()
			say(t, in, all[100:])
			b.Start("--json")
			Eventually(t, "the others", func() bool { return len(evidenceOf(b.Log())) >= 200 })
			if diff := cmp.Diff(safe(all), evidenceOf(b.Log())); diff != "" {
				t.Errorf("(-want +got):\n%.4000s", diff)
			}
		})
	}
}

// TestJournalctlToPipe reads a real journal with journalctl, in both forms that carry
// fields, also of a message that is no text.
func TestJournalctlToPipe(t *testing.T) {
	nfttest.Need(t)
	journaltest.Start(t)
	all := append(guesses(), "Failed password for invalid user \xff\x01 from 203.0.113.250 port 4 ssh2")
	conn := nativeJournal(t)
	for _, m := range all {
		if _, err := fmt.Fprintf(conn, "MESSAGE\n%s%s\nSYSLOG_IDENTIFIER=sshd\n", binary.LittleEndian.AppendUint64(nil, uint64(len(m))), m); err != nil {
			t.Fatal(err)
		}
	}
	b := newBailiff(t, jailAtOnce)
	for _, form := range []struct{ journalctl, pipe string }{{"json", "ndjson"}, {"json", "auto"}, {"export", "journal-export"}, {"export", "auto"}} {
		t.Run(form.journalctl+" as "+form.pipe, func(t *testing.T) {
			var got []string
			Eventually(t, "the journal to have all", func() bool {
				if out, err := exec.Command("journalctl", "--sync").CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
				text, err := exec.Command("journalctl", "-o", form.journalctl, "--no-pager", "-t", "sshd").Output()
				if err != nil {
					t.Fatal(err)
				}
				stage := exec.Command(b.Binary, "pipe", "--config", b.Config, "--format", form.pipe)
				stage.Stdin = bytes.NewReader(text)
				out, err := stage.Output()
				if err != nil {
					t.Fatal(err)
				}
				got = evidenceOf(string(out))
				return len(got) >= len(all)
			})
			if diff := cmp.Diff(safe(all), got); diff != "" {
				t.Errorf("(-want +got):\n%.4000s", diff)
			}
		})
	}
}
