package main

import (
	"time"

	"github.com/spf13/cobra"

	"bailiff/cmd/internal/admin"
	"bailiff/config"
)

func banCommand(f *flags) *cobra.Command {
	var req admin.BanRequest
	cmd := &cobra.Command{
		Use:   "ban ADDR|PREFIX",
		Short: "Ban an address or a prefix",
		Long: `Ban refuses an address or a prefix until the time is over or until it is
unbanned. What never_ban and the other guards protect is not banned.`,
		Example: `  bailiff ban 203.0.113.9 --for 1d --reason "port scan"`,
		Args:    takes(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if req.Prefix, err = admin.ParsePrefix(args[0]); err != nil {
				return err
			}
			if !req.Force {
				if err := admin.CheckWidth(req.Prefix); err != nil {
					return err
				}
			}
			if req.For != "" {
				if _, err := config.ParseDuration(req.For); err != nil {
					return usage("write 10m, 1d, 5w or forever", "--for: %w", err)
				}
			}
			client, err := f.client()
			if err != nil {
				return err
			}
			bans, err := client.Ban(cmd.Context(), req)
			if err != nil {
				return err
			}
			if f.json {
				return printJSON(cmd, bans)
			}
			return printer(cmd).Banned(bans, time.Now())
		},
	}
	cmd.Flags().StringVar(&req.For, "for", "", "how long: 10m, 1d, 5w or forever (default the jail's ban_time)")
	cmd.Flags().StringVar(&req.Jail, "jail", "", "ban in the name of `JAIL`, with its ports and its history")
	cmd.Flags().StringVar(&req.Reason, "reason", "", "`TEXT` to keep with the ban")
	cmd.Flags().BoolVar(&req.Force, "force", false, "allow more than an IPv4 /16 or an IPv6 /32")
	f.daemonFlags(cmd)
	return cmd
}
