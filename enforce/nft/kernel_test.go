package nft

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestADeafKernelDoesNotHangTheCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := new(conn)
		k := &kernel{patience: 10 * time.Second, conn: first}
		answer := make(chan struct{})
		began := time.Now()
		err := k.do(t.Context(), "change bans", func(*conn) error {
			<-answer
			return nil
		})
		if !errors.Is(err, errDeaf) || !fatal(err) {
			t.Errorf("do: %v, want %v", err, errDeaf)
		}
		if waited := time.Since(began); waited != k.patience {
			t.Errorf("waited %v, want %v", waited, k.patience)
		}
		if k.conn != nil {
			t.Error("the connection was kept: its late answer would be taken for that of the next question")
		}
		close(answer)
	})
}

func TestConnectionsAfterErrors(t *testing.T) {
	for _, test := range []struct {
		err  error
		kept bool
	}{
		{nil, true},
		{syscall.ENFILE, true},
		{fmt.Errorf("receive: %w", syscall.ENOENT), true},
		{errors.New("use of closed file"), false},
	} {
		k := &kernel{patience: time.Minute, conn: new(conn)}
		err := k.do(t.Context(), "change bans", func(*conn) error { return test.err })
		if (err == nil) != (test.err == nil) || !errors.Is(err, test.err) {
			t.Errorf("%v: do returned %v", test.err, err)
		}
		if kept := k.conn != nil; kept != test.kept {
			t.Errorf("%v: connection kept: %v, want %v", test.err, kept, test.kept)
		}
	}
}

func TestACancelledCallSendsNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	k := &kernel{patience: time.Minute, conn: new(conn)}
	err := k.do(ctx, "change bans", func(*conn) error {
		t.Error("it was sent")
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("do: %v", err)
	}
}

func TestDescribe(t *testing.T) {
	for errno, want := range map[syscall.Errno]error{
		syscall.EPERM: ErrPermission, syscall.EPROTONOSUPPORT: ErrUnsupported,
		syscall.EAFNOSUPPORT: ErrUnsupported, syscall.ENOENT: ErrGone,
	} {
		err := describe("open nf_tables", fmt.Errorf("receive: %w", errno))
		hinted := (*Error)(nil)
		if !errors.Is(err, want) || !errors.Is(err, errno) || !errors.As(err, &hinted) || hinted.Hint() == "" {
			t.Errorf("describe(%v) = %v, want %v with a hint", errno, err, want)
		}
	}
	if err := describe("x", nil); err != nil {
		t.Errorf("describe(nil) = %v", err)
	}
}
