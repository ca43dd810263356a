package sender

import "time"

const (
	// steady is how far the clock of a sender may be from where it was, as we see
	// it: the line was under way, and clocks are set right.
	steady = time.Minute
	// A clock is elsewhere when samples lines of different seconds agree on it, and
	// have done so for settled seconds. One batch of lines that were held back on
	// their way is not enough.
	samples = 3
	settled = 10
	// quarter is what zones differ by.
	quarter = 15 * time.Minute
)

// west and east are the zones that there are.
const (
	west = -12 * time.Hour
	east = +14 * time.Hour
)

// clock follows how far the stamps of a sender are from our clock. Stamps without
// a zone are read as UTC, so that their distance is that of the zone and of the
// clock in it together: a clock in a zone that is not known is known up to a
// quarter of an hour.
type clock struct {
	guess bool // the zone is to be inferred

	level time.Duration // smoothed distance, if known
	zone  time.Duration // the part of it that is the zone, if in a zone
	known bool
	zoned bool
	base  time.Duration // the zone that level has in it, if configured

	// A distance that may be the next level.
	candidate time.Duration
	since     int64
	tries     int

	second int64  // of the last sample
	of     uint32 // hash of the host whose clock it is
}

// relay is how many seconds a host must have written nothing before the clock of
// another, whose lines come by the same sender, takes the place of its.
const relay = 600

// follows says whether stamps of a host, received in a second, are of this clock. A
// relay sends the lines of many hosts, and each has a clock of its own: one is
// followed.
func (c *clock) follows(of uint32, second int64) bool {
	if c.of == of && c.second != 0 {
		return true
	}
	if c.second != 0 && second-c.second < relay {
		return false
	}
	*c = clock{guess: c.guess, of: of}
	return true
}

// sample takes the distance of one stamp, received in a second. It reports by how
// much the clock jumped; a clock that is seen first, or went into another zone, did
// not.
func (c *clock) sample(distance time.Duration, second int64) (jump time.Duration, jumped bool) {
	c.second = second
	if c.known && (distance-c.level).Abs() <= steady {
		c.level += (distance - c.level) / 8
		c.tries = 0
		return 0, false
	}
	if c.tries == 0 || (distance-c.candidate).Abs() > steady/2 {
		c.candidate, c.since, c.tries = distance, second, 1
		return 0, false
	}
	c.candidate += (distance - c.candidate) / 4
	if c.tries++; c.tries < samples || second-c.since < settled {
		return 0, false
	}
	was := *c
	c.level, c.known, c.tries = c.candidate, true, 0
	if c.guess {
		c.zone = c.level.Round(quarter)
		c.zoned = c.zone >= west && c.zone <= east
		if !c.zoned {
			c.zone = 0
		}
	}
	if !was.known {
		return 0, false
	}
	if jump = c.skew() - was.skew(); jump.Abs() > steady {
		return jump, true
	}
	return 0, false
}

// skew is by how much the clock is fast. It is that of another zone as well where
// no zone explains it.
func (c *clock) skew() time.Duration { return c.level - c.zone }

// date returns the day of a date in days since 1970, after
// https://howardhinnant.github.io/date_algorithms.html#days_from_civil.
func date(year, month, day int) int64 {
	if month <= 2 {
		year--
	}
	era := year / 400 // years are never negative here
	yoe := year - era*400
	doy := (153*((month+9)%12)+2)/5 + day - 1
	doe := yoe*365 + yoe/4 - yoe/100 + doy
	return int64(era)*146097 + int64(doe) - 719468
}

// leap says whether a year has a February 29.
func leap(year int) bool { return year%4 == 0 && (year%100 != 0 || year%400 == 0) }
