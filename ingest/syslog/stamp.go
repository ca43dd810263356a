package syslog

import (
	"bytes"
	"time"

	"bailiff/ingest/sender"
)

// Stamp is the timestamp of a header as it was written. The zero value stands
// for none. It is copied and compared for each line, and therefore small.
type Stamp struct {
	Nanosecond int
	// Offset is the zone in seconds east of UTC, if Zoned.
	Offset int32
	// Year is 0 where the layout has none (RFC 3164).
	Year                             int16
	Month, Day, Hour, Minute, Second int8
	// Zoned and Fractional say that the stamp has a numeric zone and a
	// fraction of a second.
	Zoned, Fractional bool
	// Doubted says that the writer holds its clock for wrong.
	Doubted bool
}

// IsZero says that there is no stamp.
func (s Stamp) IsZero() bool { return s.Month == 0 }

// Time returns the moment of the stamp. What the stamp does not say is taken
// from now: the zone is now's, and the year is the last in which the stamp lies
// no more than a day after now. It is the zero time for the zero Stamp and for
// a day that does not exist.
func (s Stamp) Time(now time.Time) time.Time {
	switch {
	case s.IsZero():
		return time.Time{}
	case s.Zoned:
		t := s.in(int(s.Year), time.UTC)
		if t.IsZero() {
			return t
		}
		return t.Add(-time.Duration(s.Offset) * time.Second)
	case s.Year != 0:
		return s.in(int(s.Year), now.Location())
	}
	limit := now.Add(24 * time.Hour)
	latest := limit.Year()
	for year := latest; year > latest-9; year-- { // February 29 is up to 8 years back
		if t := s.in(year, now.Location()); !t.IsZero() && !t.After(limit) {
			return t
		}
	}
	return time.Time{}
}

// in puts the stamp into a year. A leap second is the one before.
func (s Stamp) in(year int, loc *time.Location) time.Time {
	t := time.Date(year, time.Month(s.Month), int(s.Day), int(s.Hour), int(s.Minute), int(min(s.Second, 59)), s.Nanosecond, loc)
	if t.Day() != int(s.Day) && s.Day > 28 {
		return time.Time{}
	}
	return t
}

// intoMinute is how far into its minute the stamp is.
func (s *Stamp) intoMinute() time.Duration {
	return time.Duration(min(s.Second, 59))*time.Second + time.Duration(s.Nanosecond)
}

// trusted returns when a line with stamp s happened: when it was written, if s is
// precise and that is known and within skew of received, and never after received.
func (s Stamp) trusted(written, received time.Time, skew time.Duration) time.Time {
	if !s.Fractional || s.Doubted || written.IsZero() {
		return received
	}
	if age := received.Sub(written); age < 0 || age > skew {
		return received
	}
	return written
}

// told returns s as the rows of senders take it.
func (s *Stamp) told() sender.Stamp {
	return sender.Stamp{
		Year: int(s.Year), Month: int(s.Month), Day: int(s.Day),
		OfDay:  time.Duration(s.Hour)*time.Hour + time.Duration(s.Minute)*time.Minute + s.intoMinute(),
		Offset: time.Duration(s.Offset) * time.Second, Zoned: s.Zoned, Fractional: s.Fractional,
	}
}

// parseISO reads a stamp like 2026-11-23T01:38:44.613981+00:00 (RFC 3339 section
// 5.6; RFC 5424 section 6.2.3), with sep in place of the T, any number of digits
// in the fraction, and with or without a zone. It returns how many bytes it
// read, 0 if b does not begin with such a stamp.
func parseISO(b []byte, sep byte) (s Stamp, n int) {
	if len(b) < 19 || b[4] != '-' || b[7] != '-' || b[10] != sep {
		return Stamp{}, 0
	}
	century, ok1 := two(b)
	year, ok2 := two(b[2:])
	month, ok3 := two(b[5:])
	day, ok4 := two(b[8:])
	if !ok1 || !ok2 || !ok3 || !ok4 || month < 1 || month > 12 || day < 1 || day > 31 {
		return Stamp{}, 0
	}
	s = Stamp{Year: int16(century)*100 + int16(year), Month: month, Day: day}
	if !s.clock(b[11:]) {
		return Stamp{}, 0
	}
	n = 19 + s.fraction(b[19:])
	n += s.zone(b[n:])
	return s, n
}

