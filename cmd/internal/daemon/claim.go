package daemon

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"bailiff/cmd/internal/admin"
)

// claimName is that of a socket which says whose our table is. Names in the abstract
// namespace are, like tables, one set for each network namespace, and gone with the process
// that holds them.
const claimName = "@bailiff/inet/bailiff"

// claim takes the table of this network namespace for this process. Two daemons with a state
// of their own each would undo what the other does. The error is that another one has it.
// Such names are for anybody to take: one that is held by a user who could not drive the
// table is no claim, and then there is none.
func claim(ctx context.Context, name string, log *slog.Logger) (io.Closer, error) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
	if err == nil {
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				c.Close() // whoever calls wants to know who we are, which the kernel says
			}
		}()
		return l, nil
	}
	if errors.Is(err, syscall.EADDRINUSE) {
		holder, ok := holderOf(ctx, name)
		if ok && (holder.Uid == 0 || int(holder.Uid) == os.Geteuid()) {
			return nil, admin.Refuse(http.StatusInternalServerError, "stop it first, or try this one with --dry-run",
				"another bailiff (pid %d) drives table inet bailiff", holder.Pid)
		}
		if ok {
			log.Warn("a user holds the name by which bailiffs know of each other; a second one would not be noticed", "uid", holder.Uid, "pid", holder.Pid)
		}
	} else {
		log.Warn("claim the table; a second bailiff would not be noticed", "err", err)
	}
	return io.NopCloser(nil), nil
}

// holderOf asks the kernel who listens at a name.
func holderOf(ctx context.Context, name string) (who unix.Ucred, ok bool) {
	dialer := net.Dialer{Timeout: time.Second}
	c, err := dialer.DialContext(ctx, "unix", name)
	if err != nil {
		return who, false
	}
	defer c.Close()
	raw, err := c.(*net.UnixConn).SyscallConn()
	if err != nil {
		return who, false
	}
	err = raw.Control(func(fd uintptr) {
		if cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			who, ok = *cred, true
		}
	})
	return who, ok && err == nil
}
