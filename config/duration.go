package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"bailiff/decide"
)

// Forever is the duration that is written "forever".
const Forever = decide.Forever

var units = map[string]time.Duration{
	"ms": time.Millisecond,
	"s":  time.Second,
	"m":  time.Minute,
	"h":  time.Hour,
	"d":  24 * time.Hour,
	"w":  7 * 24 * time.Hour,
}

// ParseDuration reads a duration as the configuration and the command line
// spell it: "10m", "1d12h", "5w", "0s" or "forever". Its units are ms, s, m, h,
// d and w; its numbers are whole.
func ParseDuration(text string) (time.Duration, error) {
	if text == "forever" {
		return Forever, nil
	}
	if text == "" {
		return 0, errors.New("the duration is empty")
	}
	var total time.Duration
	for rest := text; rest != ""; {
		number := rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789"))]
		rest = rest[len(number):]
		unit := rest[:len(rest)-len(strings.TrimLeft(rest, "abcdefghijklmnopqrstuvwxyz"))]
		rest = rest[len(unit):]
		n, err := strconv.ParseInt(number, 10, 64)
		size := units[unit]
		if number == "" || size == 0 {
			return 0, fmt.Errorf("%q is not a duration", text)
		}
		if err != nil || n > int64(Forever-total)/int64(size) {
			return 0, fmt.Errorf("%q is too long; the longest is \"forever\"", text)
		}
		total += time.Duration(n) * size
	}
	return total, nil
}

// FormatDuration is the inverse of ParseDuration, in the fewest units. Fractions
// of a millisecond are dropped.
func FormatDuration(d time.Duration) string {
	switch {
	case d == Forever:
		return "forever"
	case d < time.Millisecond:
		return "0s"
	}
	var b strings.Builder
	for _, unit := range []string{"w", "d", "h", "m", "s", "ms"} {
		if n := d / units[unit]; n > 0 {
			fmt.Fprintf(&b, "%d%s", n, unit)
			d -= n * units[unit]
		}
	}
	return b.String()
}
