package livetest

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"bailiff/enforce/nft/nfttest"
)

// fails starts the daemon, which must not come up: it has to exit with the code
// and say what is wrong in one line that holds want, and a hint.
func (b *Bailiff) fails(cmd *exec.Cmd, code int, want string) {
	b.t.Helper()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != code {
		b.t.Fatalf("bailiff ended with %v, want exit code %d\n%s", err, code, &stderr)
	}
	b.t.Logf("%s", &stderr)
	var said, hints []string
	for line := range strings.Lines(stderr.String()) {
		switch {
		case strings.HasPrefix(line, "bailiff: "):
			said = append(said, line)
		case strings.HasPrefix(line, "hint: "):
			hints = append(hints, line)
		}
	}
	if len(said) != 1 || len(hints) != 1 || !strings.Contains(said[0], want) {
		b.t.Errorf("bailiff said\n%s\nwant one line with %q, and one hint", &stderr, want)
	}
}

// run returns the daemon as a command.
func (b *Bailiff) run() *exec.Cmd { return exec.Command(b.Binary, "run", "--config", b.Config) }

// ruleset returns what the kernel holds.
func ruleset(t *testing.T) string { return nfttest.NFT(t, "list", "ruleset") }

const jailless = "[source.journald]\nenabled = false\n[[source.syslog]]\nlisten = \"udp://127.0.0.1:5514\"\n"

// served returns a bailiff that ran before and left a ban behind, and a function
// that fails the test if anything of that was touched since.
func served(t *testing.T) (b *Bailiff, untouched func(*testing.T)) {
	t.Helper()
	nfttest.Need(t)
	nfttest.Fresh(t)
	b = newBailiff(t, jailless)
	b.Start()
	if out, err := b.Command("ban", "198.51.100.1", "--for", "forever").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	b.Stop()
	state := filepath.Join(b.Dir, "state")
	files, rules := contents(t, state), ruleset(t)
	return b, func(t *testing.T) {
		t.Helper()
		if diff := cmp.Diff(rules, ruleset(t)); diff != "" {
			t.Errorf("the kernel was changed (-before +after):\n%s", diff)
		}
		if now := contents(t, state); !cmp.Equal(files, now) {
			t.Error("the state directory was changed")
		}
		if _, err := os.Lstat(b.Socket); err == nil {
			t.Error("a control socket was left behind")
		}
	}
}

// contents returns what the files below a directory hold.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		files[path] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestConfigurationTrouble has a wrong file for each kind of mistake.
func TestConfigurationTrouble(t *testing.T) {
	b, untouched := served(t)
	taken := filepath.Join(b.Dir, "taken")
	if err := os.WriteFile(taken, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		config, want string
		code         int
	}{
		"unknown key":      {"never_bam = []", `bailiff.toml:3: never_bam: unknown key`, 2},
		"bad duration":     {"[jail.sshd]\npacks = [\"sshd\"]\nban_time = \"10 apples\"", `"10 apples" is not a duration`, 2},
		"bad prefix":       {`never_ban = ["300.1.2.3/8"]`, "300.1.2.3/8", 2},
		"bits too many":    {`never_ban = ["10.0.0.1/8"]`, "10.0.0.1/8", 2},
		"not TOML":         {"[jail.sshd", "bailiff.toml:3", 2},
		"not text":         {"\xff\xfe\x00", "bailiff.toml:3", 2},
		"no such pack":     {"[jail.x]\npacks = [\"asterix\"]", `there is no pack "asterix"`, 2},
		"no such rules":    {`rules_dir = "/nowhere"`, "/nowhere", 2},
		"rules are a file": {fmt.Sprintf("rules_dir = %q", taken), taken, 2},
		"wrong type":       {"[defaults]\nmax_retry = \"five\"", "max_retry", 2},
		"open port":        {"[[source.syslog]]\nlisten = \"tcp://0.0.0.0:514\"", "must say whom it takes lines from", 2},
		"no such set":      {`never_ban = ["@inet nobody/here"]`, "never_ban @inet nobody/here", 1},
	} {
		t.Run(name, func(t *testing.T) {
			here := *b
			here.t = t
			here.Configure(tt.config)
			here.fails(here.run(), tt.code, tt.want)
			untouched(t)
		})
	}
	t.Run("missing file", func(t *testing.T) {
		here := *b
		here.t = t
		here.fails(exec.Command(b.Binary, "run", "--config", "/nowhere/bailiff.toml"), 2, "/nowhere/bailiff.toml")
		untouched(t)
	})
}

