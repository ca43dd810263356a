package livetest

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"bailiff/enforce/nft/nfttest"
)

// TestSignals interrupts the daemon while lines pour in: it settles what it has
// read and ends well.
func TestSignals(t *testing.T) {
	nfttest.Need(t)
	nfttest.Fresh(t)
	nfttest.Address(t, ourAddress)
	pbx := nfttest.NewHost(t, "pbx", pbxAddress)
	b := newBailiff(t, pbxListeners+jailSSH)
	b.Start()
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		pbx.Do(t, func() {
			conn, err := net.Dial("udp", ourAddress+":514")
			if err != nil {
				return
			}
			defer conn.Close()
			for {
				select {
				case <-stop:
					return
				default:
					_, _ = conn.Write([]byte(refusal("198.51.100.13")))
				}
			}
		})
	}()
	b.AwaitBan("198.51.100.13/32")
	if err := b.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := b.cmd.Wait(); err != nil {
		t.Errorf("interrupted in a flood bailiff ended with %v\n%s", err, b.Log())
	}
	close(stop)
	<-done
	if !inKernel(t, "198.51.100.13") {
		t.Error("the ban ended with bailiff")
	}
}

// TestInterruptedStart interrupts the daemon at each step of its start. It must end
// well, and neither lose what stood nor leave half of anything.
func TestInterruptedStart(t *testing.T) {
	b, _ := served(t)
	exists := func(path string) func() bool {
		return func() bool { _, err := os.Lstat(path); return err == nil }
	}
	var log *lockedBuffer
	says := func(what string) func() bool {
		return func() bool { return strings.Contains(log.String(), what) }
	}
	for name, reached := range map[string]func() bool{
		"store":   exists(filepath.Join(b.Dir, "state", "badger", "LOCK")),
		"api":     exists(b.Socket),
		"kernel":  says("bans restored"),
		"sources": says("reading"),
	} {
		t.Run(name, func(t *testing.T) {
			cmd := b.run()
			log = new(lockedBuffer)
			cmd.Stderr = log
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			for deadline := time.Now().Add(Patience); !reached(); {
				if time.Now().After(deadline) {
					t.Fatalf("the start did not come to the %s", name)
				}
			}
			if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
			if err := <-ended; err != nil {
				t.Errorf("bailiff ended with %v\n%s", err, log)
			}
			if !inKernel(t, "198.51.100.1") {
				t.Error("the ban of before is gone from the kernel")
			}
		})
	}
	b.Start()
	if bans := b.Bans(); len(bans) != 1 {
		t.Errorf("bans %v stand, want the one of before", bans)
	}
}

// TestSecondSignal holds up the end of the daemon with a request that is never
// finished. The second interrupt ends it at once, and costs nothing that was decided.
func TestSecondSignal(t *testing.T) {
	b, _ := served(t)
	b.Start()
	conn, err := net.Dial("unix", b.Socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /v1/bans HTTP/1.1\r\nHost: bailiff\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n")
	if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.Contains(line, "100") {
		t.Fatalf("the daemon answered %q, %v", line, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- b.cmd.Wait() }()
	interrupt := func() { _ = b.cmd.Process.Signal(syscall.SIGINT) }
	interrupt()
	Eventually(t, "the daemon to stop", func() bool { return strings.Contains(b.Log(), "stopping") })
	Eventually(t, "the second signal to end it", func() bool {
		interrupt()
		select {
		case err = <-ended:
			return true
		default:
			return false
		}
	})
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGINT {
		t.Errorf("bailiff ended with %v, want it ended by the signal", err)
	}
	b.Start()
	if bans := b.Bans(); len(bans) != 1 || !inKernel(t, "198.51.100.1") {
		t.Errorf("bans %v stand, want the one of before", bans)
	}
}
