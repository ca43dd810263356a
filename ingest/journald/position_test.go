package journald

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const someCursor = "s=776bfaade1da42bba794782318c6bc3b;i=3;b=6de99ecb183d4c84be6de76c91ef7d65;m=a208e618;t=660e9d3be937c;x=bfe90731746278a0"

func TestParsePosition(t *testing.T) {
	got, err := parsePosition(someCursor)
	if err != nil {
		t.Fatal(err)
	}
	want := position{
		seqnumID: "776bfaade1da42bba794782318c6bc3b", seqnum: 3,
		boot: "6de99ecb183d4c84be6de76c91ef7d65", mono: 0xa208e618,
		realtime: 0x660e9d3be937c, xor: 0xbfe90731746278a0,
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(position{})); diff != "" {
		t.Error(diff)
	}
	for name, bad := range map[string]string{
		"empty":       "",
		"half":        someCursor[:60],
		"not hex":     strings.Replace(someCursor, "i=3", "i=three", 1),
		"no value":    strings.Replace(someCursor, "i=3", "i=", 1),
		"other trade": "1712:99",
	} {
		if p, err := parsePosition(bad); err == nil {
			t.Errorf("%s: %+v, want an error", name, p)
		}
	}
}

func TestPositionSame(t *testing.T) {
	p, _ := parsePosition(someCursor)
	flushed := p
	flushed.seqnumID, flushed.seqnum = "another series", 900
	if !p.same(flushed) {
		t.Error("an entry copied to another file is the same entry")
	}
	other := p
	other.xor++
	if p.same(other) {
		t.Error("two entries of one microsecond are not the same")
	}
}

func TestPositionMissing(t *testing.T) {
	for _, c := range []struct {
		name  string
		p, q  position
		n     uint64
		known bool
	}{
		{"neighbours", position{seqnumID: "a", seqnum: 7}, position{seqnumID: "a", seqnum: 8}, 0, true},
		{"two removed", position{seqnumID: "a", seqnum: 7}, position{seqnumID: "a", seqnum: 10}, 2, true},
		{"numbers went back", position{seqnumID: "a", seqnum: 7}, position{seqnumID: "a", seqnum: 2}, 0, true},
		{"another series", position{seqnumID: "a", seqnum: 7}, position{seqnumID: "b", seqnum: 10}, 0, false},
		{"nothing before", position{}, position{seqnumID: "b", seqnum: 10}, 0, false},
	} {
		if n, known := c.p.missing(c.q); n != c.n || known != c.known {
			t.Errorf("%s: %d, %v, want %d, %v", c.name, n, known, c.n, c.known)
		}
	}
}

func TestGapLength(t *testing.T) {
	if got, want := (gap{from: 1_000_000, to: 3_500_000}).length(), 2500*time.Millisecond; got != want {
		t.Errorf("length %v, want %v", got, want)
	}
	if got := (gap{from: 3, to: 1}).length(); got != 0 {
		t.Errorf("the clock went back: length %v, want 0", got)
	}
}

// FuzzPosition holds that whatever is stored as a cursor is a position, whose parts
// are where it says, or an error.
func FuzzPosition(f *testing.F) {
	for _, s := range []string{"", "s=a;i=1;b=c;m=2;t=3;x=4", "s=a;i=1;b=c;m=2;t=3;x=", "s=;i=ffffffffffffffff;b=;m=0;t=0;x=0;y=1", "i=-1", "i=1;i=1;i=1;i=1;i=1;i=1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, cursor string) {
		p, err := parsePosition(cursor)
		if err != nil {
			return
		}
		again := fmt.Sprintf("s=%s;i=%x;b=%s;m=%x;t=%x;x=%x", p.seqnumID, p.seqnum, p.boot, p.mono, p.realtime, p.xor)
		if q, err := parsePosition(again); err != nil || q != p {
			t.Errorf("%q is %+v, and %q is %+v, %v", cursor, p, again, q, err)
		}
	})
}

func TestPositionBefore(t *testing.T) {
	at := position{seqnumID: "a", seqnum: 7, boot: "x", mono: 100}
	for _, c := range []struct {
		name string
		p    position
		want bool
	}{
		{"itself", at, false},
		{"an older number", position{seqnumID: "a", seqnum: 6, boot: "x", mono: 200}, true},
		{"a younger number", position{seqnumID: "a", seqnum: 8, boot: "x", mono: 50}, false},
		{"earlier in the boot", position{seqnumID: "b", seqnum: 9, boot: "x", mono: 99}, true},
		{"later in the boot", position{seqnumID: "b", seqnum: 1, boot: "x", mono: 101}, false},
		{"another boot", position{seqnumID: "b", seqnum: 1, boot: "y", mono: 1}, false},
	} {
		if got := c.p.before(at); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestCounts(t *testing.T) {
	p := func(series string, n uint64, boot string) position {
		return position{seqnumID: series, seqnum: n, boot: boot}
	}
	for _, c := range []struct {
		name  string
		had   []position // the last is where the reader is
		q     position
		n     uint64
		known bool
	}{
		{"nothing before", nil, p("sys", 9, "x"), 0, false},
		{"neighbours", []position{p("sys", 8, "x")}, p("sys", 9, "x"), 0, true},
		{"a user in between", []position{p("sys", 7, "x"), p("user", 8, "x")}, p("sys", 9, "x"), 0, true},
		{"overtaken behind a user's entry", []position{p("sys", 7, "x"), p("user", 8, "x")}, p("sys", 19, "x"), 10, true},
		{"overtaken, then a user's entry", []position{p("user", 6, "x"), p("sys", 8, "x")}, p("user", 12, "x"), 3, true},
		{"a user's first entry in this boot", []position{p("user", 600, "w"), p("sys", 8, "x")}, p("user", 700, "x"), 0, false},
		{"the first entry of a user", []position{p("sys", 8, "x")}, p("user", 700, "x"), 0, false},
	} {
		had, at := counts{}, position{}
		for _, at = range c.had {
			had.add(at)
		}
		if n, known := had.missing(at, c.q); n != c.n || known != c.known {
			t.Errorf("%s: %d, %v, want %d, %v", c.name, n, known, c.n, c.known)
		}
	}
}
