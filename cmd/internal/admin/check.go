package admin

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
)

// The bounds of what a ban says of itself. All of it is kept in memory while the ban stands.
const (
	maxPorts  = 1024
	maxReason = 1000 // bytes
)

// check refuses what no firewall could hold, so that no ban stands on record alone, and cuts
// a reason that is too long.
func (r *BanRequest) check() error {
	if len(r.Ports) > maxPorts {
		return Refuse(http.StatusBadRequest, "leave ports out to refuse all traffic", "the ban names %d ports, at most %d can be", len(r.Ports), maxPorts)
	}
	for _, p := range r.Ports {
		if p.Proto != "tcp" && p.Proto != "udp" {
			return Refuse(http.StatusBadRequest, "", "port %d: protocol %q is neither tcp nor udp", p.Port, p.Proto)
		}
		if p.Port == 0 {
			return Refuse(http.StatusBadRequest, "", "port 0 is none")
		}
	}
	// A reason may hold a name that an attacker chose: a long one must not save him.
	r.Reason = shortened(r.Reason)
	return nil
}

// shortened returns the first maxReason bytes of a reason.
func shortened(reason string) string {
	if len(reason) <= maxReason {
		return reason
	}
	return strings.ToValidUTF8(reason[:maxReason], "") + "…"
}

// nothingBehind refuses what stands behind the one value of a body: somebody expects it to be read.
func nothingBehind(d *json.Decoder) error {
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Refuse(http.StatusBadRequest, "", "read request: something stands behind its end")
	}
	return nil
}
