package journald

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
)

// query says where to read from.
type query struct {
	dir       string    // empty: this machine's journal
	namespace string    // empty: the system's
	cursor    string    // empty: since
	since     time.Time // read what is younger
	fields    []string  // to be shipped besides
}

// maxCursor bounds the positions that are handed to a reader: those of some 50,000
// journals.
const maxCursor = 16 << 20

// args is the query as ReaderMain takes it. The cursor is in its input: that of
// collected journals is too long for an argument when there are many.
func (q query) args() []string {
	return []string{
		"-dir=" + q.dir,
		"-namespace=" + q.namespace,
		"-cursor-bytes=" + strconv.Itoa(len(q.cursor)),
		"-since=" + strconv.FormatInt(q.since.UnixMicro(), 10),
		"-fields=" + strings.Join(q.fields, ","),
	}
}

func parseQuery(args []string, in io.Reader) (query, error) {
	var q query
	var since int64
	var length int
	var fields string
	flags := flag.NewFlagSet("journal-reader", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&q.dir, "dir", "", "directory of journal files")
	flags.StringVar(&q.namespace, "namespace", "", "namespace of the journal")
	flags.IntVar(&length, "cursor-bytes", 0, "length of the position to resume at, the first of the input")
	flags.Int64Var(&since, "since", 0, "first entry, µs since 1970")
	flags.StringVar(&fields, "fields", "", "fields to ship, separated by commas")
	if err := flags.Parse(args); err != nil {
		return q, err
	}
	if flags.NArg() > 0 {
		return q, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if length < 0 || length > maxCursor {
		return q, fmt.Errorf("cursor of %d bytes", length)
	}
	cursor := make([]byte, length)
	if _, err := io.ReadFull(in, cursor); err != nil {
		return q, fmt.Errorf("read the cursor: %w", err)
	}
	q.cursor = string(cursor)
	q.since = time.UnixMicro(since)
	if fields != "" {
		q.fields = strings.Split(fields, ",")
	}
	return q, checkNames(q.fields)
}

// ReaderMain is the reader process: the program named by Options.Reader calls
// it with the arguments that follow those of Options.Reader, its standard
// input and its standard output. It writes frames to out until in ends, which
// it does when the parent dies. The error is meant for standard error and a
// non-zero exit status.
func ReaderMain(args []string, in, out *os.File) error {
	q, err := parseQuery(args, in)
	if err != nil {
		return fmt.Errorf("journal reader: %w", err)
	}
	// Nothing here lives longer than an entry: collect often, stay small.
	debug.SetGCPercent(25)

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { // ends with the process: a read of standard input cannot be interrupted
		_, _ = io.Copy(io.Discard, in)
		cancel()
	}()

	w := newFrameWriter(out)
	err = follow(ctx, q, w)
	if last := (*Error)(nil); errors.As(err, &last) {
		err = errors.Join(err, w.fail(last), w.flush())
	}
	if err != nil {
		return fmt.Errorf("journal reader: %w", err)
	}
	return nil
}
