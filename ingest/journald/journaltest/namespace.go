// Package journaltest runs a real systemd-journald for a test, with real
// vouched fields, on a machine where systemd may not run at all, and leaves
// nothing behind on it.
//
// A test binary enters namespaces of its own first:
//
//	func TestMain(m *testing.M) {
//		if code, done := journaltest.InNamespace(0); done {
//			os.Exit(code)
//		}
//		os.Exit(m.Run())
//	}
//
// and each test then starts its journal with [Start]. All of it needs root; without,
// or without systemd-journald, Start skips the test, or fails it if the
// environment says BAILIFF_REQUIRE=all.
package journaltest

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// inside is set in the environment of the inner process: to "new", and to
// "ready" for the processes that it starts in turn.
const inside = "BAILIFF_JOURNALTEST"

// InNamespace runs this program again as root of its own mount, PID and
// cgroup namespace and of those in extra (say, syscall.CLONE_NEWNET), with the
// same arguments. In the outer process it returns done and the exit code to
// leave with. In the inner process it makes /run, /var/log, /dev and the
// cgroup tree private and returns done == false: go on with the tests.
// Without root it returns done == false and changes nothing.
//
// Every process the inner one starts dies with it.
func InNamespace(extra uintptr) (code int, done bool) {
	switch os.Getenv(inside) {
	case "ready":
		return 0, false
	case "new":
		err := errors.Join(enter(), os.Setenv(inside, "ready"))
		if err != nil {
			fmt.Fprintln(os.Stderr, "journaltest: private namespace:", err)
			return 1, true
		}
		return 0, false
	}
	if os.Geteuid() != 0 {
		return 0, false
	}
	code, err := outer(extra)
	if err != nil {
		fmt.Fprintln(os.Stderr, "journaltest:", err)
		return 1, true
	}
	return code, true
}

// outer runs the inner process in a cgroup of its own and removes that
// afterwards. The cgroup makes runs independent of each other: the inner one
// takes it for the root, so two of them can both have ssh.service.
func outer(extra uintptr) (code int, err error) {
	home, err := ownCgroup()
	if err != nil {
		return 0, err
	}
	cgroup := filepath.Join(home, fmt.Sprintf("bailiff-test-%d", os.Getpid()))
	if err := os.Mkdir(cgroup, 0o755); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, removeCgroup(cgroup)) }()

	// A cgroup namespace has the cgroup of the process that makes it as its
	// root, so we have to be there ourselves for a moment.
	pid := os.Getpid()
	if err := joinCgroup(cgroup, pid); err != nil {
		return 0, err
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), inside+"=new")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | unix.CLONE_NEWCGROUP | extra,
		Pdeathsig:  syscall.SIGKILL,
	}
	runtime.LockOSThread() // Pdeathsig is about this thread
	defer runtime.UnlockOSThread()
	err = cmd.Start()
	err = errors.Join(err, joinCgroup(home, pid))
	if cmd.Process == nil {
		return 0, err
	}
	forward := make(chan os.Signal, 1)
	signal.Notify(forward, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT)
	defer signal.Stop(forward)
	go func() {
		for sig := range forward {
			_ = cmd.Process.Signal(sig)
		}
	}()
	ended := cmd.Wait()
	if exit := (*exec.ExitError)(nil); errors.As(ended, &exit) {
		return max(exit.ExitCode(), 1), err
	}
	return 0, errors.Join(err, ended)
}

// enter gives the inner process its own mounts.
func enter() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make / private: %w", err)
	}
	for _, m := range []struct{ fs, at, opts string }{
		{"proc", "/proc", ""},
		{"cgroup2", "/sys/fs/cgroup", ""},
		{"tmpfs", "/run", "mode=755"},
		{"tmpfs", "/var/log", "mode=755"},
	} {
		if err := unix.Mount(m.fs, m.at, m.fs, 0, m.opts); err != nil {
			return fmt.Errorf("mount %s at %s: %w", m.fs, m.at, err)
		}
	}
	if err := privateDev(); err != nil {
		return err
	}
	return machineID()
}

