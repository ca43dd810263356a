package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func reloadCommand(f *flags) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Make the daemon read configuration and packs again",
		Long: `Reload reads the configuration and the packs again and runs every sample. If
anything is wrong, the daemon goes on with what it had.`,
		Example: `  bailiff check && bailiff reload`,
		Args:    takes(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := f.client()
			if err != nil {
				return err
			}
			result, err := client.Reload(cmd.Context())
			if err != nil {
				return err
			}
			if f.json {
				return printJSON(cmd, result)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "reloaded: %s\n", result.Changed)
			return err
		},
	}
	f.daemonFlags(cmd)
	return cmd
}
