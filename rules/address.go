package rules

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// token is an address position: bytes start to end of a message, of which from to
// to spell the address without brackets and zone. It is one only if they do;
// most tokens are never asked.
type token struct {
	start, end int
	from, to   int
}

// addr returns the address that t spells in msg, unmapped and without zone.
func (t token) addr(msg []byte) (netip.Addr, bool) {
	text := msg[t.from:t.to]
	if bytes.IndexByte(text, ':') < 0 {
		return parse4(text)
	}
	addr, err := netip.ParseAddr(string(text))
	return addr.Unmap(), err == nil
}

// withoutPort returns the position that a bare IPv6 address has if what stands
// behind its last colon is a port.
func (t token) withoutPort(msg []byte) (token, bool) {
	if t.start != t.from || t.end != t.to {
		return t, false // in brackets, or with a zone
	}
	end := t.end
	for end > t.start && '0' <= msg[end-1] && msg[end-1] <= '9' {
		end--
	}
	digits := t.end - end
	end-- // the colon
	if digits == 0 || digits > len("65535") || end <= t.start || msg[end] != ':' || bytes.IndexByte(msg[t.start:end], ':') < 0 {
		return t, false
	}
	return token{t.start, end, t.start, end}, true
}

// letters are the bytes that make a name or a number of what they stand
// beside.
var letters = func() (l [256]bool) {
	for b := range 256 {
		l[b] = '0' <= b && b <= '9' || 'a' <= b|0x20 && b|0x20 <= 'z' || b == '_' || b >= 0x80
	}
	return l
}()

// weights are what the bytes that may stand within an address add to the weight of a
// run of them, which so tells how many of each kind there are; 0 of all others.
var weights = func() (w [256]uint64) {
	for _, b := range []byte("0123456789abcdefABCDEF") {
		w[b] = 1
	}
	w['.'], w[':'] = dot, colon
	return w
}()

const dot, colon = 1 << 20, 1 << 40

const (
	// longestInterface is IFNAMSIZ of Linux without the NUL.
	longestInterface = 15
	// longestAddress bounds a token: brackets around an IPv6 address that ends
	// in an IPv4 one, and its zone.
	longestAddress = len("[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255%]") + longestInterface
)

// positions finds the address positions of a message from its end, as far as
// they are asked for.
//
// A position begins and ends where no letter or digit stands beside it. It is an
// IPv4 address of four decimal numbers without leading zeros that is no part of
// a longer dotted name, or the longest run of hexadecimal digits, colons and
// dots if that is an IPv6 address (RFC 4291 section 2.2), with its zone if one
// follows. An IPv6 address in brackets is two positions, with them and without.
// What follows a bare IPv6 address and a colon cannot be told from it, so that
// 2001:db8::1:22 is one address and no port, but to a form that has a colon right
// behind the address (see withoutPort).
type positions struct {
	msg     []byte
	tokens  []token // the last first
	scanned int     // all that have a colon or dot behind it are in tokens
}

func (p *positions) reset(msg []byte) {
	p.msg, p.tokens, p.scanned = msg, p.tokens[:0], len(msg)
}

// before returns the positions that end at end, where no address can go on, and perhaps
// some near it.
func (p *positions) before(msg []byte, end int) []token {
	floor := end
	if floor > 0 && msg[floor-1] == ']' {
		floor--
	}
	for floor > 0 && end-floor < longestAddress && inAddress(msg[floor-1]) {
		floor--
	}
	p.msg, p.tokens, p.scanned = msg, p.tokens[:0], end
	for p.scanned > floor {
		p.scan(floor)
	}
	return p.tokens
}

// inAddress says that b may stand within an address or its zone.
func inAddress(b byte) bool { return weights[b] != 0 || letters[b] || b == '%' }

// at returns the i-th position from the end, if it ends at low or behind it.
func (p *positions) at(i, low int) (token, bool) {
	for floor := max(0, low-longestAddress); i >= len(p.tokens) && p.scanned > floor; {
		p.scan(floor)
	}
	if i >= len(p.tokens) || p.tokens[i].end < low {
		return token{}, false
	}
	return p.tokens[i], true
}

