package rules

import (
	"bytes"
	"net/netip"
)

// token is an address position: bytes start to end of a message spell addr.
type token struct {
	start, end int
	addr       netip.Addr
}

// letters are the bytes that make a name or a number of what they stand
// beside; hexes may stand within an address.
var letters, hexes = func() (l, h byteSet) {
	for _, b := range []byte("0123456789abcdefABCDEF:.") {
		h.add(b)
	}
	for b := range 256 {
		if '0' <= b && b <= '9' || 'a' <= b|0x20 && b|0x20 <= 'z' || b == '_' || b >= 0x80 {
			l.add(byte(b))
		}
	}
	return l, h
}()

// appendTokens appends every address position of msg in order.
//
// A position begins and ends where no letter or digit stands beside it. It is an
// IPv4 address of four decimal numbers without leading zeros that is no part of
// a longer dotted name, or the longest run of hexadecimal digits, colons and
// dots if that is an IPv6 address (RFC 4291 section 2.2), with its zone if one
// follows. An IPv6 address in brackets is two positions, with them and without.
// What follows a bare IPv6 address and a colon cannot be told from it, so that
// 2001:db8::1:22 is one address and no port.
func appendTokens(dst []token, msg []byte) []token {
	for i := 0; i < len(msg); i++ {
		if !hexes.has(msg[i]) {
			continue
		}
		begin := i
		for i < len(msg) && hexes.has(msg[i]) {
			i++
		}
		if i-begin > len("::1") || bytes.Contains(msg[begin:i], []byte("::")) {
			dst = appendRun(dst, msg, begin, i)
		}
	}
	return dst
}

// appendRun appends the positions within msg[begin:end], which is bounded by
// bytes that cannot stand in an address.
func appendRun(dst []token, msg []byte, begin, end int) []token {
	if t, ok := parse6(msg, begin, end); ok {
		dst = append(dst, t)
		if t.start > 0 && msg[t.start-1] == '[' && t.end < len(msg) && msg[t.end] == ']' {
			dst = append(dst, token{t.start - 1, t.end + 1, t.addr})
		}
		return dst
	}
	for begin < end {
		piece := begin
		for begin < end && msg[begin] != ':' {
			begin++
		}
		if t, ok := parse4(msg, piece, begin); ok {
			dst = append(dst, t)
		}
		begin++
	}
	return dst
}

// parse4 reads msg[begin:end] as an IPv4 address, with a full stop behind it or
// without.
func parse4(msg []byte, begin, end int) (token, bool) {
	if alone(msg, begin, end) && end > begin && msg[end-1] == '.' {
		end--
	}
	if end-begin < len("0.0.0.0") || end-begin > len("255.255.255.255") || !alone(msg, begin, end) {
		return token{}, false
	}
	var quad [4]byte
	i, n, digits := 0, 0, 0
	for _, b := range msg[begin:end] {
		switch {
		case b == '.':
			if digits == 0 || i == 3 {
				return token{}, false
			}
			quad[i] = byte(n)
			i, n, digits = i+1, 0, 0
		case b > '9' || digits > 0 && n == 0:
			return token{}, false
		default:
			n, digits = n*10+int(b-'0'), digits+1
			if n > 255 {
				return token{}, false
			}
		}
	}
	if i != 3 || digits == 0 {
		return token{}, false
	}
	quad[3] = byte(n)
	return token{begin, end, netip.AddrFrom4(quad)}, true
}

// parse6 reads msg[begin:end] as an IPv6 address, without one colon or full
// stop that belongs to the text around it.
func parse6(msg []byte, begin, end int) (token, bool) {
	run := msg[begin:end]
	if bytes.IndexByte(run, ':') == bytes.LastIndexByte(run, ':') {
		return token{}, false
	}
	if run[0] == ':' && run[1] != ':' {
		begin++
	}
	if n := len(run); run[n-1] == '.' || run[n-1] == ':' && run[n-2] != ':' {
		if end < len(msg) && letters.has(msg[end]) {
			return token{}, false
		}
		end--
	}
	const most = len("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255")
	if end-begin > most || !alone(msg, begin, end) {
		return token{}, false
	}
	addr, err := netip.ParseAddr(string(msg[begin:end]))
	if err != nil || !addr.Is6() {
		return token{}, false
	}
	return token{begin, zoneEnd(msg, end), addr.Unmap()}, true
}

// zoneEnd returns the end of the zone (RFC 4007 section 11) that begins at end,
// which is end itself if there is none.
func zoneEnd(msg []byte, end int) int {
	if end == len(msg) || msg[end] != '%' {
		return end
	}
	i := end + 1
	for i < len(msg) && (letters.has(msg[i]) || msg[i] == '.' || msg[i] == '-') {
		i++
	}
	if i == end+1 {
		return end
	}
	return i
}

// alone says that no letter or digit stands beside msg[begin:end].
func alone(msg []byte, begin, end int) bool {
	return (begin == 0 || !letters.has(msg[begin-1])) && (end == len(msg) || !letters.has(msg[end]))
}
