package decide_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"bailiff/decide"
	"bailiff/ingest"
	"bailiff/ingest/stream"
	"bailiff/rules"
)

const authLog = `2026-11-23T10:00:01Z pbx sshd[812]: Failed password for root from 203.0.113.9 port 4711 ssh2
2026-11-23T10:00:02Z pbx sshd[812]: Failed password for root from 203.0.113.9 port 4711 ssh2
2026-11-23T10:00:03Z pbx sshd[813]: Accepted publickey for ada from 198.51.100.7 port 5022 ssh2: ED25519 SHA256:x
2026-11-23T10:00:05Z pbx sshd[812]: Failed password for root from 203.0.113.9 port 4711 ssh2
`

// Another program reads a log, matches it and decides, without a daemon, a store
// or a firewall.
func Example() {
	packs, err := rules.Embedded()
	if err != nil {
		log.Fatal(err)
	}
	set, err := rules.Compile(packs...)
	if err != nil {
		log.Fatal(err)
	}
	jail := decide.DefaultJail("ssh", "sshd")
	jail.MaxRetry = 3
	policy := decide.DefaultOptions()
	policy.Jails = []decide.Jail{jail}
	engine, err := decide.New(policy, nil) // no history: every ban is the first
	if err != nil {
		log.Fatal(err)
	}
	source, err := stream.New(strings.NewReader(authLog), stream.DefaultOptions())
	if err != nil {
		log.Fatal(err)
	}
	var matches []rules.Match
	err = source.Run(context.Background(), func(e *ingest.Entry) {
		matches = set.AppendMatches(matches[:0], e)
		for i := range matches {
			for _, d := range engine.Observe(&matches[i], e.Time) {
				fmt.Println(d.Action, d.Prefix, "after", d.Attempts, "attempts, for", d.Until.Sub(d.At))
			}
		}
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: ban 203.0.113.9/32 after 3 attempts, for 10m0s
}
