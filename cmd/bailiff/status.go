package main

import (
	"github.com/spf13/cobra"
)

func statusCommand(f *flags) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "status",
		Short:   "Show how the daemon is",
		Example: `  bailiff status`,
		Args:    takes(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := f.client()
			if err != nil {
				return err
			}
			status, err := client.Status(cmd.Context())
			if err != nil {
				return err
			}
			if f.json {
				return printJSON(cmd, status)
			}
			return printer(cmd).Status(&status)
		},
	}
	f.daemonFlags(cmd)
	return cmd
}
