package nft

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/google/nftables"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// socketBuffer is the size of the netlink socket's buffers: a batch of 500
// changes is some 100 KiB.
const socketBuffer = 4 << 20

// selectable is how many descriptors select(2) can name. The nftables library
// waits with it, and would panic on a descriptor beyond.
const selectable = 1024

// errDeaf is what a wait that ran out of patience returns.
var errDeaf = errors.New("no answer from the kernel")

// conn is the connection that changes the ruleset, and the socket below it.
type conn struct {
	*nftables.Conn
	socket *netlink.Conn
}

// kernel holds one lasting connection for changes and one for reading, opened
// when first used and again after they were given up. It belongs to whoever holds Firewall.mu.
type kernel struct {
	patience time.Duration
	opened   func(portID uint32) error // told of every connection before its first use
	conn     *conn
	reader   *reader
}

// open returns the connection.
func (k *kernel) open() (*conn, error) {
	if k.conn != nil {
		return k.conn, nil
	}
	c := new(conn)
	lib, err := nftables.New(nftables.AsLasting(), nftables.WithSockOptions(func(s *netlink.Conn) error {
		c.socket = s
		return errors.Join(s.SetReadBuffer(socketBuffer), s.SetWriteBuffer(socketBuffer))
	}))
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	c.Conn = lib
	if err := c.selectable(); err != nil {
		return nil, errors.Join(err, c.close())
	}
	if err := k.opened(c.socket.PID()); err != nil {
		return nil, errors.Join(err, c.close())
	}
	k.conn = c
	return c, nil
}

// do runs f on the connection. f that does not return within the patience is
// left behind with its connection, and the next do opens another one: a
// kernel that does not answer cannot hang the caller. ctx is asked before f
// and not after, for a change that was sent cannot be taken back.
func (k *kernel) do(ctx context.Context, op string, f func(*conn) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	c, err := k.open()
	if err != nil {
		return describe(op, err)
	}
	done := make(chan error, 1)
	go func() { done <- f(c) }()
	timer := time.NewTimer(k.patience)
	defer timer.Stop()
	select {
	case err = <-done:
	case <-timer.C:
		err = errDeaf
	}
	if errno := syscall.Errno(0); err != nil && !errors.As(err, &errno) {
		// Not the kernel's answer: there may be one under way.
		_ = k.close()
	}
	return describe(op, err)
}

// read runs f with a connection for reading. After an error the next read
// opens another one.
func (k *kernel) read(op string, f func(*reader) error) error {
	if k.reader == nil {
		r, err := newReader(k.patience)
		if err != nil {
			return describe(op, err)
		}
		k.reader = r
	}
	err := f(k.reader)
	if err != nil {
		// There may be answers under way that nobody waits for.
		_ = k.reader.close()
		k.reader = nil
	}
	return describe(op, err)
}

// probe asks a harmless question that only the privileged get an answer to.
func (k *kernel) probe() error {
	return k.do(context.Background(), "open nf_tables", func(c *conn) error {
		_, err := c.GetGen()
		if errors.Is(err, unix.EINVAL) { // nfnetlink without the nf_tables subsystem
			err = unix.EOPNOTSUPP
		}
		return err
	})
}

// close gives the connections up, along with whoever waits on them.
func (k *kernel) close() error {
	var errs []error
	if k.conn != nil {
		errs = append(errs, k.conn.close())
	}
	if k.reader != nil {
		errs = append(errs, k.reader.close())
	}
	k.conn, k.reader = nil, nil
	return errors.Join(errs...)
}

// close closes the socket below the library, whose own CloseLasting would wait
// for a Flush that hangs.
func (c *conn) close() error {
	if c.socket == nil {
		return nil
	}
	return c.socket.Close()
}

// selectable refuses a descriptor that the library cannot wait on.
func (c *conn) selectable() error {
	raw, err := c.socket.SyscallConn()
	if err != nil {
		return err
	}
	var fd uintptr
	if err := raw.Control(func(d uintptr) { fd = d }); err != nil {
		return err
	}
	if fd >= selectable {
		return fmt.Errorf("descriptor %d: %w", fd, unix.EMFILE)
	}
	return nil
}
