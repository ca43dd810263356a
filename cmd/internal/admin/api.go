package admin

import (
	"net/netip"
	"time"

	"bailiff/decide"
)

// Ban is one standing ban. Scripts rely on the names and on the nulls.
type Ban struct {
	Prefix netip.Prefix `json:"prefix"`
	Jail   string       `json:"jail"` // "" for an operator's ban without one
	Rule   string       `json:"rule"` // "pack/name"
	Since  time.Time    `json:"since"`
	Until  *time.Time   `json:"until"` // nil: until lifted
	Strike int          `json:"strike"`
	Origin string       `json:"origin"`
	// Packets and Bytes are what the firewall refused since Since.
	Packets uint64 `json:"packets"`
	Bytes   uint64 `json:"bytes"`
	// Leaks are the lines that came from there two seconds or more after it was
	// banned: the ban is without effect.
	Leaks int `json:"leaks,omitempty"`
	// Simulated bans are decided and not enforced.
	Simulated bool `json:"simulated,omitempty"`
	// Spoofable bans stand on evidence that somebody else could have sent:
	// they are short, and limited to Ports.
	Spoofable bool          `json:"spoofable,omitempty"`
	Ports     []decide.Port `json:"ports,omitempty"`
}

// BanOf returns the ban that d orders, without traffic.
func BanOf(d *decide.Decision) Ban {
	return Ban{
		Prefix: d.Prefix, Jail: d.Jail, Rule: d.Rule, Since: d.At, Until: until(d.Until),
		Strike: d.Strike, Origin: d.Origin, Simulated: d.Simulated, Spoofable: d.Spoofable, Ports: d.Ports,
	}
}

// until makes the zero time null.
func until(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// BanRequest asks for one ban.
type BanRequest struct {
	Prefix netip.Prefix `json:"prefix"`
	// For is how long, spelled as in the configuration ("10m", "1d",
	// "forever"); empty is the ban_time of the jail or of [defaults].
	For    string `json:"for,omitempty"`
	Jail   string `json:"jail,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Ports limits the ban; empty is what the jail says.
	Ports []decide.Port `json:"ports,omitempty"`
	// Spoofable says that somebody else could have sent all that it stands on:
	// it is no strike.
	Spoofable bool `json:"spoofable,omitempty"`
	// Force allows a prefix wider than [CheckWidth] lets pass.
	Force bool `json:"force,omitempty"`
}

// Held is a ban that waits for room under a ceiling.
type Held struct {
	Ban
	// Why says what there is no room in.
	Why string `json:"why"`
}

// HeldRequest asks to let through, or to drop, the bans that are held on what the
// prefixes cover, or all of them.
type HeldRequest struct {
	Prefixes []netip.Prefix `json:"prefixes,omitempty"`
	All      bool           `json:"all,omitempty"`
	Drop     bool           `json:"drop,omitempty"`
}

// UnbanRequest asks to lift every ban that overlaps one of the prefixes, or
// all of them.
type UnbanRequest struct {
	Prefixes []netip.Prefix `json:"prefixes,omitempty"`
	All      bool           `json:"all,omitempty"`
	// Forget has these bans, and those before them, make no later one longer.
	Forget bool `json:"forget,omitempty"`
	// Allow is for how long the prefixes are allowed besides; empty: they are not.
	Allow string `json:"allow,omitempty"`
}

// UnbanResult names what was lifted.
type UnbanResult struct {
	Lifted []Ban `json:"lifted"`
}

// Decision is a recorded decision as the API and `run --json` show it. Its
// evidence has been through [Safe].
type Decision struct {
	At        time.Time    `json:"at"`
	Action    string       `json:"action"` // ban, lift or alarm
	Prefix    netip.Prefix `json:"prefix"`
	Jail      string       `json:"jail"`
	Rule      string       `json:"rule"`
	Origin    string       `json:"origin"`
	Strike    int          `json:"strike"`
	Attempts  int          `json:"attempts"`
	Until     *time.Time   `json:"until"`
	Simulated bool         `json:"simulated,omitempty"`
	Spent     bool         `json:"spent,omitempty"`
	Spoofable bool         `json:"spoofable,omitempty"`
	Reason    string       `json:"reason,omitempty"`
	Evidence  []string     `json:"evidence,omitempty"`
	// Witnesses tell what the attempts were merged from.
	Witnesses []Witness `json:"witnesses,omitempty"`
}

// DecisionOf returns d as the API shows it.
func DecisionOf(d *decide.Decision) Decision {
	out := Decision{
		At: d.At, Action: d.Action.String(), Prefix: d.Prefix, Jail: d.Jail, Rule: d.Rule,
		Origin: d.Origin, Strike: d.Strike, Attempts: d.Attempts, Until: until(d.Until),
		Simulated: d.Simulated, Spent: d.Spent, Spoofable: d.Spoofable, Reason: Safe(d.Reason), Witnesses: WitnessesOf(d.Sums),
	}
	for _, line := range d.Evidence {
		out.Evidence = append(out.Evidence, Safe(line))
	}
	return out
}

// Guard is one reason why a prefix is not banned.
type Guard struct {
	Prefix netip.Prefix `json:"prefix"`
	// Reason says where the guard comes from: "never_ban", "own address of
	// eth0", "default gateway".
	Reason string `json:"reason"`
}
