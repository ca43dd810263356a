package journaltest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	daemon   = "/lib/systemd/systemd-journald"
	sockets  = "/run/systemd/journal"
	cgroups  = "/sys/fs/cgroup"
	deadline = 20 * time.Second
)

// Journal is a running systemd-journald and the journal it writes. Its
// methods fail the test on error; they are for the test's goroutine.
type Journal struct {
	// Dir is the directory of its journal files. It is also where the
	// reader of the system journal looks.
	Dir string

	t   testing.TB
	cmd *exec.Cmd
	// namespace is that of the journal, and sockets where its journald is.
	namespace, sockets string
	log                bytes.Buffer
}

// Start empties the journal and starts journald on it until the test ends.
// Lines of conf go into the [Journal] section of its configuration; rate
// limiting is off. The test must run under InNamespace, and not parallel to
// another that calls Start.
func Start(t testing.TB, conf ...string) *Journal {
	t.Helper()
	return start(t, "", conf)
}

// StartNamespace starts the journald of a namespace besides that of Start, with
// a directory of its own. Its DevLog is what /dev/log is to units in it.
func StartNamespace(t testing.TB, namespace string, conf ...string) *Journal {
	t.Helper()
	return start(t, "."+namespace, conf)
}

// DevLog is the socket that syslog(3) of the journal's units writes to.
func (j *Journal) DevLog() string { return filepath.Join(j.sockets, "dev-log") }

func start(t testing.TB, suffix string, conf []string) *Journal {
	t.Helper()
	if os.Getenv(inside) != "ready" {
		unavailable(t, "needs root (or TestMain does not call journaltest.InNamespace)")
	}
	if _, err := os.Stat(daemon); err != nil {
		unavailable(t, "systemd-journald is not installed: "+err.Error())
	}
	id, err := os.ReadFile("/etc/machine-id")
	if err != nil {
		t.Fatal(err)
	}
	namespace := strings.TrimPrefix(suffix, ".")
	machine := strings.TrimSpace(string(id)) + suffix
	j := &Journal{t: t, namespace: namespace, sockets: sockets + suffix, Dir: filepath.Join("/var/log/journal", machine)}
	config := "/run/systemd/journald.conf.d"
	old := []string{"/var/log/journal", "/run/log/journal", j.sockets}
	if namespace != "" {
		config = "/run/systemd/journald@" + namespace + ".conf.d"
		old = []string{j.Dir, filepath.Join("/run/log/journal", machine), j.sockets}
	}
	for _, dir := range old {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{j.Dir, j.sockets, config} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	conf = append([]string{"[Journal]", "Storage=persistent", "RateLimitIntervalSec=0", "Audit=no"}, conf...)
	for name, text := range map[string]string{
		filepath.Join(config, "test.conf"): strings.Join(conf, "\n") + "\n",
		// Without this journald waits on the volatile journal for a flush.
		filepath.Join(j.sockets, "flushed"): "",
	} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	j.start()
	t.Cleanup(j.stop)
	return j
}

func unavailable(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("BAILIFF_REQUIRE") == "all" {
		t.Fatal("real journald: ", why)
	}
	t.Skip("real journald: ", why)
}

func (j *Journal) start() {
	j.t.Helper()
	j.cmd = exec.Command(daemon)
	if j.namespace != "" {
		j.cmd.Args = append(j.cmd.Args, j.namespace)
	}
	j.cmd.Stdout, j.cmd.Stderr = &j.log, &j.log
	if err := j.cmd.Start(); err != nil {
		j.t.Fatal(err)
	}
	for end := time.Now().Add(deadline); ; time.Sleep(time.Millisecond) {
		if err := j.call("Synchronize"); err == nil {
			return
		} else if time.Now().After(end) {
			j.t.Fatalf("journald does not answer: %v\n%s", err, j.log.Bytes())
		}
	}
}

func (j *Journal) stop() {
	_ = j.cmd.Process.Signal(syscall.SIGTERM)
	_ = j.cmd.Wait()
}

// Restart stops journald and starts it on the same files.
func (j *Journal) Restart() {
	j.t.Helper()
	j.stop()
	j.start()
}

// Sync returns when everything that was sent before is in the journal.
func (j *Journal) Sync() {
	j.t.Helper()
	if err := j.call("Synchronize"); err != nil {
		j.t.Fatal(err)
	}
}

// Rotate makes journald archive its files and begin new ones.
func (j *Journal) Rotate() {
	j.t.Helper()
	if err := j.call("Rotate"); err != nil {
		j.t.Fatal(err)
	}
}

// Vacuum removes all archived files of the system journal but the youngest
// keep.
func (j *Journal) Vacuum(keep int) {
	j.t.Helper()
	// journalctl counts the active file as well.
	out, err := exec.Command("journalctl", "--directory="+j.Dir, fmt.Sprintf("--vacuum-files=%d", keep+1)).CombinedOutput()
	if err != nil {
		j.t.Fatalf("journalctl --vacuum-files: %v\n%s", err, out)
	}
}

// call runs a method of journald's varlink interface (man of journalctl:
// --rotate, --sync) and waits for the answer.
func (j *Journal) call(method string) error {
	conn, err := net.Dial("unix", filepath.Join(j.sockets, "io.systemd.journal"))
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(deadline)); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(conn, `{"method":"io.systemd.Journal.%s"}`+"\x00", method); err != nil {
		return err
	}
	var reply struct{ Error string }
	if err := json.NewDecoder(conn).Decode(&reply); err != nil {
		return err
	}
	if reply.Error != "" {
		return fmt.Errorf("journald %s: %s", method, reply.Error)
	}
	return nil
}

// Unit is a cgroup that journald takes for a unit.
type Unit struct {
	dir string
}

// Unit makes the cgroup of a system unit such as "ssh.service", or of a
// session if name is a path like "user.slice/user-1000.slice/session-3.scope".
// It stays until the test binary ends.
func (j *Journal) Unit(name string) Unit {
	j.t.Helper()
	if !strings.Contains(name, "/") {
		name = "system.slice/" + name
	}
	u := Unit{dir: filepath.Join(cgroups, name)}
	if err := os.MkdirAll(u.dir, 0o755); err != nil {
		j.t.Fatal(err)
	}
	return u
}

// Start starts cmd in the unit: everything it writes, from the first line, is
// the unit's.
func (u Unit) Start(cmd *exec.Cmd) error {
	dir, err := os.Open(u.dir)
	if err != nil {
		return err
	}
	defer dir.Close()
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.UseCgroupFD = true
	cmd.SysProcAttr.CgroupFD = int(dir.Fd())
	return cmd.Start()
}

// Kill ends every process of the unit, and returns when none is left. It does not
// use cgroup.kill: Linux 6.18 kills as well what is started in the cgroup later.
func (u Unit) Kill() error {
	for {
		procs, err := os.ReadFile(filepath.Join(u.dir, "cgroup.procs"))
		if err != nil || len(procs) == 0 {
			return err
		}
		for field := range strings.FieldsSeq(string(procs)) {
			pid, err := strconv.Atoi(field)
			if err != nil {
				return err
			}
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may be gone by now
		}
		runtime.Gosched()
	}
}
