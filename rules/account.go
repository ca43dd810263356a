package rules

import (
	"slices"
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
	if i := slices.Index(s, '<'); i >= 0 {
		s = s[i+1:]
		if j := slices.Index(s, '>'); j >= 0 {
			s = s[:j]
		}
	}
	if user, ok := uriUser(s); ok {
		name = user
	}
	return name
}

// uriUser returns what stands between the scheme and the host.
func uriUser(uri []byte) ([]byte, bool) {
	i := slices.Index(uri, ':')
	if i < 0 {
		return nil, false
	}
	switch strings.ToLower(string(uri[:i])) {
	case "sip", "sips", "tel":
	default:
		return nil, false
	}
	user := uri[i+1:]
	for j, b := range user {
		if b == '@' || b == ';' || b == '?' || b == '>' {
			return user[:j], true
		}
	}
	return user, true
}
