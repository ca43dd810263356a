package decide

import (
	"fmt"
	"net/netip"
	"time"

	"bailiff/rules"
)

// alarmEvery is how often one alarm rings.
const alarmEvery = time.Hour

// bell is what an alarm is about. An attacker chooses addresses, so there is
// none in it: bells are as few as rules, jails and guards.
type bell struct {
	name  string
	guard netip.Prefix
}

// ring says whether an alarm may ring now. A clock that was set back does not
// silence it.
func (e *Engine) ring(b bell, now time.Time) bool {
	if last, ok := e.rung[b]; ok && now.Sub(last).Abs() < alarmEvery {
		return false
	}
	e.rung[b] = now
	return true
}

// Report returns an alarm that no match gave rise to, about an address if p is
// valid.
func Report(origin string, p netip.Prefix, at time.Time, reason string) Decision {
	d := Decision{Action: Alarm, Prefix: p, At: at, Origin: origin, Reason: reason}
	d.ID = id(&Decision{Action: Alarm, Prefix: p, At: at, Jail: origin + " " + reason})
	return d
}

func (e *Engine) alarmAmbiguous(m *rules.Match, now time.Time) []Decision {
	if !e.ring(bell{name: m.Rule.String()}, now) {
		return nil
	}
	d := Decision{
		Action: Alarm, At: m.Time, Rule: m.Rule.String(), Origin: "rules", Evidence: []string{m.Line},
		Prefix: host(peerOf(m.Candidates[0])),
		Reason: fmt.Sprintf("a line could mean any of %v, so it bans nobody: somebody may be writing addresses into what is logged", m.Candidates),
	}
	d.ID = id(&d)
	return []Decision{d}
}

// alarmGuarded tells that a guard stopped a ban.
func (e *Engine) alarmGuarded(ban *Decision, g Guard, now time.Time) Decision {
	d := Decision{
		Action: Alarm, Prefix: ban.Prefix, At: ban.At, Jail: ban.Jail, Rule: ban.Rule, Origin: "rules", Evidence: ban.Evidence[max(0, len(ban.Evidence)-1):],
		Reason: fmt.Sprintf("%s would be banned, but %s guards it (%s)", spelled(ban.Prefix), spelled(g.Prefix), g.Why),
	}
	if e.ring(bell{ban.Jail, g.Prefix}, now) {
		d.ID = id(&d)
	}
	return d
}

// alarmEvicted tells that there are more attackers than can be watched, and where they
// are most crowded.
func (e *Engine) alarmEvicted(w *watch, now time.Time) Decision {
	d := Decision{
		Action: Alarm, Prefix: w.key.prefix, At: now, Jail: w.docket.Name, Origin: "rules",
		Reason: fmt.Sprintf("more than %d addresses and accounts attack at a time: those with the fewest attempts are forgotten, first those that anybody could have invented", e.opt.MaxKeys),
	}
	if c := e.crowds.fullest(); c != nil && c.size > 1 {
		d.Prefix = c.place.prefix()
		d.Reason += fmt.Sprintf("; %d of these are in %s", c.size, d.Prefix)
	}
	if f, ok := e.Crowded(); ok && f.Windows > 1 {
		d.Reason += fmt.Sprintf("; of %s alone %d attempts were forgotten since %s", f.Prefix, f.Proven+f.Spoofable, f.Since.UTC().Format(time.RFC3339))
	}
	d.ID = id(&d)
	return d
}

// alarmSpared tells that spoofable evidence would ban somebody whom it must not
// touch.
func (e *Engine) alarmSpared(ban *Decision, why string, trunk netip.Prefix, now time.Time) Decision {
	d := Decision{
		Action: Alarm, Prefix: ban.Prefix, At: ban.At, Jail: ban.Jail, Rule: ban.Rule, Origin: "rules", Spoofable: true, Evidence: ban.Evidence,
		Reason: fmt.Sprintf("%s would be banned, but somebody else could have sent all of it in its name, and %s", spelled(ban.Prefix), why),
	}
	if e.ring(bell{"spared " + ban.Jail, trunk}, now) {
		d.ID = id(&d)
	}
	return d
}

// alarmDoubted tells that a ban would stand on spoofable evidence alone, and which
// service has ports that are not known, if that is why it does not.
func (e *Engine) alarmDoubted(ban *Decision, service string, now time.Time) Decision {
	d := Decision{
		Action: Alarm, Prefix: ban.Prefix, At: ban.At, Jail: ban.Jail, Rule: ban.Rule, Origin: "rules", Spoofable: true, Evidence: ban.Evidence,
		Reason: fmt.Sprintf("%s would be banned, but somebody else could have sent all of it in its name", spelled(ban.Prefix)),
	}
	if service != "" {
		d.Reason += fmt.Sprintf(", and the ports of %s are not known: give the jail ports, or its rules evidence = \"proven\" if that is what they read", service)
	}
	if e.ring(bell{name: "doubted " + ban.Jail}, now) {
		d.ID = id(&d)
	}
	return d
}
