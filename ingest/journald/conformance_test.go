//go:build linux && cgo

package journald_test

import (
	"io"
	"testing"
	"time"

	"bailiff/ingest"
	"bailiff/ingest/ingesttest"
	"bailiff/ingest/journald"
	"bailiff/ingest/journald/journaltest"
)

// closer is a writer of writer, which the end of the test closes.
type closer func(message string)

func (c closer) Write(line []byte) (int, error) { c(string(line)); return len(line), nil }
func (closer) Close() error                     { return nil }

func TestConformance(t *testing.T) {
	bothWays(t, func(t *testing.T, opts journald.Options) {
		ingesttest.Run(t, func(t *testing.T) ingesttest.Transport {
			journaltest.Start(t)
			opts.Since = time.Hour
			resume := func(t *testing.T, cursor []byte) ingest.Source {
				opts.Cursor = cursor
				s, err := journald.New(opts)
				if err != nil {
					t.Fatal(err)
				}
				return s
			}
			return ingesttest.Transport{
				Source: resume(t, nil),
				Dial:   func(t *testing.T) io.WriteCloser { return closer(writer(t)) },
				Waits:  true,
				Resume: resume,
				Line:   func(message string) string { return message },
				Ours:   func(e *ingest.Entry) bool { return string(e.Identifier) == "test" },
			}
		})
	})
}