// parseBSD reads the stamp of RFC 3164, "Nov 23 01:38:44", and what is made of
// it: a day of one digit with or without padding, a year behind the day (Cisco
// ASA), a fraction of a second.
func parseBSD(b []byte) (s Stamp, n int) {
	if len(b) < len("Nov 1 01:38:44") || b[3] != ' ' {
		return Stamp{}, 0
	}
	if s.Month = month(b); s.Month == 0 {
		return Stamp{}, 0
	}
	n = 4
	if b[n] == ' ' {
		n++
	}
	for ; n < len(b) && n < 6 && isDigit(b[n]); n++ {
		s.Day = s.Day*10 + int8(b[n]-'0')
	}
	if s.Day < 1 || s.Day > 31 || n == len(b) || b[n] != ' ' {
		return Stamp{}, 0
	}
	n++
	if len(b) > n+5 && b[n+4] == ' ' {
		century, ok1 := two(b[n:])
		year, ok2 := two(b[n+2:])
		if !ok1 || !ok2 {
			return Stamp{}, 0
		}
		s.Year = int16(century)*100 + int16(year)
		n += 5
	}
	if !s.clock(b[n:]) {
		return Stamp{}, 0
	}
	n += len("01:38:44")
	n += s.fraction(b[n:])
	return s, n
}

// clock reads 01:38:44. It takes the leap second.
func (s *Stamp) clock(b []byte) bool {
	if len(b) < 8 || b[2] != ':' || b[5] != ':' {
		return false
	}
	var ok1, ok2, ok3 bool
	s.Hour, ok1 = two(b)
	s.Minute, ok2 = two(b[3:])
	s.Second, ok3 = two(b[6:])
	return ok1 && ok2 && ok3 && s.Hour < 24 && s.Minute < 60 && s.Second <= 60
}

// fraction reads .613981 and returns its length; digits behind the ninth say
// nothing.
func (s *Stamp) fraction(b []byte) int {
	if len(b) < 2 || b[0] != '.' || !isDigit(b[1]) {
		return 0
	}
	i, unit := 1, 100_000_000
	for ; i < len(b) && isDigit(b[i]); i++ {
		s.Nanosecond += int(b[i]-'0') * unit
		unit /= 10
	}
	s.Fractional = true
	return i
}

// zone reads Z, +01:00 or +0100 and returns its length.
func (s *Stamp) zone(b []byte) int {
	if len(b) == 0 {
		return 0
	}
	if b[0] == 'Z' {
		s.Zoned = true
		return 1
	}
	if b[0] != '+' && b[0] != '-' || len(b) < 5 {
		return 0
	}
	hours, ok := two(b[1:])
	n := 3
	if b[n] == ':' {
		n++
	}
	if !ok || len(b) < n+2 {
		return 0
	}
	minutes, ok := two(b[n:])
	if !ok || hours > 23 || minutes > 59 {
		return 0
	}
	s.Offset = (int32(hours)*60 + int32(minutes)) * 60
	if b[0] == '-' {
		s.Offset = -s.Offset
	}
	s.Zoned = true
	return n + 2
}

// two reads two digits.
func two(b []byte) (int8, bool) {
	if !isDigit(b[0]) || !isDigit(b[1]) {
		return 0, false
	}
	return int8(b[0]-'0')*10 + int8(b[1]-'0'), true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// month returns the number of the month that b begins with, or 0.
func month(b []byte) int8 {
	switch string(b[:3]) {
	case "Jan":
		return 1
	case "Feb":
		return 2
	case "Mar":
		return 3
	case "Apr":
		return 4
	case "May":
		return 5
	case "Jun":
		return 6
	case "Jul":
		return 7
	case "Aug":
		return 8
	case "Sep":
		return 9
	case "Oct":
		return 10
	case "Nov":
		return 11
	case "Dec":
		return 12
	}
	return 0
}

// cutStamp removes a stamp of either layout from the start of b, and sets s to it. What
// follows it must be a space, or nothing.
func (p *Parser) cutStamp(b []byte, s *Stamp) (rest []byte, ok bool) {
	n := len(p.second)
	if len(b) > n && b[n] == ' ' && [len(p.second)]byte(b[:n]) == p.second {
		*s = p.stamp
		return trimSpaces(b[n:]), true
	}
	read, n := parseBSD(b)
	if n == len(p.second) {
		p.second, p.stamp = [len(p.second)]byte(b[:n]), read
	}
	if n == 0 {
		read, n = parseISO(b, 'T')
	}
	if n == 0 || n < len(b) && b[n] != ' ' {
		return b, false
	}
	*s = read
	return trimSpaces(b[n:]), true
}

// LeadingStamp returns the stamp that a message without a header begins with, as
// in the files of Asterisk, "[2026-11-23 01:39:42.691] …" or "[Nov 23 01:39:42] …",
// and FreeSWITCH; the zero Stamp if there is none. Entry.SetMessage removes it.
func LeadingStamp(msg []byte) Stamp {
	if len(msg) > 0 && msg[0] == '[' && (len(msg) == 1 || !isDigit(msg[1])) {
		s, _ := parseBSD(msg[1:])
		return s
	}
	s, _ := parseISO(bytes.TrimPrefix(msg, []byte("[")), ' ')
	return s
}

// ParseStamp returns the stamp that a text is or begins with, in the layouts of
// headers and files; the zero Stamp if it is none.
func ParseStamp(text []byte) Stamp {
	for _, sep := range []byte("T ") {
		if s, n := parseISO(text, sep); n > 0 {
			return s
		}
	}
	s, _ := parseBSD(text)
	return s
}
