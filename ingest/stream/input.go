package stream

import (
	"errors"
	"io"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Input is a pipe, a terminal or a file that is read until it is told to stop: at any
// moment, without losing what was read, and without a goroutine that has read
// something nobody decides. It polls, because to make the descriptor itself
// non-blocking would do so for everybody who shares it.
//
// Stop and Abandon may be called at any time, the rest belongs to one goroutine.
type Input struct {
	in, watch *os.File
	idle      func()
	wake      [2]int
	stopped   bool
	drained   int
	abandoned atomic.Bool
}

// maxDrain is how much is read after Stop: more than fits into a pipe cannot have
// stood in it.
const maxDrain = 1 << 20

// NewInput returns an input that reads in. It ends too when the reader of the pipe
// watch is gone, and calls idle about once a second while nothing comes; both may be
// nil. The files stay the caller's.
func NewInput(in, watch *os.File, idle func()) (*Input, error) {
	p := &Input{in: in, watch: watch, idle: idle}
	if err := unix.Pipe2(p.wake[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, err
	}
	return p, nil
}

// Stop has Read return what can be had without waiting, and then the end.
func (p *Input) Stop() { _, _ = unix.Write(p.wake[1], []byte{'s'}) }

// Abandon has Read return the end at once.
func (p *Input) Abandon() { p.abandoned.Store(true); p.Stop() }

// Close gives back what Stop needs, which is not called any more.
func (p *Input) Close() error {
	return errors.Join(unix.Close(p.wake[0]), unix.Close(p.wake[1]))
}

// Read reads what there is, and waits for something.
func (p *Input) Read(b []byte) (n int, err error) {
	for {
		timeout := 1000
		if p.stopped {
			timeout = 0
		}
		ready, woken, gone, err := p.poll(timeout)
		switch {
		case err != nil:
			return 0, err
		case p.abandoned.Load(), gone, p.stopped && (!ready || p.drained >= maxDrain):
			return 0, io.EOF
		case woken:
			p.stopped = true
			continue
		case !ready:
			if p.idle != nil {
				p.idle()
			}
			continue
		}
		n, err := unix.Read(int(p.in.Fd()), b)
		switch {
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.EAGAIN):
			continue
		case err != nil:
			return 0, err
		case n == 0:
			return 0, io.EOF
		}
		if p.stopped {
			p.drained += n
		}
		return n, nil
	}
}

// poll says whether there is something to read, whether Stop was called, and whether
// nobody reads what is written to watch.
func (p *Input) poll(timeout int) (ready, woken, gone bool, err error) {
	fds := [...]unix.PollFd{{Fd: int32(p.in.Fd()), Events: unix.POLLIN}, {Fd: int32(p.wake[0]), Events: unix.POLLIN}, {Fd: -1}}
	if p.stopped {
		fds[1].Fd = -1
	}
	if p.watch != nil {
		fds[2].Fd = int32(p.watch.Fd())
	}
	if _, err := unix.Poll(fds[:], timeout); err != nil && !errors.Is(err, unix.EINTR) {
		return false, false, false, err
	}
	return fds[0].Revents != 0, fds[1].Revents != 0, fds[2].Revents&unix.POLLERR != 0, nil
}
