// Package nfttest gives tests a kernel firewall, a network and hosts of their
// own.
//
// A test package that needs them runs its TestMain through [InNamespace], and
// each such test begins with [Need]. Everything lives in namespaces of the
// test process and is gone with it.
package nfttest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// inside marks the process that runs in the namespaces.
const inside = "BAILIFF_NFTTEST_INSIDE"

// InNamespace runs the tests in network and mount namespaces of their own, by
// running the test binary again. There lo is up and the ruleset empty, nothing
// mounted is seen outside, and every child dies with the test process. Where
// namespaces cannot be had it runs the tests as they are; [Need] tells them.
//
//	func TestMain(m *testing.M) { os.Exit(nfttest.InNamespace(m)) }
func InNamespace(m *testing.M) int {
	if os.Getenv(inside) != "" {
		if err := settle(); err != nil {
			fmt.Fprintln(os.Stderr, "nfttest:", err)
			return 1
		}
		return m.Run()
	}
	if os.Geteuid() != 0 {
		return m.Run()
	}
	// Pdeathsig follows the thread that forks.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	again := exec.Command("/proc/self/exe", os.Args[1:]...)
	again.Env = append(os.Environ(), inside+"=1")
	again.Stdin, again.Stdout, again.Stderr = os.Stdin, os.Stdout, os.Stderr
	again.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS,
		Pdeathsig:  unix.SIGKILL,
	}
	err := again.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return max(1, exit.ExitCode())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "nfttest: no namespaces:", err)
		return m.Run()
	}
	return 0
}

// settle prepares the namespaces from within.
func settle() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	return run("ip", "link", "set", "lo", "up")
}

// Need skips the test unless it runs in namespaces of its own as root, with nft
// and ip at hand. With BAILIFF_REQUIRE=all it fails instead.
func Need(t testing.TB) {
	t.Helper()
	missing := ""
	switch {
	case os.Getenv(inside) == "":
		missing = "root, for network and mount namespaces"
	case !installed("nft"):
		missing = "nft (package nftables)"
	case !installed("ip"), !installed("nsenter"):
		missing = "ip and nsenter (packages iproute2, util-linux)"
	}
	if missing == "" {
		return
	}
	if os.Getenv("BAILIFF_REQUIRE") == "all" {
		t.Fatalf("this test needs %s", missing)
	}
	t.Skipf("this test needs %s", missing)
}

func installed(name string) bool {
	_, err := exec.LookPath(name)
	return err == nil
}

// NFT runs nft(8) and returns what it printed.
func NFT(t testing.TB, args ...string) string {
	t.Helper()
	out, err := exec.Command("nft", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("nft %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// Load feeds a ruleset to nft(8).
func Load(t testing.TB, ruleset string) {
	t.Helper()
	cmd := exec.Command("nft", "-f", "-")
	cmd.Stdin = strings.NewReader(ruleset)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("nft -f: %v\n%.1000s", err, out)
	}
}

// Fresh empties the ruleset, now and after the test.
func Fresh(t testing.TB) {
	t.Helper()
	NFT(t, "flush", "ruleset")
	t.Cleanup(func() { NFT(t, "flush", "ruleset") })
}

// run runs a command to its end and returns what it said as an error.
func run(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, out)
	}
	return nil
}
