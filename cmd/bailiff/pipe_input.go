package main

import (
	"errors"
	"io"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// pipeInput is standard input that can be stopped at any moment without losing what
// was read, and without a goroutine that has read something nobody decides. It polls,
// because to make the descriptor itself non-blocking would do so for everybody who
// shares it.
type pipeInput struct {
	r         io.Reader
	in, out   int // descriptors; -1 for what is no file
	wake      [2]int
	idle      func() // called about once a second while nothing comes
	stopped   bool
	drained   int
	abandoned atomic.Bool
}

// maxDrain is how much is read after Stop: more than fits into a pipe cannot have
// stood in it.
const maxDrain = 1 << 20

// newPipeInput returns the input r of a stage that writes to w.
func newPipeInput(r io.Reader, w io.Writer) (*pipeInput, error) {
	p := &pipeInput{r: r, in: descriptor(r), out: descriptor(w)}
	if err := unix.Pipe2(p.wake[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, err
	}
	return p, nil
}

func descriptor(v any) int {
	if f, ok := v.(*os.File); ok {
		return int(f.Fd())
	}
	return -1
}

// Stop has Read return what can be had without waiting, and then the end.
func (p *pipeInput) Stop() { _, _ = unix.Write(p.wake[1], []byte{'s'}) }

// Abandon has Read return the end at once: nobody takes the decisions any more.
func (p *pipeInput) Abandon() { p.abandoned.Store(true); p.Stop() }

// Close gives back what Stop needs.
func (p *pipeInput) Close() error {
	return errors.Join(unix.Close(p.wake[0]), unix.Close(p.wake[1]))
}

// Read reads from standard input. It returns the end too when the reader of standard
// output is gone.
func (p *pipeInput) Read(b []byte) (int, error) {
	if p.in < 0 {
		return p.r.Read(b)
	}
	for {
		timeout := 1000
		if p.stopped {
			timeout = 0
		}
		fds := []unix.PollFd{{Fd: int32(p.in), Events: unix.POLLIN}, {Fd: int32(p.wake[0]), Events: unix.POLLIN}, {Fd: int32(p.out)}}
		if p.stopped {
			fds[1].Fd = -1
		}
		if _, err := unix.Poll(fds, timeout); err != nil && !errors.Is(err, unix.EINTR) {
			return 0, err
		}
		switch {
		case p.abandoned.Load(), fds[2].Revents&unix.POLLERR != 0, p.stopped && (fds[0].Revents == 0 || p.drained >= maxDrain):
			return 0, io.EOF
		case fds[1].Revents != 0:
			p.stopped = true
			continue
		case fds[0].Revents == 0:
			p.idle()
			continue
		}
		n, err := unix.Read(p.in, b)
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
