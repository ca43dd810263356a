package rules

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bailiff/ingest"
)

// A line that holds what a rule looks for and is read by none is counted and one is
// kept; what matched, what is not the daemon's and what holds nothing is not.
func TestNearMisses(t *testing.T) {
	s := compiled(t, parse(t, doorPack))
	entry := func(identifier, message, unit string) *ingest.Entry {
		return &ingest.Entry{Identifier: []byte(identifier), Message: []byte(message), Vouched: true, Unit: []byte(unit)}
	}
	for _, e := range []*ingest.Entry{
		entry("doord", "wrong key of alice from 198.51.100.7:5061", "doord.service"),          // matches
		entry("doord", "a wrong key of alice from nowhere", "doord.service"),                  // first: kept
		entry("doord", "another wrong key of bob from somewhere", "doord.service"),            // second: kept
		entry("doord", "a third wrong key of bob from somewhere", "doord.service"),            // counted only
		entry("doord", "a wrong key of mine from nowhere", "evil.service"),                    // not the daemon's
		entry("doord", "nothing of interest", "doord.service"),                                // holds nothing
		entry("other", "a wrong key of alice from somewhere", "doord.service"),                // nobody's
		entry("doord", "wrong key of monitor from 198.51.100.7:5061", "doord.service"),        // ignored by a rule
		entry("doord", "wrong key of alice from 198.51.100.7:5061 and on", "doord@2.service"), // fourth: kept
	} {
		s.AppendMatches(nil, e)
	}
	want := []NearMiss{{Pack: "door", N: 4, Line: "wrong key of alice from 198.51.100.7:5061 and on"}}
	if diff := cmp.Diff(want, s.NearMisses()); diff != "" {
		t.Error(diff)
	}
}

// A reload forgets no count of the packs that it keeps.
func TestCountsAreInherited(t *testing.T) {
	gate := parse(t, strings.Replace(doorPack, `"door"`, `"gate"`, 1))
	old := compiled(t, parse(t, doorPack), gate)
	for _, unit := range []string{"doord.service", "evil.service"} {
		for _, line := range []string{"wrong key of alice from nowhere", "wrong key of alice from 198.51.100.7:5061"} {
			old.AppendMatches(nil, &ingest.Entry{Identifier: []byte("doord"), Message: []byte(line), Vouched: true, Unit: []byte(unit)})
		}
	}
	next := compiled(t, gate)
	next.Inherit(old)
	if diff := cmp.Diff([]NearMiss{{Pack: "gate", N: 1, Line: "wrong key of alice from nowhere"}}, next.NearMisses()); diff != "" {
		t.Error(diff)
	}
	want := []Refusal{{Pack: "gate", N: 1, Unit: "evil.service", Line: "wrong key of alice from 198.51.100.7:5061"}}
	if diff := cmp.Diff(want, next.Refused()); diff != "" {
		t.Error(diff)
	}
}
