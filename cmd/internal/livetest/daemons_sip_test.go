package livetest

import (
	"crypto/md5"
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"
	"time"
)

// sipDaemons run the whole configuration that docs/kamailio.md ends with.
var sipDaemons = []daemonUnderTest{{
	name: "kamailio", packs: []string{"kamailio"},
	start: func(l *lab) {
		page, err := os.ReadFile("../../../docs/kamailio.md")
		if err != nil {
			l.Fatal(err)
		}
		conf := regexp.MustCompile("(?ms)^```\n(#!KAMAILIO.*?)^```").FindSubmatch(page)
		if conf == nil {
			l.Fatal("docs/kamailio.md has no whole configuration")
		}
		l.serve("kamailio.service", 5060, "/usr/sbin/kamailio", "-DD", "-f", l.write("kamailio.cfg", string(conf[1]), 0o644))
	},
	refuse: refuseSIP,
}}

// refuseSIP registers over UDP with a wrong password, another one each time: a challenge, and a digest
// (RFC 3261 section 22.4, RFC 2617 section 3.2.2) that is refused.
func refuseSIP(l *lab) {
	l.Helper()
	var c net.Conn
	var err error
	l.guesser.Do(l, func() { c, err = net.Dial("udp", daemonHost+":5060") })
	if err != nil {
		l.Fatal(err)
	}
	defer c.Close()
	call := fmt.Sprintf("%x", time.Now().UnixNano())
	request := func(sequence int, authorization string) string {
		l.Helper()
		_, err := fmt.Fprintf(c, strings.ReplaceAll(`REGISTER sip:%[1]s SIP/2.0
Via: SIP/2.0/UDP %[2]s;branch=z9hG4bK%[3]s%[4]d;rport
From: <sip:alice@%[1]s>;tag=%[3]s
To: <sip:alice@%[1]s>
Call-ID: %[3]s
CSeq: %[4]d REGISTER
Max-Forwards: 70
Contact: <sip:alice@%[2]s>
%[5]sContent-Length: 0

`, "\n", "\r\n"), daemonHost, c.LocalAddr(), call, sequence, authorization)
		if err != nil {
			l.Fatal(err)
		}
		_ = c.SetReadDeadline(time.Now().Add(Patience))
		answer := make([]byte, 4096)
		n, err := c.Read(answer)
		if err != nil {
			l.Fatal(err)
		}
		if !strings.HasPrefix(string(answer[:n]), "SIP/2.0 401 ") {
			l.Fatalf("answered with %q", answer[:n])
		}
		return string(answer[:n])
	}
	challenge := regexp.MustCompile(`realm="([^"]*)", nonce="([^"]*)"`).FindStringSubmatch(request(1, ""))
	if challenge == nil {
		l.Fatal("no challenge")
	}
	hash := func(s string) string { return fmt.Sprintf("%x", md5.Sum([]byte(s))) }
	uri := "sip:" + daemonHost
	response := hash(hash("alice:"+challenge[1]+":wrong-"+call) + ":" + challenge[2] + ":" + hash("REGISTER:"+uri))
	request(2, fmt.Sprintf("Authorization: Digest username=\"alice\", realm=%q, nonce=%q, uri=%q, response=%q\r\n", challenge[1], challenge[2], uri, response))
}
