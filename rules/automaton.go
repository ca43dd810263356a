package rules

// automaton decides in one pass, without memory and in time linear in the text,
// which beginnings of a text one half of a pattern matches; a backward one, which
// ends. It is made once and shared by all goroutines.
type automaton struct {
	backward bool
	// States are numbered: dead, those with a literal, below rowed; those that
	// can skip, below skips; those that accept, below plain; and the others.
	rowed, skips, plain uint16
	start               uint16
	literals            []literal // of state 1 and up
	accept              []bool
	rows                []uint16 // of the states behind those with a literal
	class               [256]uint8
	width               int // of a row: one next state for each class of bytes

	// A state that can skip has read up to the last part that matches any
	// text, and at most reach bytes belong to what follows that part. However
	// far away a position of interest is, only the last reach bytes before it
	// matter then, read from state loop.
	loop  uint16
	reach int
}

// literal is the one text that can follow a state, and the state behind it.
// Nothing matches within it.
type literal struct {
	text string
	next uint16
}

// dead is the state of what no text can make match; none is no state.
const (
	dead = 0
	none = 1<<16 - 1
)

// walk is a pass of an automaton over a text. Positions count the bytes read,
// from the end of the text if the automaton is a backward one.
type walk struct {
	*automaton
	text  []byte
	pos   int
	state uint16
}

func (a *automaton) walk(text []byte) walk {
	return walk{automaton: a, text: text, state: a.start}
}

// ended says that no later position can match.
func (w *walk) ended() bool { return w.state == dead }

// accepts reads on to position p and says whether what was read matches.
// Positions must not descend.
func (w *walk) accepts(p int) bool {
	for w.pos < p && w.state != dead {
		switch {
		case p-w.pos <= w.reach:
			w.read(p, w.rowed)
		case w.rowed <= w.state && w.state < w.skips:
			w.pos, w.state = p-w.reach, w.loop
		default:
			w.read(p, w.skips)
		}
	}
	return w.pos == p && w.accept[w.state]
}

// read reads a literal, or one byte and on up to position p, which is further on, or
// a state below stop.
func (w *walk) read(p int, stop uint16) {
	if w.state < w.rowed {
		w.literal()
		return
	}
	text, at, end, step := w.text, w.pos, p, 1
	if w.backward {
		at, end, step = len(text)-1-w.pos, len(text)-1-p, -1
	}
	rows, class := w.rows, &w.class
	s, row := w.state, w.row(w.state)
	if s < stop {
		s = none
	}
	for at != end {
		next := rows[row+int(class[text[at]])]
		at += step
		if next != s { // predicted, so that a loop does not wait for its row
			if s = next; s < stop {
				break
			}
			row = w.row(s)
		}
	}
	if w.state = s; w.backward {
		at = len(text) - 1 - at
	}
	w.pos = at
}

// row returns where in rows stands what follows a state that has no literal.
func (a *automaton) row(s uint16) int { return int(s-a.rowed) * a.width }

// literal reads the literal of the state.
func (w *walk) literal() {
	l := &w.literals[w.state-1]
	n, rest := len(l.text), len(w.text)-w.pos
	if w.state = dead; n > rest {
		return
	}
	at := w.pos
	if w.backward {
		at = rest - n
	}
	if string(w.text[at:at+n]) == l.text {
		w.pos, w.state = w.pos+n, l.next
	}
}

// begins says cheaply whether the text may match at all.
func (a *automaton) begins(text []byte) bool {
	w := a.walk(text)
	if a.start != dead && a.start < a.rowed && !a.accept[a.start] {
		w.literal()
	}
	return !w.ended()
}

// matches says whether the whole text matches.
func (a *automaton) matches(text []byte) bool {
	w := a.walk(text)
	return w.accepts(len(text))
}

// next reads on to the next position that matches and returns it, or -1.
func (w *walk) next() int {
	for w.pos < len(w.text) && w.state != dead {
		if w.read(len(w.text), w.plain); w.accept[w.state] {
			return w.pos
		}
	}
	return -1
}

// first returns the first position that matches, or -1.
func (a *automaton) first(text []byte) int {
	if a.accept[a.start] {
		return 0
	}
	w := a.walk(text)
	return w.next()
}

// all returns for each position whether it matches.
func (a *automaton) all(text []byte) []bool {
	marks := make([]bool, len(text)+1)
	marks[0] = a.accept[a.start]
	w := a.walk(text)
	for p := w.next(); p >= 0; p = w.next() {
		marks[p] = true
	}
	return marks
}
