package journald

import "os"

// ReaderMain is the reader process: the program named by Options.Reader calls
// it with the arguments that follow those of Options.Reader, its standard
// input and its standard output. It writes frames to out until in ends, which
// it does when the parent dies. The error is meant for standard error and a
// non-zero exit status.
func ReaderMain(args []string, in, out *os.File) error { return errNotYet }