// TestPackTrouble has a pack that cannot be used, for each kind of reason.
func TestPackTrouble(t *testing.T) {
	b, untouched := served(t)
	const pack = "[pack]\nname = \"door\"\n[pack.match]\nidentifier = [\"door\"]\n[[rule]]\nname = \"knock\"\nevent = \"failure\"\npattern = '''knock from <addr>'''\n"
	write := func(text string, mode fs.FileMode) func(string) error {
		return func(path string) error {
			return errors.Join(os.WriteFile(path, []byte(text), 0o600), os.Chmod(path, mode))
		}
	}
	for name, tt := range map[string]struct {
		lay  func(path string) error
		want string
	}{
		"failing sample": {write(pack+"[[rule.sample]]\nline = \"knock at 192.0.2.1\"\naddr = \"192.0.2.1\"\n", 0o644), "door.toml:10: rule knock"},
		"unknown key":    {write(pack+"wheight = 3\n", 0o644), `door.toml:9: unknown key "wheight"`},
		"not TOML":       {write("\xff\xfe[pack", 0o644), "door.toml:1"},
		"writable":       {write(pack, 0o666), "door.toml: mode 0666"},
		"directory":      {func(path string) error { return os.Mkdir(path, 0o755) }, "door.toml: not a regular file"},
		"dangling link":  {func(path string) error { return os.Symlink("/nowhere", path) }, "door.toml: no such file"},
		"pipe":           {func(path string) error { return unix.Mkfifo(path, 0o644) }, "door.toml: not a regular file"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := errors.Join(os.Chmod(dir, 0o755), tt.lay(filepath.Join(dir, "door.toml"))); err != nil {
				t.Fatal(err)
			}
			here := *b
			here.t = t
			here.Configure(fmt.Sprintf("rules_dir = %q\n[jail.door]\npacks = [\"door\"]\n", dir))
			here.fails(here.run(), 2, tt.want)
			untouched(t)
		})
	}
}

// TestNoRight runs bailiff without the right to change the kernel: as an ordinary
// user, and as a root that was left without the capability.
func TestNoRight(t *testing.T) {
	b, untouched := served(t)
	for _, path := range []string{b.Dir, filepath.Dir(b.Dir), filepath.Dir(b.Binary)} {
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	b.fails(as(ordinary, b.Binary, "run", "--config", b.Config), 1, "open firewall")
	untouched(t)
	b.fails(exec.Command("setpriv", "--bounding-set", "-net_admin", b.Binary, "run", "--config", b.Config), 1, "open firewall")
	untouched(t)
}

// TestNoNetfilter runs bailiff on a kernel that seems to have no nf_tables.
func TestNoNetfilter(t *testing.T) {
	b, untouched := served(t)
	b.fails(withoutNetfilter(b.Binary, "run", "--config", b.Config), 1, "nf_tables is missing")
	untouched(t)
}

// TestSecondDaemon starts a second one on the same state, and others on the same
// port and sockets; the first must not notice.
func TestSecondDaemon(t *testing.T) {
	nfttest.Need(t)
	nfttest.Fresh(t)
	first := newBailiff(t, jailless+jailSSH)
	first.Start()
	before := ruleset(t)
	first.fails(first.run(), 1, "in use by another process")

	port := newBailiff(t, jailless+jailSSH)
	port.fails(port.run(), 1, "listen on udp://127.0.0.1:5514: already in use")

	socket := newBailiff(t, "")
	text := fmt.Sprintf("state_dir = %q\nsocket = %q\n[[source.syslog]]\nlisten = \"udp://127.0.0.1:5515\"\n", filepath.Join(socket.Dir, "state"), first.Socket)
	if err := os.WriteFile(socket.Config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	socket.fails(socket.run(), 1, "another bailiff answers on "+first.Socket)

	alien := newBailiff(t, "") // shares nothing with the first but the table
	alien.fails(alien.run(), 1, "another bailiff (pid ")

	if after := ruleset(t); after != before {
		t.Errorf("the kernel was changed:\n%s", after)
	}
	if !first.Status().Store.OK {
		t.Error("the first daemon is in trouble")
	}
}

// TestPathTaken has something else where bailiff wants a socket or a directory.
func TestPathTaken(t *testing.T) {
	nfttest.Need(t)
	nfttest.Fresh(t)
	for name, at := range map[string]func(*Bailiff) string{
		"control socket": func(b *Bailiff) string { return b.Socket },
		"state":          func(b *Bailiff) string { return filepath.Join(b.Dir, "state") },
		"log socket":     func(b *Bailiff) string { return filepath.Join(b.Dir, "log.sock") },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBailiff(t, "")
			b.Configure(fmt.Sprintf("[[source.syslog]]\nlisten = \"unixgram://%s/log.sock\"\n", b.Dir))
			path := at(b)
			if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
				t.Fatal(err)
			}
			b.fails(b.run(), 1, path)
			if data, err := os.ReadFile(path); err != nil || string(data) != "precious" {
				t.Errorf("the file in its place is %q, %v", data, err)
			}
			if got := ruleset(t); got != "" {
				t.Errorf("the kernel was changed:\n%s", got)
			}
		})
	}
}

// TestNewerState has a state directory that a later bailiff wrote.
func TestNewerState(t *testing.T) {
	b, untouched := served(t)
	version := filepath.Join(b.Dir, "state", "version")
	ours, err := os.ReadFile(version)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(version, []byte("99\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.fails(b.run(), 1, "written by a newer bailiff")
	if err := os.WriteFile(version, ours, 0o600); err != nil {
		t.Fatal(err)
	}
	untouched(t)
}

// TestReadOnlyState has a state directory on a read-only file system.
func TestReadOnlyState(t *testing.T) {
	nfttest.Need(t)
	nfttest.Fresh(t)
	b := newBailiff(t, "")
	state := filepath.Join(b.Dir, "state")
	if err := os.Mkdir(state, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", state, "tmpfs", unix.MS_RDONLY, "size=1m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(state, unix.MNT_DETACH) })
	b.fails(b.run(), 1, "state")
}
