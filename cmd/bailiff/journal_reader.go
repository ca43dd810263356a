package main

import (
	"os"

	"github.com/spf13/cobra"

	"bailiff/ingest/journald"
)

// journalReaderCommand is the child process that reads the journal for the
// daemon, which starts it by itself.
func journalReaderCommand() *cobra.Command {
	return &cobra.Command{
		Use:                "journal-reader",
		Short:              "Read the journal for the daemon",
		Hidden:             true,
		DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			return journald.ReaderMain(args, os.Stdin, os.Stdout)
		},
	}
}
