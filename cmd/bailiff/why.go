package main

import (
	"time"

	"github.com/spf13/cobra"

	"bailiff/cmd/internal/admin"
)

func whyCommand(f *flags) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "why ADDR|PREFIX",
		Short: "Explain why an address is banned, or is not",
		Long: `Why prints what bailiff knows of an address: the lines that were held against
it, the rule, the counts, the strike, the sentence, and what was refused since; then what
is open against it still. Of a network it prints what stands and happened inside.`,
		Example: `  bailiff why 203.0.113.9
  bailiff why 203.0.113.0/24`,
		Args: takes(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			prefix, err := admin.ParsePrefix(args[0])
			if err != nil {
				return err
			}
			client, err := f.client()
			if err != nil {
				return err
			}
			why, err := client.Why(cmd.Context(), prefix)
			if err != nil {
				return err
			}
			if f.json {
				return printJSON(cmd, why)
			}
			return printer(cmd).Why(&why, time.Now())
		},
	}
	f.daemonFlags(cmd)
	return cmd
}
