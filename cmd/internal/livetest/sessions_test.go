package livetest

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bailiff/cmd/internal/admin"
	"bailiff/enforce/nft/nfttest"
	"bailiff/ingest/journald/journaltest"
)

// dir reads a daemon that names the client on one line and the failure on another.
const dir = `
[pack]
name = "dir"
evidence = "proven"
[pack.match]
identifier = ["dird"]
any_unit = true
[[rule]]
name = "accept"
event = "info"
pattern = "conn=<conn:int> ACCEPT from <addr>"
bind = "conn"
[[rule]]
name = "refused"
event = "failure"
pattern = "conn=<conn:int> err=49"
session = "conn"
`

// TestSessions bans by what an earlier line said, also if a reload stands between
// the two, and tells of what it cannot bind.
func TestSessions(t *testing.T) {
	nfttest.Need(t)
	nfttest.Fresh(t)
	journaltest.Start(t)
	b, write := startWithPack(t, "dir", dir)
	conn := nativeJournal(t)
	say := func(format string, args ...any) {
		t.Helper()
		if _, err := fmt.Fprintf(conn, "MESSAGE="+format+"\nSYSLOG_IDENTIFIER=dird\n", args...); err != nil {
			t.Fatal(err)
		}
	}
	say("conn=1 ACCEPT from 198.51.100.7")
	say("conn=2 ACCEPT from 198.51.100.8")
	for range 5 {
		say("conn=3 err=49")
		say("conn=1 err=49")
	}
	b.AwaitBan("198.51.100.7/32")

	write(dir + "unless.conn = \"9\"\n")
	if out, err := b.Command("reload").CombinedOutput(); err != nil {
		t.Fatalf("reload: %v\n%s", err, out)
	}
	for range 5 {
		say("conn=2 err=49")
	}
	b.AwaitBan("198.51.100.8/32")
	if bans := b.Bans(); len(bans) != 2 {
		t.Errorf("banned are %v", bans)
	}

	out, err := b.Command("status", "--json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var status admin.Status
	if err := json.Unmarshal(out, &status); err != nil {
		t.Fatal(err)
	}
	want := map[string]*admin.Sessions{"dir": {Live: 2, Unbound: 5}}
	got := make(map[string]*admin.Sessions)
	for _, p := range status.Packs {
		if p.Sessions != nil {
			got[p.Name] = p.Sessions
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
