package main

import (
	"time"

	"github.com/spf13/cobra"
)

func statusCommand(f *flags) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status [JAIL]",
		Short: "Show how the daemon is, or one jail",
		Long: `Status prints the state of the daemon: what is wrong, its sources and senders, packs
and jails. With the name of a jail it prints what that jail was told of and whom it
banned, how fast, by which rules, and the policy that holds in it.`,
		Example: `  bailiff status
  bailiff status sshd`,
		Args: takes(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := f.client()
			if err != nil {
				return err
			}
			if len(args) == 1 {
				jail, err := client.Jail(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				if f.json {
					return printJSON(cmd, jail)
				}
				return printer(cmd).Jail(&jail, time.Now())
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
