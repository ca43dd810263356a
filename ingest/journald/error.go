package journald

// Error is a failure that lasts until somebody acts: no journal, no right to
// read it, no reader in this build.
type Error struct {
	// Problem says what is wrong, in lower case.
	Problem string
	// Remedy is one line on what to do about it.
	Remedy string
}

// Error returns the problem.
func (e *Error) Error() string { return e.Problem }

// Hint returns the remedy, for the line below the error.
func (e *Error) Hint() string { return e.Remedy }
