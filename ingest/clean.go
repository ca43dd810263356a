package ingest

import "bytes"

// Colours are what console loggers leave in a line: ESC [ 1;33 m, or the same
// with the escape spelled #033, as rsyslog rewrites control characters.
const (
	esc        = 0x1b
	escSpelled = "#033"
	// maxParams bounds the digits and semicolons of one colour; the longest
	// in use, 38;2;255;255;255, has 16.
	maxParams = 16
	maxColour = len(escSpelled) + len("[") + maxParams + len("m")
)

var bom = []byte("\ufeff")

// Clean removes, in place, what decoration and transport put around and into a
// message, and returns what is left, a slice of msg:
//
//   - colours, both spellings, in one pass from left to right;
//   - NUL, CR, LF and spaces at the end;
//   - spaces and byte order marks at the start.
//
// It cannot be used to forge. No escape is decoded into the byte it stands
// for, so what it returns is a subsequence of msg. A colour whose removal would
// make its neighbours read as another colour stays where it is. So no colour
// comes into being, and cleaning what is clean changes nothing:
// Clean(Clean(x)) equals Clean(x).
//
// A message without colours costs two searches for a byte.
func Clean(msg []byte) []byte {
	return trimLeft(trimRight(decolour(msg)))
}

func trimLeft(b []byte) []byte {
	for len(b) > 0 {
		switch {
		case b[0] == ' ':
			b = b[1:]
		case b[0] == bom[0] && bytes.HasPrefix(b, bom):
			b = b[len(bom):]
		default:
			return b
		}
	}
	return b
}

func trimRight(b []byte) []byte {
	for len(b) > 0 {
		switch b[len(b)-1] {
		case 0, '\r', '\n', ' ':
			b = b[:len(b)-1]
		default:
			return b
		}
	}
	return b
}

// decolour removes colours in place.
func decolour(msg []byte) []byte {
	i := firstEscape(msg)
	if i < 0 {
		return msg
	}
	out := msg[:i]
	for i < len(msg) {
		if c := msg[i]; c != esc && c != '#' {
			out = append(out, c)
			i++
			continue
		}
		n := colour(msg[i:])
		if n > 0 && !joins(out, msg[i+n:]) {
			i += n
			continue
		}
		// Never part of a later colour: those begin at an escape only.
		n = max(n, 1)
		out = append(out, msg[i:i+n]...)
		i += n
	}
	return out
}

// firstEscape returns where the first escape of either spelling begins, or -1.
func firstEscape(msg []byte) int {
	i, j := bytes.IndexByte(msg, esc), bytes.IndexByte(msg, '#')
	if j >= 0 { // it is rare: the search for a byte is the quicker one
		j = bytes.Index(msg, []byte(escSpelled))
	}
	if i < 0 || j >= 0 && j < i {
		return j
	}
	return i
}

// colour returns the length of the colour that b begins with, or 0.
func colour(b []byte) int {
	var i int
	switch {
	case len(b) == 0:
		return 0
	case b[0] == esc:
		i = 1
	case b[0] == '#' && bytes.HasPrefix(b, []byte(escSpelled)):
		i = len(escSpelled)
	default:
		return 0
	}
	if i == len(b) || b[i] != '[' {
		return 0
	}
	i++
	for end := min(len(b), i+maxParams+1); i < end; i++ {
		if b[i] == 'm' {
			return i + 1
		}
		if !isParam(b[i]) {
			return 0
		}
	}
	return 0
}

func isParam(c byte) bool { return c == ';' || c >= '0' && c <= '9' }

// joins says that a colour would reach from the end of left into right if the
// two became neighbours.
func joins(left, right []byte) bool {
	i := 0
	for i < len(right) && i < maxColour && (right[i] == '[' || isParam(right[i])) {
		i++
	}
	if i == len(right) || right[i] != 'm' {
		return false
	}
	// A colour has an escape at its start and nowhere else, so only the last
	// escape of left can begin one that is still unfinished.
	tail := left[max(0, len(left)-maxColour):]
	start := len(tail) - 1
	for start >= 0 && tail[start] != esc && tail[start] != '#' {
		start--
	}
	if start < 0 {
		return false
	}
	var seam [2 * maxColour]byte
	n := copy(seam[:], tail[start:])
	m := copy(seam[n:], right)
	return colour(seam[:n+m]) > n
}
