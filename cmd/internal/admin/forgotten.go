package admin

import (
	"bytes"
	"fmt"
	"net/netip"
	"time"
)

// Forgotten is what a jail knew of a neighbourhood, an IPv4 /24 or an IPv6 /48, before
// windows there made room for others. It counts and bans nobody.
type Forgotten struct {
	Jail   string       `json:"jail"`
	Prefix netip.Prefix `json:"prefix"`
	// Windows were forgotten from Since to Last, and in them so many attempts on
	// evidence of either class.
	Windows   int       `json:"windows"`
	Proven    int       `json:"proven"`
	Spoofable int       `json:"spoofable"`
	Since     time.Time `json:"since"`
	Last      time.Time `json:"last"`
}

// whyForgotten writes what made room for others in the neighbourhoods of the prefix.
func (p *Printer) whyForgotten(b *bytes.Buffer, w *Why, now time.Time) {
	for i := range w.Forgotten {
		f := &w.Forgotten[i]
		fmt.Fprintf(b, "\nfor lack of room %s has forgotten %s of %s\n", f.Jail, plural(f.Windows, "window"), ShortPrefix(f.Prefix))
		p.field(b, "counts", fmt.Sprintf("%s from %s to %s", plural(f.Proven+f.Spoofable, "attempt"), clock(f.Since, now), clock(f.Last, now)))
		if f.Spoofable > 0 {
			p.field(b, "doubtful", fmt.Sprintf("%s that somebody else could have sent", plural(f.Spoofable, "attempt")))
		}
	}
}
