package stream

import (
	"strconv"
	"time"

	"bailiff/ingest"
	"bailiff/ingest/syslog"
)

// The members in which log shippers write what a header says, in the order in which
// they are asked for: journalctl -o json, rsyslog's %jsonmesg%, syslog-ng's
// $(format-json), Vector and Fluent Bit.
var (
	messageNames    = []string{"MESSAGE", "message", "msg", "log"}
	identifierNames = []string{"SYSLOG_IDENTIFIER", "appname", "app-name", "app_name", "program", "PROGRAM", "programname", "ident"}
	hostNames       = []string{"_HOSTNAME", "hostname", "host", "HOST"}
	processNames    = []string{"SYSLOG_PID", "procid", "pid", "PID"}
	timeNames       = []string{"__REALTIME_TIMESTAMP", "timestamp", "@timestamp", "ISODATE", "timereported", "time", "date"}
)

// json reads a line that is a JSON object with a message. It returns false if the line
// is none. strict says that lines are nothing else: without, an object without an
// identifier may be the message of a daemon that logs JSON.
func (s *Scanner) json(b []byte, e *ingest.Entry, strict bool) bool {
	o := &s.object
	if !o.read(b) {
		return false
	}
	raw := o.first(messageNames)
	identifier := o.first(identifierNames)
	if identifier == nil && !strict || raw == nil && !o.silent() {
		return false
	}
	s.text = append(s.text[:0], raw...) // which is cleaned in place
	if identifier == nil {
		// A shipper that follows a file puts its lines into a member, header and all.
		s.syslog(s.text, e)
	} else {
		e.Identifier, e.Host, e.ProcID = identifier, nil, nil
		e.SetMessage(s.text)
	}
	e.Dialect, e.Fields = ingest.JSON, o
	if host := o.first(hostNames); host != nil {
		e.Host = host
	}
	if process := o.first(processNames); process != nil {
		e.ProcID = process
	}
	e.Unit = o.first([]string{"_SYSTEMD_UNIT"})
	e.UID, e.PID = number(o.first([]string{"_UID"})), number(o.first([]string{"_PID"}))
	s.happenedAt(o.first(timeNames), e)
	return true
}

// silent says that the object has a message, which is empty.
func (o *object) silent() bool {
	for _, name := range messageNames {
		if _, ok := o.Field(name); ok {
			return true
		}
	}
	return false
}

// happenedAt sets the time of e to a member's: a stamp, or how long after 1970 it
// was, in seconds, or in smaller units where that would be far away.
func (s *Scanner) happenedAt(when []byte, e *ingest.Entry) {
	if len(when) == 0 || s.opts.Stamps == NoStamps {
		return
	}
	if n, err := strconv.ParseFloat(string(when), 64); err == nil {
		whole, err := strconv.ParseInt(string(when), 10, 64)
		var t time.Time
		switch {
		case n < 1e11: // to the year 5138
			t = time.UnixMicro(int64(n * 1e6))
		case err != nil:
			return
		case n < 1e14:
			t = time.UnixMilli(whole)
		case n < 1e17:
			t = time.UnixMicro(whole)
		default:
			t = time.Unix(0, whole)
		}
		if t.Before(e.Received) && n > 0 {
			e.Time = t
		}
		return
	}
	stamp := syslog.ParseStamp(when)
	s.happened(&stamp, e)
}
