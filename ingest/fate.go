package ingest

import "slices"

// Dialect is the layout in which a line came.
type Dialect uint8

// The dialects that sources tell apart.
const (
	// Bare is a message without a tag, with <PRI> in front or without it.
	Bare Dialect = iota
	// Tagged is TAG[PID]: MSG without a stamp.
	Tagged
	// RFC3164 is the layout of /dev/log and most appliances, RFC3339 the same
	// with a stamp like 2026-11-23T01:38:44.6+00:00.
	RFC3164
	RFC3339
	RFC5424
	Cisco
	// Journal is an entry with fields, of journald or in its export format.
	Journal
	// JSON is an object on a line of its own.
	JSON
	dialectCount
)

// String returns the word by which the dialect is counted.
func (d Dialect) String() string {
	return [dialectCount]string{"bare", "tagged", "rfc3164", "rfc3339", "rfc5424", "cisco", "journal", "json"}[d]
}

// Fate is one thing that became of a line.
type Fate uint8

// The fates. What each belongs to is said by identities.
const (
	// Received lines were read from the transport.
	Received Fate = iota
	// Delivered lines were handed to the handler, which has returned.
	Delivered
	// Truncated lines were cut, here or by their sender, and Cleaned ones
	// lost a colour or the like (see Entry.Cleaned).
	Truncated
	Cleaned
	// Refused lines are of senders that may not send, or may not be read as
	// lines of their own, or were read already.
	RefusedAddress
	RefusedUID
	RefusedRest
	RefusedAgain
	// Malformed lines could not be delimited, or are none.
	MalformedFraming
	MalformedEmpty
	MalformedExport
	MalformedJSON
	// Lost lines never came: the sender sent them, and they were overwritten
	// or thrown away before they could be read.
	LostKernel
	LostVacuumed
	// Unmatched lines matched no rule: of any kind; of one that waits for a line
	// which tells its address; though a pack looks for a text in them; because
	// the unit or user they need did not write them; or because their source may
	// not feed the pack.
	Unmatched
	UnmatchedHeld
	UnmatchedNear
	UnmatchedUntrusted
	UnmatchedPack
	// Matched lines matched a rule of at least one pack. Matches are those of
	// all packs, and AmbiguousMatches those of them that ban nobody.
	Matched
	Matches
	AmbiguousMatches
	// Decided lines were matched, and the judge has observed them.
	Decided
	// Dropped lines were matched, and were not observed: no room in the queue,
	// or the program stops, and what can be read again will be.
	DroppedQueue
	DroppedStopping
	fateCount
)

// fates names them as counters do.
var fates = [fateCount]Count{
	Received:           {Name: "received"},
	Delivered:          {Name: "delivered"},
	Truncated:          {Name: "truncated"},
	Cleaned:            {Name: "cleaned"},
	RefusedAddress:     {Name: "refused", Reason: "address"},
	RefusedUID:         {Name: "refused", Reason: "uid"},
	RefusedRest:        {Name: "refused", Reason: "rest of a split line"},
	RefusedAgain:       {Name: "refused", Reason: "sent again"},
	MalformedFraming:   {Name: "malformed", Reason: "framing"},
	MalformedEmpty:     {Name: "malformed", Reason: "empty"},
	MalformedExport:    {Name: "malformed", Reason: "journal export"},
	MalformedJSON:      {Name: "malformed", Reason: "json"},
	LostKernel:         {Name: "lost", Reason: "kernel"},
	LostVacuumed:       {Name: "lost", Reason: "vacuumed"},
	Unmatched:          {Name: "unmatched"},
	UnmatchedHeld:      {Name: "unmatched", Reason: "waits for its session"},
	UnmatchedNear:      {Name: "unmatched", Reason: "near miss"},
	UnmatchedUntrusted: {Name: "unmatched", Reason: "untrusted"},
	UnmatchedPack:      {Name: "unmatched", Reason: "pack"},
	Matched:            {Name: "matched"},
	Matches:            {Name: "matches"},
	AmbiguousMatches:   {Name: "ambiguous"},
	Decided:            {Name: "decided"},
	DroppedQueue:       {Name: "dropped", Reason: "queue full"},
	DroppedStopping:    {Name: "dropped", Reason: "stopping"},
}

// ends says that a line which was received met its end in the source.
func (f Fate) ends() bool {
	switch fates[f].Name {
	case "delivered", "refused", "malformed":
		return true
	}
	return false
}

// Fates returns the name and the reason of every total that a Ledger keeps.
func Fates() []Count {
	out := slices.Clone(fates[:])
	for d := range dialectCount {
		out = append(out, Count{Name: "parsed", Reason: d.String()})
	}
	return out
}
