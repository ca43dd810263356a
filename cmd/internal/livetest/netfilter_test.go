package livetest

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// deaf is the first argument of a test binary that is to run the others as a
// program without nf_tables.
const deaf = "run-without-netfilter"

// withoutNetfilter returns a command for which the kernel has no nfnetlink: the
// socket that leads to nf_tables is refused as it is by a kernel that was built
// without.
func withoutNetfilter(argv ...string) *exec.Cmd {
	return exec.Command("/proc/self/exe", append([]string{deaf}, argv...)...)
}

// runDeaf becomes the program in argv, behind a seccomp filter.
func runDeaf(argv []string) int {
	// The filter is of this thread, which becomes the program.
	runtime.LockOSThread()
	const (
		load  = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		equal = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		ret   = unix.BPF_RET | unix.BPF_K
		// Offsets in struct seccomp_data, of the low halves.
		number, family, protocol = 0, 16, 32
	)
	filter := []unix.SockFilter{
		{Code: load, K: number},
		{Code: equal, K: unix.SYS_SOCKET, Jf: 5},
		{Code: load, K: family},
		{Code: equal, K: unix.AF_NETLINK, Jf: 3},
		{Code: load, K: protocol},
		{Code: equal, K: unix.NETLINK_NETFILTER, Jf: 1},
		{Code: ret, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPROTONOSUPPORT)},
		{Code: ret, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0)
	if err == nil {
		err = syscall.Exec(argv[0], argv, os.Environ())
	}
	fmt.Fprintln(os.Stderr, "run without netfilter:", err)
	return 125
}
