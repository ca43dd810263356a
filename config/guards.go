package config

import (
	"errors"
	"net/netip"
	"path/filepath"
	"strings"
)

// guard reads one entry of never_ban or of trunks.
func (r *reader) guard(path, text string, into *NeverBan) {
	if rest, ok := strings.CutPrefix(text, "@"); ok {
		set, ok := parseSet(rest)
		if !ok {
			r.fail(path, `write it like "@inet filter/trusted4"`, "%q does not name a set of nftables", text)
			return
		}
		into.Sets = append(into.Sets, set)
		return
	}
	if file, ok := strings.CutPrefix(text, "file:"); ok {
		if !filepath.IsAbs(file) {
			r.fail(path, `write the whole path: "file:/etc/bailiff/friends"`, "%q is not an absolute path", file)
			return
		}
		into.Files = append(into.Files, filepath.Clean(file))
		return
	}
	if !strings.Contains(text, "/") && looksLikeName(text) {
		if !validName(text) {
			r.fail(path, `write it like "sip.example.net"`, "%q is no host name", text)
			return
		}
		into.Names = append(into.Names, strings.TrimSuffix(strings.ToLower(text), "."))
		return
	}
	p, hint, err := parsePrefix(text)
	if err != nil {
		r.fail(path, hint, "%v", err)
		return
	}
	into.Prefixes = append(into.Prefixes, p)
}

// validName says whether text can be a host name (RFC 1123 section 2.1).
func validName(text string) bool {
	text = strings.TrimSuffix(text, ".")
	if len(text) > 253 {
		return false
	}
	for label := range strings.SplitSeq(text, ".") {
		const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
		if label == "" || len(label) > 63 || strings.Trim(label, letters) != "" || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
	}
	return true
}

// ReadList reads the addresses and prefixes of a list: one a line, with # before
// remarks. Like the configuration the file must belong to root or to the user, and be
// writable by nobody else. The error is an Errors, with lines.
func ReadList(path string) ([]netip.Prefix, error) {
	text, err := readFile(path)
	if err != nil {
		if e, ok := errors.AsType[*Error](err); ok {
			return nil, Errors{e}
		}
		return nil, Errors{{File: path, Msg: err.Error(), hint: "write the list, or take it out of the configuration"}}
	}
	r := &reader{file: path}
	var out []netip.Prefix
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		p, hint, err := parsePrefix(line)
		if err != nil {
			r.errors = append(r.errors, &Error{File: path, Line: n, Msg: err.Error(), hint: hint})
			continue
		}
		out = append(out, p)
	}
	return out, sorted(r.errors)
}
