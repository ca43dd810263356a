package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// progress draws on a terminal how far a replay is.
type progress struct {
	w           io.Writer // nil: there is nobody to see it
	total, read int64     // bytes; total is 0 where it is not known
	n           uint64
	began, last time.Time
}

func newProgress(w io.Writer, logs []*log) *progress {
	p := &progress{began: time.Now()}
	p.last = p.began // nothing is drawn of what is done at once
	if isTerminal(w) {
		p.w = w
	}
	for _, l := range logs {
		if l.size == 0 {
			p.total = 0
			break
		}
		p.total += l.size
	}
	return p
}

// reading counts what is read of r.
func (p *progress) reading(r io.Reader) io.Reader { return &counted{r, p} }

type counted struct {
	r io.Reader
	p *progress
}

// Read implements io.Reader.
func (c *counted) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.p.read += int64(n)
	return n, err
}

// lines says how many lines were read, and draws ten times a second.
func (p *progress) lines(n uint64) {
	p.n = n
	if now := time.Now(); p.w != nil && now.Sub(p.last) >= 100*time.Millisecond {
		p.last = now
		fmt.Fprint(p.w, "\r\x1b[K", p.line(now))
	}
}

func (p *progress) line(now time.Time) string {
	rate := float64(p.n) / max(now.Sub(p.began).Seconds(), 0.001)
	text := fmt.Sprintf("%d lines, %.0f a second", p.n, rate)
	if p.total == 0 {
		return text
	}
	const width = 30
	part := min(float64(p.read)/float64(p.total), 1)
	full := int(part * width)
	return fmt.Sprintf("%s%s %3.0f %%  %s", strings.Repeat("█", full), strings.Repeat("░", width-full), part*100, text)
}

// done takes the bar away.
func (p *progress) done() {
	if p.w != nil {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