// privateDev puts a tmpfs with the usual devices over /dev: /dev is one
// devtmpfs for the whole machine, so a /dev/log made in it would be seen by
// all. /dev/kmsg is left out, or journald would read the machine's kernel log.
func privateDev() error {
	const stage = "/run/dev"
	if err := os.Mkdir(stage, 0o755); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", stage, "tmpfs", 0, "mode=755"); err != nil {
		return fmt.Errorf("mount tmpfs at %s: %w", stage, err)
	}
	for _, name := range []string{"null", "zero", "full", "random", "urandom", "tty", "ptmx", "net/tun"} {
		if _, err := os.Stat("/dev/" + name); err != nil {
			continue
		}
		at := filepath.Join(stage, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(at, nil, 0o666); err != nil {
			return err
		}
		if err := unix.Mount("/dev/"+name, at, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("bind /dev/%s: %w", name, err)
		}
	}
	for _, name := range []string{"pts", "shm"} {
		if err := os.Mkdir(filepath.Join(stage, name), 0o1777); err != nil {
			return err
		}
		if err := unix.Mount("/dev/"+name, filepath.Join(stage, name), "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("bind /dev/%s: %w", name, err)
		}
	}
	for name, to := range map[string]string{
		"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2",
		"log": "/run/systemd/journal/dev-log",
	} {
		if err := os.Symlink(to, filepath.Join(stage, name)); err != nil {
			return err
		}
	}
	if err := unix.Mount(stage, "/dev", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("move %s to /dev: %w", stage, err)
	}
	return nil
}

// machineID covers /etc/machine-id, which names the journal directory and is
// empty in many container images.
func machineID() error {
	const id = "/run/machine-id"
	if err := os.WriteFile(id, []byte(strings.Repeat("b1", 16)+"\n"), 0o444); err != nil {
		return err
	}
	if err := unix.Mount(id, "/etc/machine-id", "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind /etc/machine-id: %w", err)
	}
	return nil
}

// ownCgroup is the directory of this process's cgroup in the version 2 tree.
func ownCgroup() (string, error) {
	mounts, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	defer mounts.Close()
	var root, at string
	for lines := bufio.NewScanner(mounts); lines.Scan(); {
		// 36 25 0:29 ROOT MOUNTPOINT options … - FSTYPE source options
		fields, fs, _ := strings.Cut(lines.Text(), " - ")
		if f := strings.Fields(fields); strings.HasPrefix(fs, "cgroup2 ") && len(f) > 4 {
			root, at = f[3], f[4]
		}
	}
	if at == "" {
		return "", errors.New("no cgroup2 file system is mounted")
	}
	groups, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(groups)) {
		if path, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			path = "/" + strings.TrimPrefix(strings.TrimPrefix(path, root), "/")
			return filepath.Join(at, path), nil
		}
	}
	return "", errors.New("not in a cgroup of version 2")
}

func joinCgroup(dir string, pid int) error {
	return os.WriteFile(filepath.Join(dir, "cgroup.procs"), fmt.Append(nil, pid), 0o644)
}

// removeCgroup removes a tree of cgroups from the leaves. Those are busy until
// the kernel has buried the processes, which were all killed with the PID
// namespace.
func removeCgroup(dir string) error {
	var dirs []string
	_ = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			dirs = append(dirs, path)
		}
		return nil
	})
	for _, dir := range slices.Backward(dirs) {
		err := unix.Rmdir(dir)
		for tries := 0; errors.Is(err, unix.EBUSY) && tries < 200; tries++ {
			time.Sleep(10 * time.Millisecond)
			err = unix.Rmdir(dir)
		}
		if err != nil {
			return fmt.Errorf("remove %s: %w", dir, err)
		}
	}
	return nil
}
