package rules

// automaton decides in one pass, without memory and in time linear in the text,
// which beginnings of a text one half of a pattern matches; a backward one, which
// ends. It is made once and shared by all goroutines.
type automaton struct {
	backward bool
	states   []state // dead and start, then the others
	rows     []uint16
	class    [256]uint8 // column of a byte in a row

	// A state that can skip has read up to the last part that matches any
	// text, and at most reach bytes belong to what follows that part. However
	// far away a position of interest is, only the last reach bytes before it
	// matter then, read from state loop.
	loop  uint16
	reach int
}

// state is what has been read so far.
type state struct {
	literal string // if not empty, all that can follow; then comes next
	next    uint16
	accept  bool
	skip    bool
	row     int // where its row begins in rows
}

// The states that every automaton has.
const (
	dead  = 0
	start = 1
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
	return walk{automaton: a, text: text, state: start}
}

// accepts reads on to position p and says whether what was read matches.
// Positions must not descend. When it is false, dead says whether any later
// position can match.
func (w *walk) accepts(p int) bool {
	for w.pos < p && w.state != dead {
		s := &w.states[w.state]
		switch {
		case s.skip && p-w.pos > w.reach:
			w.pos, w.state = p-w.reach, w.loop
		case s.literal != "":
			w.state = w.literal(s)
		case w.backward:
			w.state = w.rows[s.row+int(w.class[w.text[len(w.text)-1-w.pos]])]
			w.pos++
		default:
			w.state = w.rows[s.row+int(w.class[w.text[w.pos]])]
			w.pos++
		}
	}
	return w.pos == p && w.states[w.state].accept
}

// literal reads the literal of a state and returns the state behind it. It may
// read beyond the position asked for: nothing matches within a literal.
func (w *walk) literal(s *state) uint16 {
	n := len(s.literal)
	rest := len(w.text) - w.pos
	if n > rest {
		return dead
	}
	at := w.pos
	if w.backward {
		at = rest - n
	}
	w.pos += n
	if string(w.text[at:at+n]) != s.literal {
		return dead
	}
	return s.next
}

// ended says that no later position can match.
func (w *walk) ended() bool { return w.state == dead }

// begins says cheaply whether the text may match at all.
func (a *automaton) begins(text []byte) bool {
	w := a.walk(text)
	s := &a.states[start]
	return s.literal == "" || w.literal(s) != dead
}

// matches says whether the whole text matches.
func (a *automaton) matches(text []byte) bool {
	w := a.walk(text)
	return w.accepts(len(text))
}

// first returns the first position, from min on, that matches, or -1.
func (a *automaton) first(text []byte, from int) int {
	w := a.walk(text)
	for p := from; p <= len(text); p++ {
		if w.accepts(p) {
			return p
		}
		if w.ended() {
			break
		}
	}
	return -1
}

// all returns for each position whether it matches.
func (a *automaton) all(text []byte) []bool {
	marks := make([]bool, len(text)+1)
	w := a.walk(text)
	for p := 0; p <= len(text) && !w.ended(); p++ {
		marks[p] = w.accepts(p)
	}
	return marks
}
