package rules

import (
	"bytes"
	"strings"
)

// MaxAccount is how many bytes of an account are kept.
const MaxAccount = 256

// normalise returns what is kept of an account. It does not copy.
func normalise(name []byte) []byte {
	name = accountName(name)
	return name[:min(len(name), MaxAccount)]
}

// accountName returns the user of a SIP or tel URI (RFC 3261 section 19.1.1), with a
// display name or without, and anything else as it is. It does not copy.
func accountName(name []byte) []byte {
	s := name
	if len(s) > 0 && s[0] == '"' { // a display name may hold anything
		i := 1
		for i < len(s) && s[i] != '"' {
			if s[i] == '\\' {
				i++
			}
			i++
		}
		s = s[min(i+1, len(s)):]
	}
	if _, behind, ok := bytes.Cut(s, []byte("<")); ok {
		s, _, _ = bytes.Cut(behind, []byte(">"))
	}
	if user, ok := uriUser(s); ok {
		name = user
	}
	return name
}

// schemes are those of telephones.
var schemes = []string{"sip:", "sips:", "tel:"}

// uriUser returns what stands between the scheme and the host.
func uriUser(uri []byte) ([]byte, bool) {
	for _, scheme := range schemes {
		if n := len(scheme); len(uri) >= n && strings.EqualFold(string(uri[:n]), scheme) {
			user := uri[n:]
			if i := bytes.IndexAny(user, "@;?>"); i >= 0 {
				user = user[:i]
			}
			return user, true
		}
	}
	return nil, false
}
