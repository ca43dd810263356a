package stream

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"bailiff/ingest"
)

// Format says what a stream consists of.
type Format string

// The formats of a stream.
const (
	// Auto tells each line by how it begins.
	Auto Format = "auto"
	// Syslog is lines with a syslog header, with or without priority.
	Syslog Format = "syslog"
	// JournalExport is what journalctl -o export writes.
	JournalExport Format = "journal-export"
	// NDJSON is one JSON object a line, as journalctl -o json, rsyslog, syslog-ng,
	// Vector and Fluent Bit write them.
	NDJSON Format = "ndjson"
	// Message is bare messages, one a line.
	Message Format = "message"
)

var formats = []Format{Auto, Syslog, JournalExport, NDJSON, Message}

// Stamps says which stamps of lines are believed. A stamp in the future never is.
type Stamps uint8

// The stamps that are believed.
const (
	// AllStamps believes all. One without a zone is read in that of the clock.
	AllStamps Stamps = iota
	// ZonedStamps believes those that name their zone: they do not shift by hours
	// where a sender's zone is not ours.
	ZonedStamps
	// NoStamps believes none: a line happened when it was read.
	NoStamps
)

// Options configures a Scanner or a Source. The zero value is not valid; start
// from DefaultOptions.
type Options struct {
	// Name is the name of the source.
	Name string
	// Format says what the lines are.
	Format Format
	// Identifier is the identifier of messages that carry none.
	Identifier string
	// Trust is how far the lines are believed.
	Trust ingest.Trust
	// Stamps says which stamps are believed.
	Stamps Stamps
	// Live says that the stream is being written: a last line without a line feed
	// may lack its end and is marked Truncated, and what is not told to be an export
	// of the journal is one only if it begins so. Nobody whose text stands
	// somewhere in the stream can then have the lines behind it read as fields.
	Live bool
	// Marks are lines that are none of the log's and are passed over.
	Marks []string
	// Dealt is called by a Source for each line of the stream, a mark or an empty one
	// too, when its handler has returned or it was passed over; nil: nobody
	// wants to know. Exports of the journal have no such lines.
	Dealt func()
	// Now is the clock; nil means time.Now. Its zone is the zone of stamps
	// that name none, and its year that of stamps without one.
	Now func() time.Time
}

// DefaultOptions returns options that tell the format by themselves.
func DefaultOptions() Options { return Options{Name: "stream", Format: Auto} }

// Validate reports every option that cannot work.
func (o Options) Validate() error {
	var errs []error
	if o.Name == "" {
		errs = append(errs, errors.New("name is empty"))
	}
	if !slices.Contains(formats, o.Format) {
		var names []string
		for _, f := range formats {
			names = append(names, string(f))
		}
		errs = append(errs, fmt.Errorf("format %q is unknown: want %s", o.Format, strings.Join(names, ", ")))
	}
	if o.Dealt != nil && (o.Format == JournalExport || o.Format == Auto && !o.Live) {
		errs = append(errs, fmt.Errorf("format %q is none of lines that could be answered one by one", o.Format))
	}
	return errors.Join(errs...)
}
