package livetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bailiff/cmd/internal/admin"
	"bailiff/enforce/nft/nfttest"
)

// farAddress is that of the machine of the pages that forwards its log to ourAddress.
const farAddress = "198.51.100.7"

// one attempt is enough, and every attempt is another's.
const jailAtOnce = `
[jail.sshd]
packs = ["sshd"]
max_retry = 1
`

// guesses are messages of sshd, each about an address of its own. Whoever tries to log
// in chooses the name.
func guesses() (all []string) {
	names := []string{
		"root", "a b", "x[1]: y", `"q" 'r'`, "ünïcödé", "%s%n", `back\slash\n`, "{\"a\":1}", "<38>Nov 23 01:38:44 host other[1]:",
		"#033", "1 2026-11-23T01:38:44Z h a - - -", "=;,|&", strings.Repeat("long ", 30), "", "*.*", "$msg", "%jsonmesg%", "${MESSAGE}",
	}
	for i := range 200 {
		all = append(all, fmt.Sprintf("Failed password for invalid user %s from 203.0.113.%d port %d ssh2", names[i%len(names)], i+1, 40000+i))
	}
	return all
}

// neighbour is a syslog daemon that a page is about.
type neighbour struct {
	page, language string
	// head is in front of the block: it reads TCP on port 10514 of loopback.
	head string
	// command runs it on the configuration at conf, with dir for its own files.
	command func(t *testing.T, host *nfttest.Host, conf, dir string) *exec.Cmd
}

var rsyslog = neighbour{
	page: "rsyslog.md", language: "rsyslog",
	head: "global(workDirectory=\"DIR\")\nmodule(load=\"imtcp\")\ninput(type=\"imtcp\" address=\"127.0.0.1\" port=\"10514\")\n",
	command: func(t *testing.T, host *nfttest.Host, conf, dir string) *exec.Cmd {
		return host.Command("rsyslogd", "-n", "-f", conf, "-i", filepath.Join(dir, "pid"))
	},
}

var syslogNG = neighbour{
	page: "syslog-ng.md", language: "syslog-ng",
	head: "@version: 3.38\n@module affile\n@module afsocket\n@module afprog\n@module json-plugin\n@module disk-buffer\n@module syslogformat\n@module basicfuncs\n" +
		"options { chain_hostnames(off); keep_hostname(yes); use_dns(no); stats_freq(0); };\n" +
		"source s_src { network(ip(127.0.0.1) port(10514) transport(\"tcp\") log-msg-size(65536)); };\n",
	command: func(t *testing.T, host *nfttest.Host, conf, dir string) *exec.Cmd {
		program, lib, modules := "syslog-ng", "", ""
		if _, err := exec.LookPath(program); err != nil {
			root, err := filepath.Abs("../../../.run/debian/syslog-ng-core/usr")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(root); err != nil {
				t.Fatalf("no syslog-ng: make test-packages unpacks it: %v", err)
			}
			program, lib = filepath.Join(root, "sbin/syslog-ng"), filepath.Join(root, "lib/syslog-ng")
			modules = "--module-path=" + filepath.Join(lib, "3.38")
		}
		args := []string{"-F", "--no-caps", "-f", conf, "-p", filepath.Join(dir, "pid"), "-c", filepath.Join(dir, "ctl"), "-R", filepath.Join(dir, "persist")}
		if modules != "" {
			args = append(args, modules)
		}
		cmd := host.Command(program, args...)
		cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+lib)
		cmd.Dir = dir
		return cmd
	},
}

// start runs the neighbour with a block of its page on a host, and returns what is
// written to its input.
func (n *neighbour) start(t *testing.T, host *nfttest.Host, block string) net.Conn {
	t.Helper()
	dir := t.TempDir()
	conf := filepath.Join(dir, "conf")
	if err := os.WriteFile(conf, []byte(strings.ReplaceAll(n.head, "DIR", dir)+block), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := n.command(t, host, conf, dir)
	var log lockedBuffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", n.language, err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s said:\n%s", n.language, log.String())
		}
	})
	var conn net.Conn
	Eventually(t, n.language+" to listen", func() (ok bool) {
		host.Do(t, func() {
			var err error
			conn, err = net.Dial("tcp", "127.0.0.1:10514")
			ok = err == nil
		})
		return ok
	})
	t.Cleanup(func() { conn.Close() })
	return conn
}

// evidenceOf returns the evidence of the bans in lines of JSON, the others of which are
// passed over.
func evidenceOf(text string) (evidence []string) {
	for line := range strings.Lines(text) {
		var d admin.Decision
		if json.Unmarshal([]byte(line), &d) == nil && d.Action == "ban" {
			evidence = append(evidence, d.Evidence...)
		}
	}
	slices.Sort(evidence)
	return evidence
}

// TestPipelines runs each block of the pages about neighbours in Debian as it stands: 200
// attempts go in, and each comes out as a ban whose evidence is what was written.
func TestPipelines(t *testing.T) {
	nfttest.Need(t)
	for _, n := range []*neighbour{&rsyslog, &syslogNG} {
		for _, name := range Snippets(t, n.page, n.language) {
			t.Run(n.language+" "+name, func(t *testing.T) { n.run(t, strings.TrimSuffix(name, ".conf")) })
		}
	}
}

func (n *neighbour) run(t *testing.T, name string) {
	nfttest.Fresh(t)
	nfttest.Address(t, ourAddress)
	there := nfttest.NewHost(t, "there", farAddress)
	blocks := Snippet(t, n.page, n.language, name+".conf")
	way := name
	if name == "file" { // is another input, for any way
		way = "tcp"
		blocks += Snippet(t, n.page, n.language, way+".conf")
	}
	config := "[source.journald]\nenabled = false\n"
	if slices.Contains(Snippets(t, n.page, "toml"), way+".toml") {
		config += Snippet(t, n.page, "toml", way+".toml")
	}
	b := newBailiff(t, config+jailAtOnce)
	dir := t.TempDir()
	output, logFile := filepath.Join(dir, "decisions"), filepath.Join(dir, "security_log")
	block := strings.NewReplacer(
		"/usr/local/sbin/bailiff pipe", b.Binary+" pipe --config "+b.Config,
		"/var/log/bailiff.json", output,
		"/var/log/asterisk/security_log", logFile,
		`"asterisk:"`, `"sshd:"`, // of which the attempts are
	).Replace(blocks)

	result := func() string { return b.Log() }
	if strings.Contains(block, output) {
		result = func() string { text, _ := os.ReadFile(output); return string(text) }
	} else {
		b.Start("--json")
	}
	in, header := io.Writer(n.start(t, there, block)), "<86>Nov 23 10:11:12 there sshd[7]: "
	if name == "file" {
		file, err := os.OpenFile(logFile, os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		in, header = file, ""
	}
	var want []string
	var text bytes.Buffer
	for _, message := range guesses() {
		want = append(want, admin.Safe(message))
		fmt.Fprintf(&text, "%s%s\n", header, message)
	}
	if _, err := in.Write(text.Bytes()); err != nil {
		t.Fatal(err)
	}
	slices.Sort(want)
	defer func() {
		if diff := cmp.Diff(want, evidenceOf(result())); diff != "" {
			t.Errorf("(-want +got):\n%.4000s", diff)
		}
	}()
	Eventually(t, "200 decisions", func() bool { return len(evidenceOf(result())) >= len(want) })
}
