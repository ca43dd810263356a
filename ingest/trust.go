package ingest

import "fmt"

// Trust says how surely a line is the work of its Origin. The zero value is
// TrustNormal.
type Trust int8

// The levels of trust, in their order. A source gives its lines the level that
// its transport earns, unless the operator says otherwise.
const (
	// TrustLow is a sender that a third party can imitate: UDP over an open
	// path.
	TrustLow Trust = -1
	// TrustNormal is a sender known by its address: a connection, or UDP over
	// a protected path; and a file, whose writer nobody vouches for.
	TrustNormal Trust = 0
	// TrustHigh is a sender that the kernel, journald or a certificate names.
	TrustHigh Trust = 1
)

// String returns "low", "normal" or "high".
func (t Trust) String() string {
	switch {
	case t < TrustNormal:
		return "low"
	case t > TrustNormal:
		return "high"
	}
	return "normal"
}

// ParseTrust reads what String writes.
func ParseTrust(s string) (Trust, error) {
	for _, t := range []Trust{TrustLow, TrustNormal, TrustHigh} {
		if s == t.String() {
			return t, nil
		}
	}
	return 0, fmt.Errorf("must be \"low\", \"normal\" or \"high\"; it is %q", s)
}
