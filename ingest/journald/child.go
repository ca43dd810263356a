package journald

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
)

// child is a running reader process.
type child struct {
	frames *os.File // what it writes
	cancel context.CancelFunc
	done   chan struct{}
	err    error  // how it ended; after done
	stderr prefix // how it said so; after done
}

// startChild runs argv with an input that begins with first and then stays open. It is killed when ctx ends or the thread that started
// it, which lives as long as it does.
func startChild(ctx context.Context, argv []string, first string) (*child, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	c := &child{frames: r, cancel: cancel, done: make(chan struct{})}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = w, &c.stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}

	started := make(chan error)
	go func() {
		defer close(c.done)
		// Pdeathsig is about the parent's thread, and Go ends threads as it
		// likes. This one is held until the child is gone.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		input, err := cmd.StdinPipe() // open as long as we live
		if err == nil {
			err = cmd.Start()
		}
		w.Close()
		started <- err
		if err == nil {
			_, _ = io.WriteString(input, first) // who does not take it says why
			c.err = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		c.stop()
		return nil, err
	}
	return c, nil
}

// stop ends the child and waits for it.
func (c *child) stop() {
	c.cancel()
	<-c.done
	c.frames.Close()
}

// readChild reads through a child process until it dies, ctx ends or it
// reports an *Error.
func (s *Source) readChild(ctx context.Context, q query) error {
	argv := append(append([]string(nil), s.opts.Reader...), q.args()...)
	c, err := startChild(ctx, argv, q.cursor)
	if err != nil {
		return fmt.Errorf("start journal reader: %w", err)
	}
	defer c.stop()

	frames := newFrameReader(c.frames)
	for err == nil && ctx.Err() == nil {
		err = frames.next(s)
	}
	if !errors.Is(err, io.EOF) {
		return err
	}
	<-c.done // it closed its end, so it is about to be
	if said := c.stderr.line(); said != "" {
		return fmt.Errorf("journal reader: %w: %s", c.err, said)
	}
	return fmt.Errorf("journal reader: %w", c.err)
}

// prefix keeps the beginning of what is written to it: a Go program that dies
// names the reason first and then all its goroutines.
type prefix struct{ text []byte }

func (p *prefix) Write(b []byte) (int, error) {
	p.text = append(p.text, b[:min(len(b), 256-len(p.text))]...)
	return len(b), nil
}

func (p *prefix) line() string {
	first, _, _ := strings.Cut(strings.TrimSpace(string(p.text)), "\n")
	return first
}
