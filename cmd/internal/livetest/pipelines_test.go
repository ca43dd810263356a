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

	"github.com/BurntSushi/toml"
	"github.com/google/go-cmp/cmp"

	"bailiff/cmd/internal/admin"
	"bailiff/config"
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
	dir := t.TempDir()
	if way == "tls" {
		blocks, config = certified(t, dir, blocks), certified(t, dir, config)
	}
	b := newBailiff(t, config+jailAtOnce)
	output, logFile := filepath.Join(dir, "decisions"), filepath.Join(dir, "security_log")
	block := strings.NewReplacer(
		"/usr/local/sbin/bailiff pipe", b.Binary+" pipe --config "+b.Config,
		"/var/log/bailiff.json", output, "/var/log/bailiff-pipe.log", filepath.Join(dir, "errors"),
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

// certified makes the certificates as the page says, the first time, and has text name
// them where they are. Who has no name server knows bailiff by /etc/hosts; here it is
// known by its address, which the certificate must then hold as well.
func certified(t *testing.T, dir, text string) string {
	t.Helper()
	if _, err := os.Stat(filepath.Join(dir, "ca.pem")); err != nil {
		script := strings.Replace(Snippet(t, "rsyslog.md", "sh", "certificates.sh"), "DNS:%s.example.com", "DNS:%s.example.com,IP:"+ourAddress, 1)
		cmd := exec.Command("sh", "-euc", script)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	return strings.NewReplacer(
		"/etc/bailiff/tls/", dir+"/", "/etc/rsyslog-tls/", dir+"/", "/etc/syslog-ng/tls/", dir+"/",
		`syslog("bailiff.example.com"`, `syslog("`+ourAddress+`"`,
	).Replace(text)
}

// TestPBXPages forwards the lines of a PBX with the blocks of its page: what each block
// selects arrives, and bans.
func TestPBXPages(t *testing.T) {
	nfttest.Need(t)
	for _, tc := range []struct{ page, name, line string }{
		{"asterisk.md", "pbx", "<133>Nov 23 10:11:12 pbx asterisk[7820]: NOTICE[7820]: chan_sip.c:29058 in handle_request_register: Registration from '<sip:101@192.0.2.10>' failed for '203.0.113.%d:5060' - Wrong password\n"},
		{"freeswitch.md", "freeswitch", "<12>Nov 23 10:11:12 pbx freeswitch[812]: 2026-11-23 10:11:12.172833 97.43%% [WARNING] sofia_reg.c:1842 SIP auth failure (REGISTER) on sofia profile 'internal' for [1000@192.0.2.10] from ip 203.0.113.%d\n"},
	} {
		t.Run(tc.page, func(t *testing.T) {
			nfttest.Fresh(t)
			nfttest.Address(t, ourAddress)
			there := nfttest.NewHost(t, "there", farAddress)
			b := newBailiff(t, "[source.journald]\nenabled = false\n"+Snippet(t, tc.page, "toml", tc.name+".toml")+
				"[ceiling]\nspoofable = 0\n[jail.pbx]\npacks = [\"asterisk\", \"freeswitch\"]\nmax_retry = 1\nspoofable = \"full\"\n")
			b.Start()
			in := rsyslog.start(t, there, Snippet(t, tc.page, "rsyslog", tc.name+".conf"))
			for i := range 200 {
				if _, err := fmt.Fprintf(in, "<30>Nov 23 10:11:12 pbx cron[1]: not for bailiff\n"+tc.line, i+1); err != nil {
					t.Fatal(err)
				}
			}
			Eventually(t, "200 bans", func() bool { return len(b.Bans()) == 200 })
			if n := b.Count("tcp", "received"); n != 200 {
				t.Errorf("%d lines arrived, want 200: the block selects others", n)
			}
		})
	}
}

// TestPagesLoad holds each configuration of bailiff on the pages to what bailiff loads, and
// what the pages say that others print to what bailiff reads: each line matches.
func TestPagesLoad(t *testing.T) {
	program, err := build()
	if err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob(filepath.Join(docs, "*.md"))
	if err != nil || len(pages) == 0 {
		t.Fatalf("no pages: %v", err)
	}
	for _, path := range pages {
		page := filepath.Base(path)
		for _, name := range Snippets(t, page, "toml") {
			t.Run(page+" "+name, func(t *testing.T) {
				text := Snippet(t, page, "toml", name)
				if page == "vector.md" {
					var any map[string]any
					if err := toml.Unmarshal([]byte(text), &any); err != nil {
						t.Error(err)
					}
					return
				}
				dir := t.TempDir()
				if strings.Contains(text, "/etc/bailiff/tls/") {
					text = certified(t, dir, text)
				}
				file := filepath.Join(dir, name)
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				if _, err := config.Load(file); err != nil {
					t.Error(err)
				}
			})
		}
		for _, name := range Snippets(t, page, "json") {
			t.Run(page+" "+name, func(t *testing.T) {
				text := Snippet(t, page, "json", name)
				cmd := exec.Command(program, "match", "--format", "ndjson", "--json")
				cmd.Stdin = strings.NewReader(text)
				out, err := cmd.CombinedOutput()
				if got, want := bytes.Count(out, []byte(`"event":"failure","addr":"203.0.113.9"`)), strings.Count(text, "\n"); err != nil || got != want {
					t.Errorf("%d of %d lines match: %v\n%s", got, want, err, out)
				}
			})
		}
	}
}
