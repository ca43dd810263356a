package syslog

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// cutAll returns the frames of a stream as text, with the fate of those that
// are not whole.
func cutAll(r io.Reader) (got []string) {
	in := newFrames(r)
	for {
		frame, fate := in.next()
		switch fate {
		case ended:
			return got
		case broken:
			got = append(got, "(broken)")
		case cut:
			got = append(got, "(cut)"+string(frame))
		default:
			got = append(got, string(frame))
		}
	}
}

func TestFrames(t *testing.T) {
	long := "<1>" + strings.Repeat("x", maxFrame-3)
	for _, tc := range []struct {
		name, stream string
		want         []string
	}{
		{"nothing", "", nil},
		{"separators", "\n\r\n\x00", nil},
		{"lines", "<1>a\n<2>b\n", []string{"<1>a", "<2>b"}},
		{"carriage returns", "<1>a\r\n<2>b\r\n", []string{"<1>a\r", "<2>b\r"}},
		{"counted", "4 <1>a4 <2>b", []string{"<1>a", "<2>b"}},
		{"counted with a line feed", "5 <1>a\n5 <2>b\n", []string{"<1>a\n", "<2>b\n"}},
		{"line feeds between counted", "4 <1>a\n4 <2>b\n", []string{"<1>a", "<2>b"}},
		{"line feed within counted", "6 <1>a\nb4 <2>b", []string{"<1>a\nb", "<2>b"}},
		{"mixed", "4 <1>a<2>b\n4 <3>c\n<4>d\n", []string{"<1>a", "<2>b", "<3>c", "<4>d"}},
		{"a line that begins with a digit", "12 monkeys\n2026-11-23 x\n7: y\n", []string{"12 monkeys", "2026-11-23 x", "7: y"}},
		{"a line of digits", "1234567890123456789012345\n<1>a\n", []string{"1234567890123456789012345", "<1>a"}},
		{"a nought is no count", "0 <1>a\n", []string{"0 <1>a"}},
		{"longest", long + "\n<1>a\n", []string{long, "<1>a"}},
		{"line too long", long + "yyy\n<1>a\n", []string{"(cut)" + long, "<1>a"}},
		{"counted too long", fmt.Sprintf("%d %syyy4 <1>a", len(long)+3, long), []string{"(cut)" + long, "<1>a"}},
		{"absurd count", "99999999 <1>a\n<2>b\n", []string{"(broken)", "<2>b"}},
		{"count too small", "4 <1>abc\n4 <2>b", []string{"<1>a", "(broken)", "<2>b"}},
		{"count too large", "6 <1>a4 <2>b\n<3>c\n", []string{"<1>a4 ", "<2>b", "<3>c"}},
		{"counted in characters", "11 <1>üüüüüüüü\n4 <2>b\n", []string{"<1>üüüü", "(broken)", "<2>b"}},
		{"count too small among lines", "4 <1>abc\n<2>b\n4 <3>c", []string{"<1>a", "(broken)", "<2>b", "<3>c"}},
		{"out of step for good", "4 <1>abc" + strings.Repeat("4 <2>b", maxSkipped), []string{"<1>a", "(broken)"}},
		{"out of step for long", "4 <1>abc" + strings.Repeat("4 <2>b", maxSkipped/6-1) + "\n4 <3>c", []string{"<1>a", "(broken)", "<3>c"}},
		{"a long line is no fault", strings.Repeat("x", 4*maxSkipped) + "\n<1>a\n", []string{"(cut)" + strings.Repeat("x", maxFrame), "<1>a"}},
		{"a long line behind a fault", "99999999 <1>a\n" + strings.Repeat("x", 4*maxSkipped) + "\n<1>a\n", []string{"(broken)", "(cut)" + strings.Repeat("x", maxFrame), "<1>a"}},
		{"line without an end", "<1>a\n<2>b", []string{"<1>a", "(cut)<2>b"}},
		{"counted without an end", "9 <1>a", []string{"(cut)<1>a"}},
		{"count without a frame", "4 <1>a12", []string{"<1>a", "(broken)"}},
	} {
		for _, way := range []struct {
			name string
			r    io.Reader
		}{
			{"at once", strings.NewReader(tc.stream)},
			{"byte by byte", iotest.OneByteReader(strings.NewReader(tc.stream))},
			{"with its end", iotest.DataErrReader(strings.NewReader(tc.stream))},
		} {
			t.Run(tc.name+"/"+way.name, func(t *testing.T) {
				if diff := cmp.Diff(tc.want, cutAll(way.r)); diff != "" {
					t.Errorf("%.60q (-want +got):\n%s", tc.stream, diff)
				}
			})
		}
	}
}

// flow is text without end.
type flow struct {
	text string
	left int
}

func (f *flow) Read(p []byte) (int, error) {
	if f.left <= 0 {
		return 0, io.EOF
	}
	n := copy(p, strings.Repeat(f.text, 1+len(p)/len(f.text)))
	f.left -= n
	return n, nil
}

// TestFramesAreBounded feeds what grows without end to the frames of a connection.
func TestFramesAreBounded(t *testing.T) {
	for _, text := range []string{"x", "9", "1048576 <", "9 ", "\x00", "\n", "<13>", "999999999 <", "12345678 "} {
		in := newFrames(&flow{text: text, left: 2 << 20})
		for fate := whole; fate != ended; {
			var frame []byte
			if frame, fate = in.next(); len(frame) > maxFrame {
				t.Fatalf("%q: a frame of %d bytes", text, len(frame))
			}
		}
		if len(in.buf) > 2*maxBuffer {
			t.Errorf("%q: a buffer of %d bytes", text, len(in.buf))
		}
	}
}

// FuzzFrames holds that the frames of a stream do not depend on how it arrives,
// and that nothing but separators and what is broken or cut is missing.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("4 <1>a<2>b\n4 <3>c\n"))
	f.Add([]byte("99999999 <1>a\n4 <1>abc\n9 <1>"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		whole := cutAll(bytes.NewReader(stream))
		if diff := cmp.Diff(whole, cutAll(iotest.HalfReader(bytes.NewReader(stream)))); diff != "" {
			t.Fatalf("(-at once +in parts):\n%s", diff)
		}
		if bytes.Contains(stream, []byte(" <")) || len(stream) > maxFrame {
			return // counts
		}
		lines := strings.FieldsFunc(string(stream), func(r rune) bool { return r == '\n' })
		n := 0
		for _, l := range lines {
			if strings.Trim(l, "\r\x00") != "" {
				n++
			}
		}
		if len(whole) != n {
			t.Fatalf("%d frames of %d lines: %q", len(whole), n, whole)
		}
	})
}
