package livetest

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"bailiff/enforce/nft/nfttest"
)

// TestHostileSender sends what no daemon prints: huge lines, control bytes,
// frames without an end. The honest sender beside it loses nothing.
func TestHostileSender(t *testing.T) {
	nfttest.Need(t)
	nfttest.Fresh(t)
	nfttest.Address(t, ourAddress)
	pbx := nfttest.NewHost(t, "pbx", pbxAddress)
	b := newBailiff(t, pbxListeners+jailSSH)
	b.Start()
	pbx.Do(t, func() {
		for _, junk := range []string{
			strings.Repeat("A", 1<<20) + "\n", "999999999 <86>x", "5 <86>x\x00\x1b[31m\r\n\r\n", strings.Repeat("\x00\xff\x1b[", 100_000), "<", "<999>1 - - - - - -",
		} {
			conn, err := net.Dial("tcp", ourAddress+":514")
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = conn.Write([]byte(junk))
			_ = conn.Close()
		}
	})
	send(t, pbx, ourAddress+":514", strings.Repeat("A", 65_507), "\x00", "\n", "<86>", strings.Repeat("<86>", 10_000))
	before := b.Count("udp", "delivered")
	var lines []string
	for i := range 1000 { // a thousand offenders, one line each
		lines = append(lines, refusal(fmt.Sprintf("10.9.%d.%d", i/256, i%256)))
	}
	send(t, pbx, ourAddress+":514", lines...)
	send(t, pbx, ourAddress+":514", repeat(refusal("198.51.100.14"), 5)...)
	b.AwaitBan("198.51.100.14/32")
	if n := b.Count("udp", "delivered") - before; n != 1005 {
		t.Errorf("%d of the honest lines were delivered, want 1005", n)
	}
}

// TestControlBytes has an offender choose a name that would clear the screen of who
// looks at it, or would show a line that nobody wrote.
func TestControlBytes(t *testing.T) {
	nfttest.Need(t)
	nfttest.Fresh(t)
	nfttest.Address(t, ourAddress)
	pbx := nfttest.NewHost(t, "pbx", pbxAddress)
	b := newBailiff(t, pbxListeners+jailSSH)
	b.Start()
	const name = "a\x1b[2J\x1b]0;x\x07\x00\u202e\u0085\xffb"
	line := "<86>Nov 23 10:11:12 pbx sshd[7]: Failed password for invalid user " + name + " from 198.51.100.20 port 4 ssh2"
	send(t, pbx, ourAddress+":514", repeat(line, 5)...)
	b.AwaitBan("198.51.100.20/32")
	for _, args := range [][]string{{"why", "198.51.100.20"}, {"why", "198.51.100.20", "--json"}, {"status"}, {"list"}} {
		out, err := b.Command(args...).CombinedOutput()
		if err != nil {
			t.Errorf("bailiff %v: %v", args, err)
		}
		checkPrintable(t, strings.Join(args, " "), string(out))
	}
	checkPrintable(t, "the log", b.Log())
}

func checkPrintable(t *testing.T, what, text string) {
	t.Helper()
	if i := strings.IndexFunc(text, func(r rune) bool {
		return r != '\n' && !unicode.IsPrint(r) || r == utf8.RuneError
	}); i >= 0 {
		t.Errorf("%s shows %q", what, text[max(0, i-40):min(len(text), i+40)])
	}
}