// scan adds the positions in the last run of bytes that may be an address, if a colon
// or dot of it stands behind floor.
func (p *positions) scan(floor int) {
	msg, end := p.msg, p.scanned
	for end-8 >= floor {
		if behind := separated(binary.LittleEndian.Uint64(msg[end-8:])); behind < 8 {
			end -= behind
			break
		}
		end -= 8
	}
	for end > floor && weights[msg[end-1]] < dot {
		end--
	}
	p.scanned = end
	if end == floor {
		return
	}
	begin, weight := end, uint64(0)
	for begin > 0 {
		w := weights[msg[begin-1]]
		if w == 0 {
			break
		}
		weight += w
		begin--
	}
	for end < len(msg) && weights[msg[end]] != 0 {
		end++
	}
	p.scanned = begin
	colons, dots := weight/colon, weight%colon/dot
	if colons >= 2 && p.add6(begin, end, dots > 0) || dots < 3 {
		return
	}
	if colons == 0 {
		p.add4(begin, end)
		return
	}
	for end > begin {
		piece := end
		for piece > begin && p.msg[piece-1] != ':' {
			piece--
		}
		p.add4(piece, end)
		end = piece - 1
	}
}

// separated returns how many of the eight bytes of w are behind its last colon or dot,
// 8 if it has neither.
func separated(w uint64) int {
	const ones, most = 0x0101010101010101, 0x7f7f7f7f7f7f7f7f
	c, d := w^ones*':', w^ones*'.' // which makes them 0
	others := (c&most+most|c)&(d&most+most|d) | most
	return bits.LeadingZeros64(^others) / 8
}

// add6 adds msg[begin:end], which holds two colons or more, if it may be an IPv6
// address, without one colon or full stop that belongs to the text around it. If
// it may be IPv4 addresses instead, it adds what is an IPv6 address for sure.
func (p *positions) add6(begin, end int, sure bool) bool {
	msg, run := p.msg, p.msg[begin:end]
	if run[0] == ':' && run[1] != ':' {
		begin++
	}
	if n := len(run); run[n-1] == '.' || run[n-1] == ':' && run[n-2] != ':' {
		if end < len(msg) && letters[msg[end]] {
			return false
		}
		end--
	}
	const most = len("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255")
	if end-begin > most || !alone(msg, begin, end) {
		return false
	}
	t := token{begin, zoneEnd(msg, end), begin, end}
	if sure {
		if _, ok := t.addr(msg); !ok {
			return false
		}
	}
	if t.start > 0 && msg[t.start-1] == '[' && t.end < len(msg) && msg[t.end] == ']' {
		p.tokens = append(p.tokens, token{t.start - 1, t.end + 1, begin, end})
	}
	p.tokens = append(p.tokens, t)
	return true
}

// add4 adds msg[begin:end] if it may be an IPv4 address, with a full stop behind
// it or without.
func (p *positions) add4(begin, end int) {
	if end > begin && p.msg[end-1] == '.' && alone(p.msg, begin, end) {
		end--
	}
	if n := end - begin; n >= len("0.0.0.0") && n <= len("255.255.255.255") && alone(p.msg, begin, end) {
		p.tokens = append(p.tokens, token{begin, end, begin, end})
	}
}

// parse4 reads four decimal numbers from 0 to 255 without leading zeros.
func parse4(text []byte) (addr netip.Addr, ok bool) {
	var quad [4]byte
	i, n, digits := 0, 0, 0
	for _, b := range text {
		switch {
		case b == '.':
			if digits == 0 || i == 3 {
				return addr, false
			}
			quad[i] = byte(n)
			i, n, digits = i+1, 0, 0
		case b > '9' || digits > 0 && n == 0:
			return addr, false
		default:
			n, digits = n*10+int(b-'0'), digits+1
			if n > 255 {
				return addr, false
			}
		}
	}
	quad[3] = byte(n)
	return netip.AddrFrom4(quad), i == 3 && digits > 0
}

// zoneEnd returns the end of the zone (RFC 4007 section 11) that begins at end,
// which is end itself if there is none. A zone is a number or the name of an
// interface; no position can lie within.
func zoneEnd(msg []byte, end int) int {
	if end == len(msg) || msg[end] != '%' {
		return end
	}
	digit := func(b byte) bool { return '0' <= b && b <= '9' }
	i := end + 1
	number := i < len(msg) && digit(msg[i])
	for i < len(msg) && (digit(msg[i]) || !number && (letters[msg[i]] || msg[i] == '.' && i > end+1)) {
		i++
	}
	for msg[i-1] == '.' {
		i--
	}
	if n := i - end - len("%"); n == 0 || n > longestInterface {
		return end
	}
	return i
}

// alone says that no letter or digit stands beside msg[begin:end].
func alone(msg []byte, begin, end int) bool {
	return (begin == 0 || !letters[msg[begin-1]]) && (end == len(msg) || !letters[msg[end]])
}
