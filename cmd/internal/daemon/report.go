package daemon

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/journal"

	"bailiff/cmd/internal/admin"
	"bailiff/decide"
)

// reporter tells of each decision once it holds, once: as a line to the person
// who watches, or as fields to the journal, or, where there is neither, as a
// record to the log.
type reporter struct {
	out     func(*decide.Decision) // may be nil
	log     *slog.Logger
	journal bool
}

func (r *reporter) tell(d *decide.Decision) {
	if r.out != nil {
		r.out(d)
		return
	}
	if r.journal && journal.Send(sentence(d), priority(d), fields(d)) == nil {
		return
	}
	level := slog.LevelInfo
	if d.Action == decide.Alarm {
		level = slog.LevelWarn
	}
	r.log.Log(context.Background(), level, "decision", "action", d.Action, "prefix", d.Prefix,
		"jail", d.Jail, "rule", d.Rule, "origin", d.Origin, "strike", d.Strike, "until", d.Until,
		"reason", admin.Safe(d.Reason))
}

func priority(d *decide.Decision) journal.Priority {
	if d.Action == decide.Alarm {
		return journal.PriWarning
	}
	return journal.PriNotice
}

// sentence is the message of a decision in the journal.
func sentence(d *decide.Decision) string {
	switch d.Action {
	case decide.Ban:
		return "ban " + d.Prefix.String() + " " + term(d) + ": " + d.Rule + " in jail " + d.Jail
	case decide.Lift:
		return "lift " + d.Prefix.String() + " in jail " + d.Jail
	default:
		return "alarm: " + admin.Safe(d.Reason)
	}
}

// term says how long a ban lasts.
func term(d *decide.Decision) string {
	if d.Until.IsZero() {
		return "until lifted"
	}
	return "for " + d.Until.Sub(d.At).Round(time.Second).String()
}

// fields returns a decision as journal fields. Values come from configuration,
// rules and addresses, except for reason and evidence, which are made safe.
func fields(d *decide.Decision) map[string]string {
	f := map[string]string{
		"BAILIFF_ID":     d.ID,
		"BAILIFF_ACTION": d.Action.String(),
		"BAILIFF_JAIL":   d.Jail,
		"BAILIFF_RULE":   d.Rule,
		"BAILIFF_ORIGIN": d.Origin,
		"BAILIFF_STRIKE": strconv.Itoa(d.Strike),
		"BAILIFF_AT":     d.At.UTC().Format(time.RFC3339Nano),
	}
	if d.Prefix.IsValid() {
		f["BAILIFF_ADDR"], f["BAILIFF_PREFIX"] = d.Prefix.Addr().String(), d.Prefix.String()
	}
	if !d.Until.IsZero() {
		f["BAILIFF_UNTIL"] = d.Until.UTC().Format(time.RFC3339Nano)
	}
	if d.Reason != "" {
		f["BAILIFF_REASON"] = admin.Safe(d.Reason)
	}
	if len(d.Evidence) > 0 {
		lines := make([]string, len(d.Evidence))
		for i, line := range d.Evidence {
			lines[i] = admin.Safe(line)
		}
		f["BAILIFF_EVIDENCE"] = strings.Join(lines, "\n")
	}
	return f
}
