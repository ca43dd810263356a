package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"bailiff/cmd/internal/admin"
	"bailiff/cmd/internal/daemon"
	"bailiff/config"
	"bailiff/decide"
	"bailiff/ingest"
)

// pipeDecision is a decision as a stage writes it. Scripts rely on the names.
type pipeDecision struct {
	// Addr is the address that Prefix begins with: the peer, where it is one host.
	Addr netip.Addr `json:"addr"`
	admin.Decision
	ID    string        `json:"id"`
	Ports []decide.Port `json:"ports,omitempty"` // empty: all
	// Enforced says with --enforce what the daemon said: true, or why not.
	Enforced *bool  `json:"enforced,omitempty"`
	Refused  string `json:"refused,omitempty"`
}

// pipeSink takes the decisions of a stage.
type pipeSink struct {
	out     io.Writer
	gone    func()        // nobody takes them any more
	bailiff *admin.Client // nil: decide only

	bans, lifts, alarms, unwritten uint64
	idle, enforced                 uint64            // bans: simulated or over, and in force
	refused                        map[string]uint64 // bans by reason
	err                            error
}

// decision writes one decision, and waits until it is taken.
func (s *pipeSink) decision(d *decide.Decision) {
	line := pipeDecision{Addr: d.Prefix.Addr(), Decision: admin.DecisionOf(d), ID: d.ID, Ports: d.Ports}
	switch d.Action {
	case decide.Ban:
		s.bans++
		if s.bailiff != nil {
			s.enforce(d, &line)
		}
	case decide.Lift:
		s.lifts++
	case decide.Alarm:
		s.alarms++
	}
	if s.err != nil {
		s.unwritten++
		return
	}
	e := json.NewEncoder(s.out)
	e.SetEscapeHTML(false)
	if s.err = e.Encode(&line); s.err != nil {
		s.unwritten++
		s.gone()
	}
}

// trouble is why decisions could not be written, unless it is that their reader went,
// which is one of the ways in which a pipeline ends.
func (s *pipeSink) trouble() error {
	if s.err == nil || errors.Is(s.err, unix.EPIPE) {
		return nil
	}
	return fmt.Errorf("write decisions: %w", s.err)
}

// answerTime bounds how long one ban waits for the daemon, which may be stopping.
const answerTime = 10 * time.Second

// enforce hands a ban to the daemon as bailiff ban does.
func (s *pipeSink) enforce(d *decide.Decision, line *pipeDecision) {
	if d.Simulated || d.Spent {
		s.idle++
		return
	}
	length := "forever"
	if !d.Until.IsZero() {
		length = config.FormatDuration(max(time.Until(d.Until).Round(time.Second), time.Second))
	}
	ctx, stop := context.WithTimeout(context.Background(), answerTime)
	defer stop()
	_, err := s.bailiff.Ban(ctx, admin.BanRequest{
		Prefix: d.Prefix, For: length, Jail: d.Jail, Ports: d.Ports, Spoofable: d.Spoofable,
		Reason: fmt.Sprintf("bailiff pipe: %s, %d attempts", d.Rule, d.Attempts),
	})
	done := err == nil
	line.Enforced = &done
	if done {
		s.enforced++
		return
	}
	line.Refused = err.Error()
	s.refused[refusal(err)]++
}

// refusal says in a word or two why the daemon did not ban.
func refusal(err error) string {
	if e, ok := errors.AsType[*admin.Error](err); ok {
		switch e.Status {
		case http.StatusConflict:
			return "guarded"
		case http.StatusNotFound:
			return "no such jail"
		case http.StatusServiceUnavailable:
			return "no daemon"
		}
		return "not taken"
	}
	return "no answer"
}

// pipeTotal is one line of the account, or one member of it in JSON.
type pipeTotal struct {
	Name string `json:"name"`
	N    uint64 `json:"n"`
}

// account says what became of the lines, the matches and the bans. An error is one in
// bailiff: the sums do not hold.
func (s *pipeSink) account(w io.Writer, counts []ingest.Count, stage *daemon.Stage, asJSON bool) error {
	counts = append(counts, stage.Counts()...)
	var all []pipeTotal
	add := func(name string, n uint64, always bool) {
		if n > 0 || always {
			all = append(all, pipeTotal{name, n})
		}
	}
	for _, c := range counts {
		if c.Name != "parsed" {
			add(strings.Join(slices.DeleteFunc([]string{c.Name, c.Reason}, func(s string) bool { return s == "" }), ": "), c.N, false)
		}
	}
	stats := stage.Stats()
	add("attempts too old for their window", stats.Late, false)
	add("attempts during a ban", stats.Settled, false)
	add("bans stopped by a guard", stats.Guarded, false)
	add("bans stopped because somebody else could have sent all of it", stats.Doubted, false)
	add("bans held back by a ceiling", uint64(stage.Held()), false)
	add("bans held back until they were over", stats.HeldDropped, false)
	add("bans", s.bans, true)
	if s.bailiff != nil {
		add("bans enforced", s.enforced, true)
		add("bans simulated or over", s.idle, false)
		for _, why := range slices.Sorted(maps.Keys(s.refused)) {
			add("bans refused: "+why, s.refused[why], false)
		}
	}
	add("lifts", s.lifts, false)
	add("alarms", s.alarms, false)
	add("decisions nobody took", s.unwritten, false)

	var b []byte
	if asJSON {
		var err error
		if b, err = json.Marshal(map[string]any{"account": all}); err != nil {
			return err
		}
		b = append(b, '\n')
	} else {
		for _, t := range all {
			b = fmt.Appendf(b, "%10d  %s\n", t.N, t.Name)
		}
	}
	_, _ = w.Write(b) // nobody may be there to read it
	for _, off := range ingest.Balance(counts, counts) {
		return fmt.Errorf("the account does not balance, which is an error in bailiff: %s", off)
	}
	return nil
}
