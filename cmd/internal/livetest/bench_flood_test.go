package livetest

import (
	"fmt"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// burst is how many datagrams one system call sends.
const burst = 64

// sender sends datagrams to a port on this machine, a burst with each system call:
// with a call for each it could not send 200,000 a second beside the receiver.
type sender struct {
	fd       int
	messages [burst]struct { // struct mmsghdr of sendmmsg(2)
		unix.Msghdr
		n uint32
	}
	pieces [burst]unix.Iovec
}

func newSender(b *testing.B, port int) *sender {
	b.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = unix.Close(fd) })
	if err := unix.Connect(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: port}); err != nil {
		b.Fatal(err)
	}
	return &sender{fd: fd}
}

// send sends at most burst lines and returns how many the kernel took.
func (s *sender) send(b *testing.B, lines [][]byte) uint64 {
	b.Helper()
	for i, line := range lines {
		s.pieces[i].Base = &line[0]
		s.pieces[i].SetLen(len(line))
		s.messages[i].Iov = &s.pieces[i]
		s.messages[i].SetIovlen(1)
	}
	n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&s.messages)), uintptr(len(lines)), 0, 0, 0)
	if errno != 0 {
		b.Fatal(errno)
	}
	return uint64(n)
}

// try sends one line to a port where perhaps nobody listens yet.
func (s *sender) try(line []byte) error { return unix.Send(s.fd, line, 0) }

// flood sends so many lines a second, or as many as it can, for so long, and
// returns how many those were and how long it took.
func (s *sender) flood(b *testing.B, perSecond int, lasts time.Duration, line func(i uint64) []byte) (sent uint64, took time.Duration) {
	b.Helper()
	lines := make([][]byte, 0, burst)
	for start := time.Now(); took < lasts; took = time.Since(start) {
		due := uint64(took.Seconds() * float64(perSecond))
		if due < sent+burst {
			time.Sleep(burst * time.Second / time.Duration(perSecond))
			continue
		}
		lines = lines[:0]
		for i := range uint64(burst) {
			lines = append(lines, line(sent+i))
		}
		sent += s.send(b, lines)
	}
	return sent, took
}

// BenchmarkFlood reports what became of 200,000 datagrams a second, sent from
// the same machine. Of attacks each is of another address and banned at once,
// so that the decisions can be counted.
func BenchmarkFlood(b *testing.B) {
	ordinary := []byte("<30>Nov 23 10:11:12 host systemd[1]: Started session-42.scope - Session 42 of User alice, and some more of it.")
	var attacks [2 * burst][]byte // more than are on their way at once
	for _, kind := range []struct {
		name string
		line func(i uint64) []byte
	}{
		{"no match", func(uint64) []byte { return ordinary }},
		{"attacks", func(i uint64) []byte {
			line := &attacks[i%uint64(len(attacks))]
			*line = fmt.Appendf((*line)[:0], "<86>sshd[7]: Failed password for root from 10.%d.%d.%d port 4 ssh2", i>>16&255, i>>8&255, i&255)
			return *line
		}},
	} {
		b.Run(kind.name, func(b *testing.B) {
			d := benchBailiff(b, "[source.journald]\nenabled = false\n"+loopbackListener+"[jail.ssh]\npacks = [\"sshd\"]\nmax_retry = 1\nban_time = \"1h\"\n")
			d.Start()
			s := newSender(b, 5514)
			var sent uint64
			var took time.Duration
			for b.Loop() {
				sent, took = s.flood(b, 200_000, 5*time.Second, kind.line)
			}
			Eventually(b, "the queue to be empty", func() bool {
				return d.Count("udp", "received")+d.Count("udp", "lost") >= sent && d.Status().Queue.Length == 0
			})
			count := func(fate string) float64 { return float64(d.Count("udp", fate)) }
			off := 0
			for _, s := range d.Status().Sources {
				off += len(s.Imbalances)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(sent)/took.Seconds(), "sent/s")
			for _, fate := range []string{"received", "lost", "unmatched", "matched", "decided", "dropped"} {
				b.ReportMetric(count(fate), fate)
			}
			b.ReportMetric(float64(sent)-count("received")-count("lost"), "unaccounted")
			b.ReportMetric(float64(off), "sums-off")
		})
	}
}
