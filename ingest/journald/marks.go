package journald

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// marks are positions in collected journals: the cursor of the last entry dealt
// with, by the name of the journal. The text form, which places writes, is a line for each.
type marks map[string]string

// parseMarks reads what append writes.
func parseMarks(text string) (marks, error) {
	m := make(marks)
	for line := range strings.Lines(text) {
		name, cursor, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if !ok {
			return nil, fmt.Errorf("journal cursor: %q names no journal", line)
		}
		name, err := url.QueryUnescape(name)
		if err != nil {
			return nil, fmt.Errorf("journal cursor: %w", err)
		}
		if _, err := parsePosition(cursor); err != nil {
			return nil, err
		}
		m[name] = cursor
	}
	return m, nil
}

// places keeps the text form of marks. Its owner is Run.
type places struct {
	at   map[string]int // by name, where in all
	all  []place
	text []byte
}

// place is one line of the text.
type place struct {
	name         string
	head, cursor []byte
}

// restore begins with a text that set has returned, or with none if it is not one.
func (p *places) restore(text []byte) []byte {
	*p = places{at: map[string]int{}}
	m, err := parseMarks(string(text))
	if err != nil {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		p.put([]byte(name), []byte(m[name]))
	}
	return p.write()
}

// set notes a position and returns the text, valid until the next call.
func (p *places) set(name, cursor []byte) []byte {
	p.put(name, cursor)
	return p.write()
}

func (p *places) put(name, cursor []byte) {
	i, ok := p.at[string(name)]
	if !ok {
		i = len(p.all)
		p.at[string(name)] = i
		p.all = append(p.all, place{name: string(name), head: []byte(url.QueryEscape(string(name)) + " ")})
	}
	p.all[i].cursor = append(p.all[i].cursor[:0], cursor...)
}

// remove forgets a journal and returns the text.
func (p *places) remove(name string) []byte {
	if _, ok := p.at[name]; ok {
		p.all = slices.DeleteFunc(p.all, func(at place) bool { return at.name == name })
		clear(p.at)
		for i := range p.all {
			p.at[p.all[i].name] = i
		}
	}
	return p.write()
}

func (p *places) write() []byte {
	p.text = p.text[:0]
	for i := range p.all {
		p.text = append(append(append(p.text, p.all[i].head...), p.all[i].cursor...), '\n')
	}
	return p.text
}

// broken is the collected journals that cannot be read, and why.
type broken struct {
	mu  sync.Mutex
	why map[string]string
}

// set reports whether that is news.
func (b *broken) set(journal, why string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.why == nil {
		b.why = make(map[string]string)
	}
	old, was := b.why[journal]
	b.why[journal] = why
	return !was || old != why
}

func (b *broken) clear(journal string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.why, journal)
}

// Trouble is an error if one of several collected journals is not read, which does
// not keep the others from being read.
func (s *Source) Trouble() error {
	s.broken.mu.Lock()
	defer s.broken.mu.Unlock()
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(s.broken.why)) {
		errs = append(errs, fmt.Errorf("journal %s is not read: %s", name, s.broken.why[name]))
	}
	return errors.Join(errs...)
}
