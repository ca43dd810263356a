package admin

// The families about senders. Their label origin is a name of the configuration;
// all senders without one share the empty one.
var senderMetrics = []metric{
	gauge("senders", "Senders that are known.", func(s *Status, emit func(float64, ...string)) {
		for _, o := range s.originsOf() {
			emit(float64(o.rows), o.source, o.origin)
		}
	}, "source", "origin"),
	counter("sender_lines_total", "Lines by sender.", func(s *Status, emit func(float64, ...string)) {
		for _, o := range s.originsOf() {
			emit(o.lines, o.source, o.origin)
		}
	}, "source", "origin"),
	counter("sender_lost_total", "Lines that a sender numbered and that never came.", func(s *Status, emit func(float64, ...string)) {
		for _, o := range s.originsOf() {
			emit(o.lost, o.source, o.origin)
		}
	}, "source", "origin"),
	counter("sender_clock_jumps_total", "How often the clock of a sender jumped.", func(s *Status, emit func(float64, ...string)) {
		for _, o := range s.originsOf() {
			emit(o.jumps, o.source, o.origin)
		}
	}, "source", "origin"),
	gauge("sender_last_line_time_seconds", "When the last line of a sender came, in seconds since 1970.", func(s *Status, emit func(float64, ...string)) {
		for _, o := range s.originsOf() {
			emit(float64(o.last.UnixMilli())/1e3, o.source, o.origin)
		}
	}, "source", "origin"),
	gauge("sender_clock_skew_seconds", "By how much the clock of a sender with a name is fast.", func(s *Status, emit func(float64, ...string)) {
		for _, o := range s.originsOf() {
			if o.skew != nil && o.origin != "" {
				emit(*o.skew, o.source, o.origin)
			}
		}
	}, "source", "origin"),
}
